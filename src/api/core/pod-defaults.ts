/** Defaults that only pods get, not templates of pods. upstream: SetDefaults_Pod. */
import type { Container, Pod } from '../facts/types.ts';
import { defaultPodSpec } from './pod-spec-defaults.ts';
import { aggregateResources, isHugePages, isOvercommitAllowed, isPodLevelResource } from './resource-list.ts';

/** Changes `pod`; idempotent. */
export function defaultPod(pod: Pod): void {
  const spec = (pod.spec ??= { containers: [] });
  for (const container of spec.containers ?? []) requestWhatIsLimited(container);
  for (const container of spec.initContainers ?? []) requestWhatIsLimited(container);
  if (spec.resources) defaultPodResources(pod);
  spec.enableServiceLinks ??= true;
  if (spec.hostNetwork) {
    hostPorts(spec.containers);
    hostPorts(spec.initContainers);
  }
  defaultPodSpec(spec);
  if (spec.terminationGracePeriodSeconds! < 0) spec.terminationGracePeriodSeconds = 1;
  const { status } = pod;
  if (!status) return;
  // The one address and the list of addresses always agree; the one wins. upstream: Convert_v1_PodStatus_To_core_PodStatus.
  if (status.podIP && status.podIP !== status.podIPs?.[0]?.ip) status.podIPs = [{ ip: status.podIP }];
  else if (!status.podIP && status.podIPs?.length) status.podIP = status.podIPs[0]!.ip;
}

function requestWhatIsLimited({ resources }: Container): void {
  if (!resources?.limits) return;
  const requests = (resources.requests ??= {});
  for (const name in resources.limits) requests[name] ??= resources.limits[name]!;
}

function hostPorts(containers: Container[] | undefined): void {
  for (const { ports } of containers ?? []) for (const port of ports ?? []) if (!port.hostPort) port.hostPort = port.containerPort;
}

/** What a pod asks for as a whole follows from its containers where it does not say. upstream: defaultHugePagePodLimits, defaultPodRequests. */
function defaultPodResources(pod: Pod): void {
  const resources = pod.spec!.resources!;
  const given = Object.keys(resources.limits ?? {}).length + Object.keys(resources.requests ?? {}).length;
  if (given > 0) {
    const limits = aggregateResources(pod, 'limits');
    for (const name in limits)
      if (isHugePages(name) && resources.requests?.[name] === undefined) (resources.limits ??= {})[name] ??= limits[name]!;
  }
  if (Object.keys(resources.limits ?? {}).length === 0) return;
  const requests = { ...resources.requests };
  const needed = aggregateResources(pod, 'requests');
  for (const name in needed) if (isPodLevelResource(name) && isOvercommitAllowed(name)) requests[name] ??= needed[name]!;
  for (const name in resources.limits) if (isPodLevelResource(name)) requests[name] ??= resources.limits[name]!;
  if (Object.keys(requests).length > 0) resources.requests = requests;
}
