import type { DaemonSet, Node, Pod } from '#api';
import { isPodAvailable } from '../pods.ts';
import { isUpdated, shouldRun, updateLimits } from './daemon-pods.ts';

export interface Plan {
  /** Pods to delete. */
  doomed: Pod[];
  /** Names of nodes that need a pod. */
  needing: string[];
}

interface OnNode {
  name: string;
  fresh: Pod | undefined;
  old: Pod | undefined;
}

/** The new and the old pod on a node; undefined where there are more than one of either, which the ordinary pass sees to first. */
function sortOut(daemonSet: DaemonSet, name: string, pods: readonly Pod[], hash: string): OnNode | undefined {
  const live = pods.filter((pod) => !pod.metadata!.deletionTimestamp);
  const fresh = live.filter((pod) => isUpdated(daemonSet, pod, hash));
  const old = live.filter((pod) => !isUpdated(daemonSet, pod, hash));
  return fresh.length > 1 || old.length > 1 ? undefined : { name, fresh: fresh[0], old: old[0] };
}

/** The next step of an update to the revision `hash`. upstream: pkg/controller/daemon/update.go rollingUpdate. */
export function planUpdate(
  daemonSet: DaemonSet,
  nodes: readonly Node[],
  podsByNode: ReadonlyMap<string, readonly Pod[]>,
  hash: string,
  now: number,
): Plan {
  const wanted = nodes.filter((node) => shouldRun(daemonSet, node).run).map((node) => node.metadata!.name!);
  const { surge, unavailable } = updateLimits(daemonSet, wanted.length);
  const names = new Set([...podsByNode.keys(), ...wanted]);
  const isAvailable = (pod: Pod): boolean => isPodAvailable(pod, daemonSet.spec!.minReadySeconds ?? 0, now);
  const states = [...names].map((name) => sortOut(daemonSet, name, podsByNode.get(name) ?? [], hash));
  return surge === 0 ? replaceInPlace(states, unavailable, isAvailable) : replaceWithSurge(states, surge, wanted, isAvailable);
}

function replaceInPlace(states: readonly (OnNode | undefined)[], most: number, isAvailable: (pod: Pod) => boolean): Plan {
  let missing = 0;
  const allowed: Pod[] = [];
  const candidates: Pod[] = [];
  for (const state of states) {
    if (!state || !state.old === !state.fresh) missing++;
    else if (state.fresh) missing += isAvailable(state.fresh) ? 0 : 1;
    else if (isAvailable(state.old!)) candidates.push(state.old!);
    else {
      allowed.push(state.old!);
      missing++;
    }
  }
  return { doomed: [...allowed, ...candidates.slice(0, Math.max(0, most - missing))], needing: [] };
}

function replaceWithSurge(
  states: readonly (OnNode | undefined)[],
  most: number,
  wanted: readonly string[],
  isAvailable: (pod: Pod) => boolean,
): Plan {
  const doomed: Pod[] = [];
  const misplaced: Pod[] = [];
  const allowed: string[] = [];
  const candidates: string[] = [];
  let surging = 0;
  let available = 0;
  for (const state of states) {
    if (!state) {
      surging++;
      continue;
    }
    const { name, fresh, old } = state;
    const counted = old ?? fresh;
    if (counted && isAvailable(counted)) available++;
    if (!old) continue;
    const shouldStay = wanted.includes(name);
    if (fresh) {
      if (isAvailable(fresh)) doomed.push(old);
      else surging++;
    } else if (!isAvailable(old)) {
      if (shouldStay) allowed.push(name);
      else doomed.push(old);
    } else if (shouldStay) candidates.push(name);
    else misplaced.push(old);
  }
  doomed.push(...misplaced.slice(0, Math.max(0, available - wanted.length)));
  return { doomed, needing: [...allowed, ...candidates.slice(0, Math.max(0, most - surging))] };
}
