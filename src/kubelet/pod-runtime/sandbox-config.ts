import type { Pod } from '#api';
import type { LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxConfig, PortMapping, Protocol, UserNamespace } from '#runtime';
import { containersOf, initContainersOf, isHostNetwork, isSidecar, nameOf, namespaceOf, specOf, uidOf } from '../pod-spec.ts';
import { podLimits, podRequests } from '../pod-resources.ts';
import { cpuPeriod, milliToQuota, milliToShares } from '../resources/cpu.ts';
import type { ResolverSettings } from './dns.ts';
import { podDns } from './dns.ts';
import { kernelHostname } from './hostname.ts';
import { sandboxLabels } from './labels.ts';
import { podLogDirectory } from './paths.ts';
import { sandboxSecurityContext } from './security-context.ts';

export interface SandboxSource {
  resolver: ResolverSettings;
  podLogsDirectory: string;
  cgroupParent: string;
  extraGroups: readonly number[];
  users?: UserNamespace | undefined;
}

/** Ports of the node that the pod takes. Two for one container port each with the same protocol are one. */
function portMappings(pod: Pod): PortMapping[] {
  const mappings: PortMapping[] = [];
  for (const container of [...initContainersOf(pod).filter(isSidecar), ...containersOf(pod)])
    for (const port of container.ports ?? []) {
      if (!port.hostPort && isHostNetwork(pod)) continue;
      mappings.push({
        protocol: (port.protocol ?? 'TCP') as Protocol,
        containerPort: port.containerPort,
        hostPort: port.hostPort ?? 0,
        hostIp: port.hostIP ?? '',
      });
    }
  return mappings;
}

function sandboxResources(amounts: { cpu: number; cpuLimit: number; memory: number }): LinuxContainerResources {
  return {
    cpuShares: milliToShares(amounts.cpu),
    ...(amounts.cpuLimit && { cpuQuota: milliToQuota(amounts.cpuLimit), cpuPeriod }),
    ...(amounts.memory && { memoryLimitInBytes: amounts.memory }),
  };
}

/** upstream: pkg/kubelet/kuberuntime/kuberuntime_sandbox.go generatePodSandboxConfig. */
export function sandboxConfig(pod: Pod, attempt: number, source: SandboxSource): PodSandboxConfig {
  const sysctls = Object.fromEntries(
    (specOf(pod).securityContext?.sysctls ?? []).map(({ name, value }) => [name.replaceAll('/', '.'), value]),
  );
  const requests = podRequests(pod);
  const limits = podLimits(pod);
  const mappings = portMappings(pod);
  const linux: LinuxPodSandboxConfig = {
    cgroupParent: source.cgroupParent,
    securityContext: sandboxSecurityContext(pod, source.extraGroups, source.users),
    sysctls,
    resources: sandboxResources({
      cpu: requests.get('cpu')?.milliValue() ?? 0,
      cpuLimit: limits.get('cpu')?.milliValue() ?? 0,
      memory: limits.get('memory')?.value() ?? 0,
    }),
  };
  return {
    metadata: { name: nameOf(pod), namespace: namespaceOf(pod), uid: uidOf(pod), attempt },
    ...(!isHostNetwork(pod) && { hostname: kernelHostname(pod, source.resolver.clusterDomain) }),
    logDirectory: podLogDirectory(source.podLogsDirectory, pod),
    dnsConfig: podDns(pod, source.resolver),
    ...(mappings.length && { portMappings: mappings }),
    labels: sandboxLabels(pod),
    annotations: pod.metadata?.annotations ?? {},
    linux,
  };
}
