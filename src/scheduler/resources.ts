/**
 * Requests and capacities as plain numbers: CPU in thousandths, everything else in units (bytes).
 * upstream: component-helpers/resource (PodRequests), pkg/scheduler/framework Resource.
 */
import type { Container, Pod } from '#api';
import { milliValue, value } from '#machinery/quantity';

export interface Resources {
  milliCpu: number;
  memory: number;
  ephemeralStorage: number;
  /** Extended resources, huge pages, attachable volumes. Absent when there are none. */
  scalar?: Map<string, number>;
}

/** What scoring takes a container without a request to use. upstream: pkg/scheduler/util/pod_resources.go. */
export const defaultMilliCpuRequest = 100;
export const defaultMemoryRequest = 200 * 1024 * 1024;

type Requirements = Record<string, string | number>;

const parsed = new Map<string | number, number>();
const parsedMilli = new Map<string | number, number>();

/** A quantity in units, or in thousandths, rounded up; as a number, remembered. */
export function quantityValue(quantity: string | number, unit: 'units' | 'thousandths' = 'units'): number {
  const known = unit === 'units' ? parsed : parsedMilli;
  let result = known.get(quantity);
  if (result === undefined) {
    result = unit === 'units' ? value(quantity) : milliValue(quantity);
    if (known.size > 10_000) known.clear();
    known.set(quantity, result);
  }
  return result;
}

const emptyResources = (): Resources => ({ milliCpu: 0, memory: 0, ephemeralStorage: 0 });

export function resourcesOf(list: Requirements | undefined): Resources {
  const result = emptyResources();
  for (const name in list) {
    const amount = list[name]!;
    if (name === 'cpu') result.milliCpu = quantityValue(amount, 'thousandths');
    else if (name === 'memory') result.memory = quantityValue(amount);
    else if (name === 'ephemeral-storage') result.ephemeralStorage = quantityValue(amount);
    else if (name !== 'pods') (result.scalar ??= new Map()).set(name, quantityValue(amount));
  }
  return result;
}

function combine(target: Resources, other: Resources, pick: (a: number, b: number) => number): void {
  target.milliCpu = pick(target.milliCpu, other.milliCpu);
  target.memory = pick(target.memory, other.memory);
  target.ephemeralStorage = pick(target.ephemeralStorage, other.ephemeralStorage);
  if (!other.scalar) return;
  target.scalar ??= new Map();
  for (const [name, value] of other.scalar) target.scalar.set(name, pick(target.scalar.get(name) ?? 0, value));
}

const sum = (a: number, b: number): number => a + b;

export interface RequestOptions {
  /** Count what resizing containers actually hold, as for pods that run already. */
  fromStatus?: boolean;
  /** Count containers without requests with scoring's defaults. */
  nonZero?: boolean;
}

function containerRequests(container: Container, pod: Pod, options: RequestOptions, infeasible: boolean): Resources {
  const result = resourcesOf(container.resources?.requests);
  if (options.fromStatus) {
    const status =
      pod.status?.containerStatuses?.find((entry) => entry.name === container.name) ??
      pod.status?.initContainerStatuses?.find((entry) => entry.name === container.name);
    if (status && (status.resources ?? status.allocatedResources)) {
      const held = resourcesOf(status.resources?.requests);
      combine(held, resourcesOf(status.allocatedResources), Math.max);
      if (infeasible) return held;
      combine(result, held, Math.max);
    }
  }
  if (options.nonZero) {
    const requests = container.resources?.requests;
    if (requests?.['cpu'] === undefined) result.milliCpu = defaultMilliCpuRequest;
    if (requests?.['memory'] === undefined) result.memory = defaultMemoryRequest;
  }
  return result;
}

/**
 * What a pod asks of a node: containers and sidecars together, or the largest initialization step where that is more; pod-level
 * requests stand in for cpu, memory and huge pages; overhead comes on top.
 */
export function podRequests(pod: Pod, options: RequestOptions = {}): Resources {
  const spec = pod.spec;
  const total = emptyResources();
  if (!spec) return total;
  const infeasible =
    options.fromStatus === true &&
    (pod.status?.conditions ?? []).some((condition) => condition.type === 'PodResizePending' && condition.reason === 'Infeasible');
  for (const container of spec.containers) combine(total, containerRequests(container, pod, options, infeasible), sum);
  if (spec.initContainers?.length) {
    const sidecars = emptyResources();
    const peak = emptyResources();
    for (const container of spec.initContainers) {
      const requests = containerRequests(container, pod, options, infeasible);
      if (container.restartPolicy === 'Always') {
        combine(total, requests, sum);
        combine(sidecars, requests, sum);
        combine(peak, sidecars, Math.max);
      } else {
        combine(requests, sidecars, sum);
        combine(peak, requests, Math.max);
      }
    }
    combine(total, peak, Math.max);
  }
  const podLevel = spec.resources?.requests;
  if (podLevel) {
    const level = resourcesOf(podLevel);
    if (podLevel['cpu'] !== undefined) total.milliCpu = level.milliCpu;
    if (podLevel['memory'] !== undefined) total.memory = level.memory;
    for (const [name, value] of level.scalar ?? []) if (name.startsWith('hugepages-')) (total.scalar ??= new Map()).set(name, value);
  }
  if (spec.overhead) combine(total, resourcesOf(spec.overhead), sum);
  return total;
}
