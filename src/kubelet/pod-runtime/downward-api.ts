/** Values of the pod itself for environments and volumes. upstream: pkg/fieldpath, pkg/api/v1/resource, kubelet_pods.go podFieldSelectorRuntimeValue. */
import type { Container, Pod, ResourceFieldSelector } from '#api';
import { milliValue, value } from '#machinery/quantity';
import { containerOf, nameOf, namespaceOf, podLevelResources, specOf, uidOf } from '../pod-spec.ts';

export interface PodAddresses {
  podIps: readonly string[];
  nodeIps: readonly string[];
}

/** How Go quotes a string in %q. */
const quote = (text: string): string => JSON.stringify(text);

function formatMap(map: Record<string, string> | undefined): string {
  return Object.keys(map ?? {})
    .toSorted()
    .map((key) => `${key}=${quote(map![key]!)}`)
    .join('\n');
}

/** Throws with upstream's text for a path that there is none. */
export function fieldValue(path: string, pod: Pod, { podIps, nodeIps }: PodAddresses): string {
  const subscript = /^(metadata\.(?:annotations|labels))\['(.*)'\]$/.exec(path);
  if (subscript) return pod.metadata?.[subscript[1] === 'metadata.labels' ? 'labels' : 'annotations']?.[subscript[2]!] ?? '';
  switch (path) {
    case 'metadata.name':
      return nameOf(pod);
    case 'metadata.namespace':
      return namespaceOf(pod);
    case 'metadata.uid':
      return uidOf(pod);
    case 'metadata.labels':
      return formatMap(pod.metadata?.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata?.annotations);
    case 'spec.nodeName':
      return specOf(pod).nodeName ?? '';
    case 'spec.serviceAccountName':
      return specOf(pod).serviceAccountName ?? '';
    case 'spec.host':
      return specOf(pod).nodeName ?? '';
    case 'status.hostIP':
      return nodeIps[0] ?? '';
    case 'status.hostIPs':
      return nodeIps.join(',');
    case 'status.podIP':
      return podIps[0] ?? '';
    case 'status.podIPs':
      return podIps.join(',');
    default:
      throw new Error(`unsupported fieldPath: ${path}`);
  }
}

/** What the node could give, for limits that are not set. */
export interface Allocatable {
  cpuMilli: number;
  memoryBytes: number;
  ephemeralStorageBytes: number;
}

/** The divisor's unit, rounded up. */
function divided(amount: number, divisor: number): string {
  return String(Math.ceil(amount / divisor));
}

export function resourceValue(selector: ResourceFieldSelector, pod: Pod, own: Container, allocatable: Allocatable): string {
  const container = selector.containerName ? containerOf(pod, selector.containerName) : own;
  if (!container) throw new Error(`container ${selector.containerName} not found`);
  const limits = container.resources?.limits as Record<string, string> | undefined;
  const requests = container.resources?.requests as Record<string, string> | undefined;
  const podLimits = podLevelResources(pod)?.limits as Record<string, string> | undefined;
  const limit = (name: string): string | undefined =>
    value(limits?.[name]) || milliValue(limits?.[name]) ? limits![name] : podLimits?.[name];
  const divisor = selector.divisor === undefined || value(selector.divisor as string) === 0 ? undefined : (selector.divisor as string);
  const milliDivisor = divisor === undefined ? 1000 : milliValue(divisor);
  const unit = divisor === undefined ? 1 : value(divisor);
  switch (selector.resource) {
    case 'limits.cpu':
      return divided(milliValue(limit('cpu')) || allocatable.cpuMilli, milliDivisor);
    case 'limits.memory':
      return divided(value(limit('memory')) || allocatable.memoryBytes, unit);
    case 'limits.ephemeral-storage':
      return divided(value(limits?.['ephemeral-storage']) || allocatable.ephemeralStorageBytes, unit);
    case 'requests.cpu':
      return divided(milliValue(requests?.['cpu']), milliDivisor);
    case 'requests.memory':
      return divided(value(requests?.['memory']), unit);
    case 'requests.ephemeral-storage':
      return divided(value(requests?.['ephemeral-storage']), unit);
    default:
      break;
  }
  const [list, ...rest] = selector.resource.split('.');
  const name = rest.join('.');
  if (name.startsWith('hugepages-')) return divided(value((list === 'limits' ? limits : requests)?.[name]), unit);
  throw new Error(`unsupported container resource : ${selector.resource}`);
}
