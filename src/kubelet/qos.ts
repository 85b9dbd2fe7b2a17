/** A pod's quality of service and what follows from it. upstream: pkg/apis/core/v1/helper/qos, pkg/kubelet/qos. */
import type { Container, Pod } from '#api';
import { milliValue, value } from '#machinery/quantity';
import type { Amounts } from './pod-resources.ts';
import { amountsOf } from './pod-resources.ts';
import { containersOf, initContainersOf, isCriticalPod, isSidecar, podLevelResources } from './pod-spec.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const counted = ['cpu', 'memory'];
const isZero = (amounts: Amounts, name: string): boolean => (amounts.get(name)?.milliValue() ?? 0) === 0;

export function qosOf(pod: Pod): QosClass {
  const pods = podLevelResources(pod);
  const sources = pods ? [pods] : [...containersOf(pod), ...initContainersOf(pod)].map((container) => container.resources ?? {});
  const requests = new Map<string, number>();
  const limits = new Map<string, number>();
  let guaranteed = true;
  for (const source of sources) {
    const wanted = amountsOf(source.requests as Record<string, string>);
    const bounded = amountsOf(source.limits as Record<string, string>);
    for (const name of counted) {
      if (!isZero(wanted, name)) requests.set(name, (requests.get(name) ?? 0) + wanted.get(name)!.milliValue());
      if (!isZero(bounded, name)) limits.set(name, (limits.get(name) ?? 0) + bounded.get(name)!.milliValue());
      else guaranteed = false;
    }
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  if (guaranteed) for (const [name, amount] of requests) if (limits.get(name) !== amount) guaranteed = false;
  return guaranteed && requests.size === limits.size ? 'Guaranteed' : 'Burstable';
}

/** Who dies first when memory runs out: -997 critical and guaranteed … 1000 best effort. upstream: qos.GetContainerOOMScoreAdjust. */
export function oomScoreAdjust(pod: Pod, container: Container, memoryCapacity: number): number {
  if (isCriticalPod(pod)) return -997;
  const qos = qosOf(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  let request = value(container.resources?.requests?.['memory'] as string | undefined);
  const pods = podLevelResources(pod);
  if (pods) {
    // Memory of the pod that no container asks for is shared among all of them.
    const containers = [...containersOf(pod), ...initContainersOf(pod)];
    const sum = containers.reduce((total, item) => total + value(item.resources?.requests?.['memory'] as string | undefined), 0);
    const remaining = value(pods.requests?.['memory'] as string | undefined) - sum;
    if (remaining > 0 && containers.length > 0) request += Math.floor(remaining / containers.length);
  }
  let adjust = 1000 - Math.floor((1000 * request) / memoryCapacity);
  if (isSidecar(container)) {
    // A sidecar is never killed before the containers it serves.
    const smallest = Math.min(...containersOf(pod).map((item) => value(item.resources?.requests?.['memory'] as string | undefined)));
    adjust = Math.min(adjust, 1000 - Math.floor((1000 * smallest) / memoryCapacity));
  }
  if (adjust < 1000 + -997) return 1000 + -997;
  return adjust === 1000 ? 999 : adjust;
}

export const cpuMilli = (resources: Record<string, unknown> | undefined): number => milliValue(resources?.['cpu'] as string | undefined);
export const memoryBytes = (resources: Record<string, unknown> | undefined): number => value(resources?.['memory'] as string | undefined);
