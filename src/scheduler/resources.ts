/**
 * Requests and capacities as plain numbers: CPU in thousandths, everything else in units (bytes).
 * upstream: component-helpers/resource (PodRequests), pkg/scheduler/framework Resource.
 */
import type { Container, Pod } from '#api';

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

const binary: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 };
const decimal: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const parsed = new Map<string, number>();

/** A quantity times 10^power, rounded up to a whole number. Exact for what a double holds. Anything unreadable is 0. */
export function quantityValue(value: string | number, power = 0): number {
  if (typeof value === 'number') return Math.ceil(power === 0 ? value : Number((value * 10 ** power).toPrecision(15)));
  const key = power === 0 ? value : `${value}^${power}`;
  let result = parsed.get(key);
  if (result === undefined) {
    result = parse(value, power);
    if (parsed.size > 10_000) parsed.clear();
    parsed.set(key, result);
  }
  return result;
}

function parse(text: string, power: number): number {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/.exec(text.trim());
  if (!match) return 0;
  const [, sign, whole = '', fraction = '', suffix = ''] = match;
  const digits = Number(`${whole}${fraction}` || '0');
  const factor = binary[suffix];
  const exponent = power - fraction.length + (factor === undefined ? (decimal[suffix] ?? Number(suffix.slice(1))) : 0);
  let value = digits * (factor ?? 1);
  value = exponent >= 0 ? value * 10 ** exponent : value / 10 ** -exponent;
  return Math.ceil(sign === '-' ? -value : value);
}

const emptyResources = (): Resources => ({ milliCpu: 0, memory: 0, ephemeralStorage: 0 });

export function resourcesOf(list: Requirements | undefined): Resources {
  const result = emptyResources();
  for (const name in list) {
    const value = list[name]!;
    if (name === 'cpu') result.milliCpu = quantityValue(value, 3);
    else if (name === 'memory') result.memory = quantityValue(value);
    else if (name === 'ephemeral-storage') result.ephemeralStorage = quantityValue(value);
    else if (name !== 'pods') (result.scalar ??= new Map()).set(name, quantityValue(value));
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
