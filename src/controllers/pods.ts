import type { Pod } from '#api';
import type { Condition } from './api-types.ts';
import { conditionOf } from './conditions.ts';

export const readyCondition = (pod: Pod): Condition | undefined => conditionOf(pod.status?.conditions, 'Ready');
export const isPodReady = (pod: Pod): boolean => readyCondition(pod)?.status === 'True';
export const isPodTerminal = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
/** Neither ended nor being deleted. */
export const isPodActive = (pod: Pod): boolean => !isPodTerminal(pod) && pod.metadata?.deletionTimestamp === undefined;
export const isPodTerminating = (pod: Pod): boolean => !isPodTerminal(pod) && pod.metadata?.deletionTimestamp !== undefined;

/** Ready for at least `minReadySeconds`. upstream: pkg/api/v1/pod IsPodAvailable. */
export function isPodAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  const ready = readyCondition(pod);
  if (ready?.status !== 'True') return false;
  if (minReadySeconds <= 0) return true;
  return ready.lastTransitionTime !== undefined && Date.parse(ready.lastTransitionTime) + minReadySeconds * 1000 <= now;
}

/** Milliseconds until the next of the ready pods becomes available; undefined when none will. upstream: FindMinNextPodAvailabilityCheck. */
export function nextAvailability(pods: readonly Pod[], minReadySeconds: number, now: number): number | undefined {
  let next: number | undefined;
  if (minReadySeconds <= 0) return undefined;
  for (const pod of pods) {
    const ready = readyCondition(pod);
    if (ready?.status !== 'True' || !ready.lastTransitionTime) continue;
    const wait = Date.parse(ready.lastTransitionTime) + minReadySeconds * 1000 - now;
    if (wait > 0 && (next === undefined || wait < next)) next = wait;
  }
  return next;
}

/** Restarts of the container with most, and of the sidecar with most. */
function restartsOf(pod: Pod): [number, number] {
  const most = (statuses: { restartCount: number }[]): number =>
    statuses.reduce((count, status) => Math.max(count, status.restartCount), 0);
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter((each) => each.restartPolicy === 'Always').map((each) => each.name));
  return [
    most(pod.status?.containerStatuses ?? []),
    most((pod.status?.initContainerStatuses ?? []).filter((status) => sidecars.has(status.name))),
  ];
}

const phaseOrder: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };
const deletionCost = (pod: Pod): number => {
  const cost = Number(pod.metadata?.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0);
  return Number.isInteger(cost) ? cost : 0;
};

/** Times are compared by the power of two of their age, so that among about equal pods chance (the uid) decides. */
function compareAges(a: string | undefined, b: string | undefined, now: number, one: Pod, other: Pod): number {
  if (a === b) return 0;
  if (!a || !b) return a ? 1 : -1;
  const rank = (time: string): number => {
    const age = (now - Date.parse(time)) * 1e6;
    return age > 0 ? Math.trunc(Math.log2(age)) : -1;
  };
  return rank(a) - rank(b) || ((one.metadata?.uid ?? '') < (other.metadata?.uid ?? '') ? -1 : 1);
}

/**
 * Pods in the order in which they should be deleted: those that are least use first; `onNode` counts the related pods on a node.
 * upstream: pkg/controller/controller_utils.go ActivePodsWithRanks.
 */
export function inDeletionOrder(pods: readonly Pod[], onNode: (nodeName: string) => number, now: number): Pod[] {
  const compare = (a: Pod, b: Pod): number => {
    const [nodeA, nodeB] = [a.spec?.nodeName ?? '', b.spec?.nodeName ?? ''];
    if (!nodeA !== !nodeB) return nodeA ? 1 : -1;
    const phases = (phaseOrder[a.status?.phase ?? ''] ?? 0) - (phaseOrder[b.status?.phase ?? ''] ?? 0);
    if (phases) return phases;
    const [readyA, readyB] = [isPodReady(a), isPodReady(b)];
    if (readyA !== readyB) return readyA ? 1 : -1;
    const costs = deletionCost(a) - deletionCost(b);
    if (costs) return costs;
    const ranks = onNode(nodeB) - onNode(nodeA);
    if (ranks) return ranks;
    if (readyA) {
      const ready = compareAges(readyCondition(a)?.lastTransitionTime, readyCondition(b)?.lastTransitionTime, now, a, b);
      if (ready) return ready;
    }
    const [restartsA, restartsB] = [restartsOf(a), restartsOf(b)];
    const restarts = restartsB[0] - restartsA[0] || restartsB[1] - restartsA[1];
    if (restarts) return restarts;
    return compareAges(a.metadata?.creationTimestamp, b.metadata?.creationTimestamp, now, a, b);
  };
  return pods.toSorted(compare);
}
