/** Amounts by resource name, as requests and limits hold them. upstream: SetDefaults_ResourceList, component-helpers/resource. */
import { addQuantities, canonicalize, compareQuantities, isQuantity, parseQuantity, QuantityError } from '#machinery/quantity';
import type { Container, Pod, Quantity } from '../facts/types.ts';

export type ResourceList = Record<string, Quantity>;

const nanosInMilli = 1_000_000n;

/** Writes every amount the canonical way, rounded up to thousandths. What cannot be read stays: validation names it. Changes `list`. */
export function canonicalResources(list: ResourceList): void {
  for (const name in list) {
    const given = list[name] as string | number;
    try {
      const parsed = parseQuantity(given);
      const text = parsed.nanos % nanosInMilli === 0n ? canonicalize(given) : roundedUp(parsed.nanos);
      if (text !== given) list[name] = text;
    } catch (error) {
      if (!(error instanceof QuantityError)) throw error;
    }
  }
}

function roundedUp(nanos: bigint): string {
  const whole = nanos / nanosInMilli;
  return canonicalize(`${nanos > 0n ? whole + 1n : whole - 1n}m`);
}

/** Adds `more` to `sum`, which it changes. What is no quantity is left out: validation names it. */
export function addResources(sum: ResourceList, more: ResourceList | undefined): void {
  for (const name in more)
    if (isQuantity(more[name])) sum[name] = sum[name] === undefined ? more[name]! : addQuantities(sum[name], more[name]!);
}

function raiseResources(floor: ResourceList, list: ResourceList): void {
  for (const name in list) if (floor[name] === undefined || compareQuantities(list[name]!, floor[name]) > 0) floor[name] = list[name]!;
}

/**
 * What a pod's containers need together: the sum of the containers and sidecars, or what its hungriest init container needs beside
 * the sidecars started before it. upstream: AggregateContainerRequests, AggregateContainerLimits.
 */
export function aggregateResources(pod: Pod, of: 'requests' | 'limits'): ResourceList {
  const sum: ResourceList = {};
  for (const container of pod.spec?.containers ?? []) addResources(sum, container.resources?.[of]);
  const sidecars: ResourceList = {};
  const highest: ResourceList = {};
  for (const container of pod.spec?.initContainers ?? []) {
    const own = container.resources?.[of];
    if (isSidecar(container)) {
      addResources(sum, own);
      addResources(sidecars, own);
      raiseResources(highest, sidecars);
    } else {
      const together: ResourceList = {};
      addResources(together, own);
      addResources(together, sidecars);
      raiseResources(highest, together);
    }
  }
  raiseResources(sum, highest);
  return sum;
}

/** An init container that runs on beside the pod's containers. */
export const isSidecar = (container: Container | undefined): boolean => container?.restartPolicy === 'Always';

export const isHugePages = (name: string): boolean => name.startsWith('hugepages-');

/** upstream: corev1helper.IsNativeResource. */
export const isNativeResource = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');

/** upstream: corev1helper.IsOvercommitAllowed. */
export const isOvercommitAllowed = (name: string): boolean => isNativeResource(name) && !isHugePages(name);

/** What a pod may ask for as a whole. upstream: resourcehelper.IsSupportedPodLevelResource. */
export const isPodLevelResource = (name: string): boolean => name === 'cpu' || name === 'memory' || isHugePages(name);

/** The compute amounts above zero of `list`, added to `sum`; answers whether both cpu and memory are among them. */
function addCompute(sum: ResourceList, list: ResourceList | undefined): boolean {
  let found = 0;
  for (const name of ['cpu', 'memory']) {
    const amount = list?.[name];
    if (!isQuantity(amount) || parseQuantity(amount!).sign() <= 0) continue;
    found++;
    sum[name] = sum[name] === undefined ? amount! : addQuantities(sum[name], amount!);
  }
  return found === 2;
}

export type QosClass = 'BestEffort' | 'Burstable' | 'Guaranteed';

/** upstream: pkg/apis/core/v1/helper/qos ComputePodQOS. */
export function qosClass(pod: Pod): QosClass {
  const requests: ResourceList = {};
  const limits: ResourceList = {};
  let guaranteed = true;
  const whole = pod.spec?.resources;
  if (whole) {
    addCompute(requests, whole.requests);
    if (whole.limits && Object.keys(whole.limits).length > 0 && !addCompute(limits, whole.limits)) guaranteed = false;
  } else {
    for (const containers of [pod.spec?.containers, pod.spec?.initContainers])
      for (const { resources } of containers ?? []) {
        addCompute(requests, resources?.requests);
        if (!addCompute(limits, resources?.limits)) guaranteed = false;
      }
  }
  const asked = Object.keys(requests);
  if (asked.length === 0 && Object.keys(limits).length === 0) return 'BestEffort';
  if (!guaranteed || asked.length !== Object.keys(limits).length) return 'Burstable';
  return asked.every((name) => limits[name] !== undefined && compareQuantities(requests[name]!, limits[name]) === 0)
    ? 'Guaranteed'
    : 'Burstable';
}
