import type { Service } from '#api';
import { equal } from '#machinery/meta';

const needsAddress = ({ spec }: Service): boolean => spec!.type !== 'ExternalName';
const needsNodePort = ({ spec }: Service): boolean =>
  spec!.type === 'NodePort' || (spec!.type === 'LoadBalancer' && (spec!.allocateLoadBalancerNodePorts ?? true));
/** upstream: pkg/api/service NeedsHealthCheck. */
export const needsHealthCheckPort = ({ spec }: Service): boolean =>
  spec!.type === 'LoadBalancer' && spec!.externalTrafficPolicy === 'Local';

/** What was allocated and the client left out is as it was. upstream: patchAllocatedValues. */
export function keepAllocated(service: Service, old: Service): void {
  const spec = service.spec!;
  const before = old.spec!;
  if (needsAddress(old) && needsAddress(service)) {
    if (!spec.clusterIP && before.clusterIP) spec.clusterIP = before.clusterIP;
    if (!spec.clusterIPs?.length && before.clusterIPs?.length) spec.clusterIPs = [...before.clusterIPs];
  }
  if (needsNodePort(old) && needsNodePort(service)) {
    const portsOf = ({ spec: some }: Service): number[] => (some!.ports ?? []).map((port) => port.nodePort ?? 0).filter((port) => port > 0);
    const kept = portsOf(old).filter((port) => portsOf(service).includes(port));
    const byName = new Map((before.ports ?? []).map((port) => [port.name ?? '', port.nodePort ?? 0]));
    for (const port of spec.ports ?? []) {
      const known = port.nodePort ? 0 : (byName.get(port.name ?? '') ?? 0);
      if (known && !kept.includes(known)) port.nodePort = known;
    }
  }
  if (needsHealthCheckPort(old) && needsHealthCheckPort(service) && !spec.healthCheckNodePort && before.healthCheckNodePort)
    spec.healthCheckNodePort = before.healthCheckNodePort;
}

/** Makes clusterIP and clusterIPs agree where the client changed one of them. upstream: normalizeClusterIPs. */
export function normalizeAddresses(service: Service, old: Service | undefined): void {
  const spec = service.spec!;
  if (!old) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
    return;
  }
  const before = old.spec!;
  const [now, then] = [spec.clusterIP ?? '', before.clusterIP ?? ''];
  if (before.clusterIPs?.length && !spec.clusterIPs?.length && now === then) spec.clusterIPs = [...before.clusterIPs];
  if (now === then || !equal(spec.clusterIPs ?? [], before.clusterIPs ?? [])) return;
  if (then && !now) delete spec.clusterIPs;
  else spec.clusterIPs = [now];
}
