/** The endpoints of Services as EndpointSlices list them. upstream: pkg/proxy/endpointslicecache.go. */
import type { EndpointSlice } from '#api';
import { isProxied } from './service-port.ts';
import type { Family } from './service-port.ts';

export interface Endpoint {
  ip: string;
  port: number;
  ready: boolean;
  serving: boolean;
  terminating: boolean;
  local: boolean;
  zoneHints: readonly string[];
  nodeHints: readonly string[];
}

export const serviceNameLabel = 'kubernetes.io/service-name';

/** "namespace/name" of the Service a slice belongs to; undefined for slices that are none of the proxy's business. */
export function serviceOf(slice: EndpointSlice): string | undefined {
  const name = slice.metadata?.labels?.[serviceNameLabel];
  return name && isProxied(slice.metadata?.labels) ? `${slice.metadata?.namespace}/${name}` : undefined;
}

/**
 * All endpoints of one port of a Service, from all its slices; one that is in several slices counts once, where it is ready.
 * In the order of their addresses, so that the same endpoints always make the same rules.
 */
export function endpointsOf(
  slices: readonly EndpointSlice[],
  family: Family,
  port: { portName: string; protocol: string },
  nodeName: string,
): Endpoint[] {
  const byAddress = new Map<string, Endpoint>();
  for (const slice of slices) {
    if (slice.addressType !== family) continue;
    for (const { name, protocol, port: number } of slice.ports ?? []) {
      if ((name ?? '') !== port.portName || (protocol ?? 'TCP').toLowerCase() !== port.protocol || !number) continue;
      for (const { addresses, conditions, nodeName: endpointNode, hints } of slice.endpoints ?? []) {
        const [ip] = addresses;
        if (!ip) continue;
        const ready = conditions?.ready ?? true;
        const key = `${ip} ${number}`;
        if (byAddress.get(key)?.ready && !ready) continue;
        byAddress.set(key, {
          ip,
          port: number,
          ready,
          serving: conditions?.serving ?? ready,
          terminating: conditions?.terminating ?? false,
          local: endpointNode === nodeName,
          zoneHints: (hints?.forZones ?? []).map((zone) => zone.name),
          nodeHints: (hints?.forNodes ?? []).map((node) => node.name),
        });
      }
    }
  }
  return [...byAddress].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}
