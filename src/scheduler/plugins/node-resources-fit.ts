import type { Node, Pod } from '#api';
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import { maxNodeScore } from '../contract.ts';
import type { PluginFactory } from '../contract.ts';
import { action } from '../framework/events.ts';
import type { Status } from '../framework/status.ts';
import { podRequests, resourcesOf } from '../resources.ts';
import { allocatableOf, isScalar, requestOf, resourceWeights, usedOf } from './resource-scoring.ts';
import type { ResourceWeight } from './resource-scoring.ts';

interface Args {
  ignoredResources?: string[];
  ignoredResourceGroups?: string[];
  scoringStrategy?: {
    type?: 'LeastAllocated' | 'MostAllocated' | 'RequestedToCapacityRatio';
    resources?: Partial<ResourceWeight>[];
    requestedToCapacityRatio?: { shape?: { utilization: number; score: number }[] };
  };
}

type Strategy = (requested: number, allocatable: number) => number;

const least: Strategy = (requested, allocatable) =>
  requested > allocatable ? 0 : Math.trunc(((allocatable - requested) * maxNodeScore) / allocatable);
const most: Strategy = (requested, allocatable) => Math.trunc((Math.min(requested, allocatable) * maxNodeScore) / allocatable);

/** Follows straight lines between the points of `shape`; scores there go from 0 to 10. upstream: helper/shape_score.go. */
function ratio(shape: readonly { utilization: number; score: number }[]): Strategy {
  const points = shape.map(({ utilization, score }) => ({ utilization, score: score * 10 }));
  const at = (utilization: number): number => {
    for (const [index, point] of points.entries()) {
      if (utilization > point.utilization) continue;
      const before = points[index - 1];
      if (!before) return point.score;
      return Math.trunc(
        before.score + ((point.score - before.score) * (utilization - before.utilization)) / (point.utilization - before.utilization),
      );
    }
    return points.at(-1)?.score ?? 0;
  };
  return (requested, allocatable) => at(allocatable === 0 || requested > allocatable ? 100 : Math.trunc((requested * 100) / allocatable));
}

function filter(pod: PodInfo, node: NodeInfo, ignored: (name: string) => boolean): Status | undefined {
  const { columns, row } = node;
  const { requests } = pod;
  let reasons: string[] | undefined;
  let hopeless = false;
  const missing = (text: string, never: boolean): void => {
    (reasons ??= []).push(text);
    hopeless ||= never;
  };
  if (columns.pods[row]! + 1 > columns.allocatablePods[row]!) missing('Too many pods', false);
  if (requests.milliCpu > 0 && requests.milliCpu > columns.allocatableMilliCpu[row]! - columns.requestedMilliCpu[row]!)
    missing('Insufficient cpu', requests.milliCpu > columns.allocatableMilliCpu[row]!);
  if (requests.memory > 0 && requests.memory > columns.allocatableMemory[row]! - columns.requestedMemory[row]!)
    missing('Insufficient memory', requests.memory > columns.allocatableMemory[row]!);
  if (
    requests.ephemeralStorage > 0 &&
    requests.ephemeralStorage > columns.allocatableEphemeralStorage[row]! - columns.requestedEphemeralStorage[row]!
  )
    missing('Insufficient ephemeral-storage', requests.ephemeralStorage > columns.allocatableEphemeralStorage[row]!);
  if (requests.scalar)
    for (const [name, value] of requests.scalar) {
      if (value === 0 || ignored(name)) continue;
      const allocatable = node.allocatableScalar?.get(name) ?? 0;
      if (value > allocatable - (node.requestedScalar.get(name) ?? 0)) missing(`Insufficient ${name}`, value > allocatable);
    }
  return reasons && { code: hopeless ? 'unresolvable' : 'unschedulable', reasons };
}

/** Requests must fit into what is left of the node; by default the emptier node wins. upstream: plugins/noderesources/fit.go. */
export const nodeResourcesFit: PluginFactory = (_handle, args: Args) => {
  const ignoredNames = new Set(args.ignoredResources);
  const ignoredGroups = new Set(args.ignoredResourceGroups);
  const ignored = (name: string): boolean => ignoredNames.has(name) || (name.includes('/') && ignoredGroups.has(name.split('/')[0]!));
  const strategy = args.scoringStrategy ?? {};
  const resources = resourceWeights(strategy.resources);
  const byRatio = strategy.type === 'RequestedToCapacityRatio';
  const score: Strategy = byRatio
    ? ratio(strategy.requestedToCapacityRatio?.shape ?? [])
    : strategy.type === 'MostAllocated'
      ? most
      : least;
  const nonZero = !byRatio;

  /** Whether a node with these resources, empty, could take the pod: else its change cannot help. */
  const couldFit = (pod: Pod, node: Node): boolean => {
    const wanted = podRequests(pod);
    const has = resourcesOf(node.status?.allocatable);
    if (wanted.milliCpu > has.milliCpu || wanted.memory > has.memory || wanted.ephemeralStorage > has.ephemeralStorage) return false;
    for (const [name, value] of wanted.scalar ?? []) if (!ignored(name) && value > (has.scalar?.get(name) ?? 0)) return false;
    return true;
  };

  return {
    name: 'NodeResourcesFit',
    local: true,
    events: () => [
      {
        event: { resource: 'Pod', actions: action.delete | action.podScaleDown },
        hint: (pod, old: Pod | undefined, now: Pod | undefined) => {
          if (!now) return old?.spec?.nodeName || old?.status?.nominatedNodeName ? 'queue' : 'skip';
          return now.metadata?.uid === pod.metadata?.uid || now.spec?.nodeName ? 'queue' : 'skip';
        },
      },
      {
        event: { resource: 'Node', actions: action.add | action.nodeAllocatable },
        hint: (pod, _old, now: Node | undefined) => (now && couldFit(pod, now) ? 'queue' : 'skip'),
      },
    ],
    filter: (_state, pod, node) => filter(pod, node, ignored),
    score(_state, pod, node) {
      let total = 0;
      let weights = 0;
      for (const { name, weight } of resources) {
        const request = requestOf(pod, name, nonZero);
        if (request === 0 && isScalar(name)) continue;
        const allocatable = allocatableOf(node, name);
        if (allocatable === 0) continue;
        const points = score(usedOf(node, name, nonZero) + request, allocatable);
        if (byRatio && points <= 0) continue;
        total += points * weight;
        weights += weight;
      }
      if (weights === 0) return 0;
      return byRatio ? Math.round(total / weights) : Math.trunc(total / weights);
    },
  };
};
