import type { Pod } from '#api';
import { podRequests } from '#machinery/quota';
import { milliValue } from '#machinery/quantity';
import { isPodReady, readyCondition } from '../pods.ts';
import type { PodMetrics } from './metrics.ts';

/** A new pod's CPU use says nothing for a while; its readiness neither, at the very start. upstream: the flags' defaults. */
const cpuInitialization = 5 * 60_000;
const initialReadiness = 30_000;

export interface Tolerance {
  up: number;
  down: number;
}
const isWithin = ({ up, down }: Tolerance, ratio: number): boolean => ratio >= 1 - down && ratio <= 1 + up;

interface Groups {
  ready: number;
  unready: Set<string>;
  missing: Set<string>;
}

/** Which pods' metrics count. Those of pods that do not are taken out of `metrics`. */
function group(pods: readonly Pod[], metrics: PodMetrics, isCpu: boolean, now: number): Groups {
  const groups: Groups = { ready: 0, unready: new Set(), missing: new Set() };
  for (const pod of pods) {
    const name = pod.metadata!.name!;
    if (pod.metadata!.deletionTimestamp || pod.status?.phase === 'Failed') {
      metrics.delete(name);
      continue;
    }
    const metric = metrics.get(name);
    if (pod.status?.phase === 'Pending') groups.unready.add(name);
    else if (!metric) groups.missing.add(name);
    else if (isCpu && isStarting(pod, metric.timestamp, metric.window, now)) groups.unready.add(name);
    else groups.ready++;
  }
  for (const name of groups.unready) metrics.delete(name);
  return groups;
}

function isStarting(pod: Pod, measured: number, window: number, now: number): boolean {
  const condition = readyCondition(pod);
  if (!condition || !pod.status?.startTime) return true;
  const started = Date.parse(pod.status.startTime);
  const changed = Date.parse(condition.lastTransitionTime ?? '');
  if (started + cpuInitialization > now) return condition.status === 'False' || measured < changed + window;
  return condition.status === 'False' && started + initialReadiness > changed;
}

/** What each pod asks for of a resource, in thousandths. */
export function requestsOf(pods: readonly Pod[], resource: string, container: string | undefined): Map<string, number> {
  const requests = new Map<string, number>();
  for (const pod of pods) {
    const name = pod.metadata!.name!;
    if (!container && pod.spec?.resources?.requests?.[resource] !== undefined) {
      requests.set(name, milliValue(podRequests(pod).get(resource)));
      continue;
    }
    const sidecars = (pod.spec?.initContainers ?? []).filter((each) => each.restartPolicy === 'Always');
    let total = 0;
    for (const each of [...(pod.spec?.containers ?? []), ...sidecars]) {
      if (container && each.name !== container) continue;
      const request = each.resources?.requests?.[resource];
      if (request === undefined) throw new Error(`missing request for ${resource} in container ${each.name} of Pod ${name}`);
      total += milliValue(request);
    }
    requests.set(name, total);
  }
  return requests;
}

export interface Proposal {
  replicas: number;
  /** Used on average: percent of the requests for a utilization, thousandths for values. */
  current: number;
  /** For a utilization: the average in thousandths as well. */
  average: number;
}

export interface PodQuestion {
  pods: readonly Pod[];
  metrics: PodMetrics;
  currentReplicas: number;
  tolerance: Tolerance;
  isCpu: boolean;
  now: number;
  /** Compares use with the target: 1 is right on it. */
  ratio(metrics: PodMetrics): { ratio: number; current: number; average: number };
  /** What a pod without metrics is thought to use at most. */
  assumed(pod: string): number;
}

/** How many replicas bring the average to its target. Pods of which nothing is known dampen the change, in either direction. upstream: replica_calculator.go. */
export function propose({ pods, metrics, currentReplicas, tolerance, isCpu, now, ratio, assumed }: PodQuestion): Proposal {
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
  const { ready, unready, missing } = group(pods, metrics, isCpu, now);
  if (metrics.size === 0) throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  const first = ratio(metrics);
  const keep: Proposal = { replicas: currentReplicas, current: first.current, average: first.average };
  const withUnready = unready.size > 0 && first.ratio > 1;
  if (!withUnready && missing.size === 0)
    return isWithin(tolerance, first.ratio) ? keep : { ...keep, replicas: Math.ceil(first.ratio * ready) };
  const fill = (names: Iterable<string>, value: (name: string) => number): void => {
    for (const name of names) metrics.set(name, { value: value(name), timestamp: now, window: 0 });
  };
  if (first.ratio < 1) fill(missing, assumed);
  else if (first.ratio > 1) fill(missing, () => 0);
  if (withUnready) fill(unready, () => 0);
  const second = ratio(metrics).ratio;
  const turned = (first.ratio < 1 && second > 1) || (first.ratio > 1 && second < 1);
  if (isWithin(tolerance, second) || turned) return keep;
  const replicas = Math.ceil(second * metrics.size);
  const backwards = (second < 1 && replicas > currentReplicas) || (second > 1 && replicas < currentReplicas);
  return backwards ? keep : { ...keep, replicas };
}

/** For one number that all pods share: its ratio to the target times the pods that are ready. */
export function proposeByRatio(pods: readonly Pod[], currentReplicas: number, ratio: number, tolerance: Tolerance): number {
  if (currentReplicas === 0) return Math.ceil(ratio);
  if (isWithin(tolerance, ratio)) return currentReplicas;
  const ready = pods.filter((pod) => pod.status?.phase === 'Running' && isPodReady(pod)).length;
  return Math.ceil(ratio * ready);
}

/** For one number of which each pod should have its share. */
export function proposeByShare(currentReplicas: number, total: number, share: number, tolerance: Tolerance): number {
  return isWithin(tolerance, total / (share * currentReplicas)) ? currentReplicas : Math.ceil(total / share);
}

export function utilization(requests: ReadonlyMap<string, number>, target: number): PodQuestion['ratio'] {
  return (metrics) => {
    let used = 0;
    let asked = 0;
    let count = 0;
    for (const [name, { value }] of metrics) {
      const request = requests.get(name);
      if (request === undefined) continue;
      used += value;
      asked += request;
      count++;
    }
    if (asked === 0) throw new Error('no metrics returned matched known pods');
    const current = Math.trunc((used * 100) / asked);
    return { ratio: current / target, current, average: Math.trunc(used / count) };
  };
}

export const averageValue =
  (target: number): PodQuestion['ratio'] =>
  (metrics) => {
    let total = 0;
    for (const { value } of metrics.values()) total += value;
    const average = Math.trunc(total / metrics.size);
    return { ratio: average / target, current: average, average };
  };
