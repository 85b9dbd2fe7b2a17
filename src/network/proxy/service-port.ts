/** A port of a Service as one IP family sees it. upstream: pkg/proxy/serviceport.go. */
import type { Service, ServicePort as ApiServicePort } from '#api';
import { isIPv4, isIPv6, parseNetworkLoosely } from '#machinery/ip';
import { keyOf } from '#machinery/meta';

export type Family = 'IPv4' | 'IPv6';

export interface ServicePort {
  /** "namespace/name". */
  service: string;
  portName: string;
  protocol: 'tcp' | 'udp' | 'sctp';
  clusterIp: string;
  port: number;
  nodePort: number;
  externalIps: string[];
  loadBalancerIps: string[];
  loadBalancerSourceRanges: string[];
  internalLocal: boolean;
  externalLocal: boolean;
  /** Seconds a client stays with its endpoint; 0: no affinity. */
  affinitySeconds: number;
  healthCheckNodePort: number;
}

/** Another proxy serves it, or none should. */
const otherProxyLabel = 'service.kubernetes.io/service-proxy-name';
const headlessLabel = 'service.kubernetes.io/headless';

export const isProxied = (labels: Record<string, string> | undefined): boolean =>
  labels?.[otherProxyLabel] === undefined && labels?.[headlessLabel] === undefined;

export const isOfFamily = (family: Family, ip: string): boolean => (family === 'IPv4' ? isIPv4(ip) : isIPv6(ip));

const rangeOfFamily = (family: Family, range: string): boolean => {
  const network = parseNetworkLoosely(range.trim());
  return network !== undefined && isOfFamily(family, range.trim().split('/')[0]!);
};

export function isExternallyAccessible(port: ServicePort): boolean {
  return port.nodePort !== 0 || port.loadBalancerIps.length > 0 || port.externalIps.length > 0;
}

/** The ports of a Service in a family; none when it has no address there or is not for this proxy. */
export function servicePorts(service: Service, family: Family): ServicePort[] {
  const spec = service.spec;
  if (!spec || spec.type === 'ExternalName' || !isProxied(service.metadata?.labels)) return [];
  const ips = spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP ?? ''];
  const clusterIp = ips.find((ip) => ip && ip !== 'None' && isOfFamily(family, ip));
  if (!clusterIp) return [];
  const external = spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.externalIPs?.length ?? 0) > 0;
  const common = {
    service: keyOf(service),
    clusterIp,
    externalIps: (spec.externalIPs ?? []).filter((ip) => isOfFamily(family, ip)),
    loadBalancerIps: (service.status?.loadBalancer?.ingress ?? [])
      .filter(({ ip, ipMode }) => ip && (ipMode ?? 'VIP') === 'VIP' && isOfFamily(family, ip))
      .map(({ ip }) => ip!),
    loadBalancerSourceRanges: (spec.loadBalancerSourceRanges ?? [])
      .map((range) => range.trim())
      .filter((range) => rangeOfFamily(family, range)),
    internalLocal: spec.internalTrafficPolicy === 'Local',
    externalLocal: external && spec.externalTrafficPolicy === 'Local',
    affinitySeconds: spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : 0,
    healthCheckNodePort: spec.externalTrafficPolicy === 'Local' ? (spec.healthCheckNodePort ?? 0) : 0,
  };
  return (spec.ports ?? []).map((port: ApiServicePort) => ({
    ...common,
    portName: port.name ?? '',
    protocol: (port.protocol ?? 'TCP').toLowerCase() as ServicePort['protocol'],
    port: port.port,
    nodePort: port.nodePort ?? 0,
  }));
}
