/** What NodeResourcesFit and NodeResourcesBalancedAllocation share: a resource's allocatable and would-be use on a node. upstream: plugins/noderesources/resource_allocation.go. */
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';

export interface ResourceWeight {
  name: string;
  weight: number;
}

export const defaultResources: readonly ResourceWeight[] = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
];

export const resourceWeights = (resources: readonly Partial<ResourceWeight>[] | undefined): readonly ResourceWeight[] =>
  resources?.length ? resources.map(({ name = '', weight }) => ({ name, weight: weight || 1 })) : defaultResources;

export const isScalar = (name: string): boolean => !['cpu', 'memory', 'ephemeral-storage', 'pods'].includes(name);

/** `nonZero`: pods without requests count with defaults. */
export function requestOf(pod: PodInfo, name: string, nonZero: boolean): number {
  const from = nonZero ? pod.nonZero : pod.requests;
  switch (name) {
    case 'cpu':
      return from.milliCpu;
    case 'memory':
      return from.memory;
    case 'ephemeral-storage':
      return from.ephemeralStorage;
    default:
      return from.scalar?.get(name) ?? 0;
  }
}

export function allocatableOf({ columns, row, allocatableScalar }: NodeInfo, name: string): number {
  switch (name) {
    case 'cpu':
      return columns.allocatableMilliCpu[row]!;
    case 'memory':
      return columns.allocatableMemory[row]!;
    case 'ephemeral-storage':
      return columns.allocatableEphemeralStorage[row]!;
    default:
      return allocatableScalar?.get(name) ?? 0;
  }
}

export function usedOf({ columns, row, requestedScalar }: NodeInfo, name: string, nonZero: boolean): number {
  switch (name) {
    case 'cpu':
      return nonZero ? columns.nonZeroMilliCpu[row]! : columns.requestedMilliCpu[row]!;
    case 'memory':
      return nonZero ? columns.nonZeroMemory[row]! : columns.requestedMemory[row]!;
    case 'ephemeral-storage':
      return columns.requestedEphemeralStorage[row]!;
    default:
      return requestedScalar.get(name) ?? 0;
  }
}
