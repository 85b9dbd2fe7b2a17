import type { EndpointSlice, Node, Pod, Service } from '#api';
import { canonicalIP, isIPv6 } from '#machinery/ip';
import { equal } from '#machinery/meta';
import type { ServicePort } from '../api-types.ts';
import { isPodReady, isPodTerminal } from '../pods.ts';

export type Endpoint = EndpointSlice['endpoints'][number];
export type EndpointPort = NonNullable<EndpointSlice['ports']>[number];
export type AddressType = 'IPv4' | 'IPv6';

/** upstream: endpointslice/util ShouldPodBeInEndpoints. */
export const belongsInEndpoints = (pod: Pod, includeTerminating: boolean): boolean =>
  !isPodTerminal(pod) &&
  (Boolean(pod.status?.podIP) || Boolean(pod.status?.podIPs?.length)) &&
  (includeTerminating || !pod.metadata!.deletionTimestamp);

const addresses = new WeakMap<object, string[]>();

/** A pod's addresses in their canonical form. Cached by the status, which never changes. */
export function addressesOf({ status }: Pod): string[] {
  if (!status) return [];
  let found = addresses.get(status);
  if (!found) {
    const given = status.podIPs?.length ? status.podIPs.map(({ ip }) => ip) : status.podIP ? [status.podIP] : [];
    addresses.set(status, (found = given.map((address) => canonicalIP(address) ?? address)));
  }
  return found;
}

export const setsHostname = (pod: Pod, service: Service): boolean =>
  Boolean(pod.spec?.hostname) && pod.spec?.subdomain === service.metadata!.name && pod.metadata!.namespace === service.metadata!.namespace;

export const isHeadless = (service: Service): boolean => !service.spec?.clusterIP || service.spec.clusterIP === 'None';

/** The number of the container port that a service port leads to in a pod. upstream: endpointslice FindPort. */
export function targetPort(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number') return target === 0 ? port.port : target;
  const protocol = port.protocol ?? 'TCP';
  const sidecars = (pod.spec?.initContainers ?? []).filter((container) => container.restartPolicy === 'Always');
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars])
    for (const each of container.ports ?? []) if (each.name === target && (each.protocol ?? 'TCP') === protocol) return each.containerPort;
  return undefined;
}

/** The ports of a service as a pod has them; a port that the pod does not name is left out. */
export function endpointPorts(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const port of service.spec?.ports ?? []) {
    const number = targetPort(pod, port);
    if (number === undefined) continue;
    ports.push({
      name: port.name ?? '',
      port: number,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol !== undefined && { appProtocol: port.appProtocol }),
    });
  }
  return ports;
}

/** Slices with the same key have the same ports. */
export const portsKey = (ports: readonly EndpointPort[] | undefined): string =>
  (ports ?? [])
    .map(({ name = '', port = 0, protocol = 'TCP', appProtocol = '' }) => `${name}/${port}/${protocol}/${appProtocol}`)
    .toSorted()
    .join(',');

/** What makes two endpoints the same one, whatever its state. */
export const endpointKey = ({ addresses, hostname, targetRef }: Endpoint): string =>
  [addresses.toSorted().join(','), hostname ?? '', targetRef?.namespace ?? '', targetRef?.name ?? ''].join('|');

/** upstream: endpointslice/util EndpointsEqualBeyondHash. */
export const sameState = (a: Endpoint, b: Endpoint): boolean => {
  const state = ({ nodeName, zone, conditions, targetRef }: Endpoint): unknown => ({
    nodeName,
    zone,
    conditions: conditions ?? {},
    targetRef: targetRef && { kind: targetRef.kind, namespace: targetRef.namespace, name: targetRef.name, uid: targetRef.uid },
  });
  return equal(state(a), state(b));
};

/** upstream: endpointslice podToEndpoint. */
export function endpointOf(pod: Pod, node: Node | undefined, service: Service, addressType: AddressType): Endpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata!.deletionTimestamp !== undefined;
  const zone = node?.metadata?.labels?.['topology.kubernetes.io/zone'];
  const { name, namespace, uid } = pod.metadata!;
  return {
    addresses: addressesOf(pod).filter((address) => address.includes(':') === (addressType === 'IPv6')),
    conditions: { ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...(setsHostname(pod, service) && { hostname: pod.spec!.hostname! }),
    targetRef: { kind: 'Pod', namespace: namespace!, name: name!, uid: uid! },
    ...(pod.spec?.nodeName && { nodeName: pod.spec.nodeName }),
    ...(zone && { zone }),
  };
}

export function addressTypes(service: Service): Set<AddressType> {
  const families = (service.spec?.ipFamilies ?? []) as AddressType[];
  if (families.length) return new Set(families);
  if (!isHeadless(service)) return new Set([isIPv6(service.spec!.clusterIP!) ? 'IPv6' : 'IPv4']);
  return new Set(['IPv4', 'IPv6']);
}
