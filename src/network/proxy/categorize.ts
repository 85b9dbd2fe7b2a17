/** Which endpoints serve which traffic on this node. upstream: pkg/proxy/topology.go. */
import type { Endpoint } from './endpoints.ts';
import { isExternallyAccessible } from './service-port.ts';
import type { ServicePort } from './service-port.ts';

export interface Categorized {
  /** For traffic whose policy is Cluster. */
  cluster: Endpoint[];
  /** For traffic whose policy is Local. */
  local: Endpoint[];
  /** Every endpoint that some rule of this node leads to. */
  reachable: Endpoint[];
  /** Some endpoint somewhere could serve. */
  any: boolean;
}

type Topology = 'node' | 'zone' | undefined;

/** Hints count only when every ready endpoint has them and one of them is for here. */
function topologyOf(endpoints: readonly Endpoint[], nodeName: string, zone: string): Topology {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  const hinted = (hints: 'nodeHints' | 'zoneHints', here: string): boolean =>
    ready.length > 0 && ready.every((endpoint) => endpoint[hints].length > 0) && ready.some((endpoint) => endpoint[hints].includes(here));
  if (hinted('nodeHints', nodeName)) return 'node';
  return zone && hinted('zoneHints', zone) ? 'zone' : undefined;
}

const lastResort = (endpoint: Endpoint): boolean => endpoint.serving && endpoint.terminating;

export function categorize(endpoints: readonly Endpoint[], port: ServicePort, nodeName: string, zone: string): Categorized {
  const external = isExternallyAccessible(port);
  const usesCluster = !port.internalLocal || external;
  const usesLocal = port.internalLocal || (port.externalLocal && external);
  let cluster: Endpoint[] = [];
  let topology: Topology;
  if (usesCluster) {
    topology = topologyOf(endpoints, nodeName, zone);
    cluster = endpoints.filter(
      (endpoint) =>
        endpoint.ready &&
        (topology === undefined || (topology === 'node' ? endpoint.nodeHints.includes(nodeName) : endpoint.zoneHints.includes(zone))),
    );
    if (cluster.length === 0) cluster = endpoints.filter(lastResort);
  }
  if (!usesLocal) return { cluster, local: [], reachable: cluster, any: cluster.length > 0 };
  const any = cluster.length > 0 || endpoints.some((endpoint) => endpoint.ready || lastResort(endpoint));
  let local = endpoints.filter((endpoint) => endpoint.local && endpoint.ready);
  if (local.length === 0) local = endpoints.filter((endpoint) => endpoint.local && lastResort(endpoint));
  return { cluster, local, reachable: [...new Set([...cluster, ...local])], any };
}
