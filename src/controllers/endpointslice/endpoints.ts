import type { Endpoints, Pod, Service } from '#api';
import { Endpoints as EndpointsKind, Pod as PodKind, Service as ServiceKind } from '#api';
import { isIPv6 } from '#machinery/ip';
import { equal } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { isNamespaceTerminating, messageOf } from '../pod-control.ts';
import { isPodReady } from '../pods.ts';
import { matchesSet } from '../selector.ts';
import { addressesOf, belongsInEndpoints, isHeadless, setsHostname, targetPort } from './endpoint.ts';
import { endpointsMayChange, servicesOf } from './endpoint-slice.ts';
import { headlessLabel } from './reconcile.ts';
import type { Subset } from './subsets.ts';
import { repackSubsets } from './subsets.ts';

const managedByLabel = 'endpoints.kubernetes.io/managed-by';
const managedBy = 'endpoint-controller';
const overCapacity = 'endpoints.kubernetes.io/over-capacity';
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';
const capacity = 1000;

/** The pod's address in the service's first family. */
function addressFor(service: Service, pod: Pod): string | undefined {
  const family = service.spec?.ipFamilies?.[0] ?? (service.spec?.clusterIP && isIPv6(service.spec.clusterIP) ? 'IPv6' : 'IPv4');
  return addressesOf(pod).find((address) => address.includes(':') === (family === 'IPv6'));
}

function subsetsOf(service: Service, pods: readonly Pod[]): Subset[] {
  const tolerant = service.spec!.publishNotReadyAddresses === true;
  const subsets: Subset[] = [];
  for (const pod of pods) {
    const ip = addressFor(service, pod);
    if (!ip) continue;
    const { name, namespace, uid } = pod.metadata!;
    const address = {
      ip,
      ...(pod.spec!.nodeName && { nodeName: pod.spec!.nodeName }),
      ...(setsHostname(pod, service) && { hostname: pod.spec!.hostname! }),
      targetRef: { kind: 'Pod', namespace: namespace!, name: name!, uid: uid! },
    };
    const add = (ports: NonNullable<Subset['ports']>): void =>
      void subsets.push(tolerant || isPodReady(pod) ? { addresses: [address], ports } : { notReadyAddresses: [address], ports });
    if (!service.spec!.ports?.length) {
      if (service.spec!.clusterIP === 'None') add([]);
      continue;
    }
    for (const port of service.spec!.ports) {
      const number = targetPort(pod, port);
      if (number === undefined) continue;
      add([
        {
          ...(port.name && { name: port.name }),
          port: number,
          protocol: port.protocol ?? 'TCP',
          ...(port.appProtocol !== undefined && { appProtocol: port.appProtocol }),
        },
      ]);
    }
  }
  return repackSubsets(subsets);
}

/** At most a thousand addresses: ready ones first, each subset in proportion. */
function truncate(subsets: Subset[]): { subsets: Subset[]; truncated: boolean } {
  const count = (field: 'addresses' | 'notReadyAddresses'): number =>
    subsets.reduce((total, each) => total + (each[field]?.length ?? 0), 0);
  const ready = count('addresses');
  const notReady = count('notReadyAddresses');
  if (ready + notReady <= capacity) return { subsets, truncated: false };
  const cutReady = ready > capacity;
  const most = cutReady ? capacity : capacity - ready;
  const total = cutReady ? ready : notReady;
  let left = most;
  const cut = <A>(list: readonly A[] | undefined): A[] => {
    const share = Math.min(left, Math.ceil(((list?.length ?? 0) / total) * most));
    left -= Math.min(share, list?.length ?? 0);
    return (list ?? []).slice(0, share);
  };
  return {
    truncated: true,
    subsets: subsets.map(({ addresses, notReadyAddresses, ports }) => ({
      ...(addresses && { addresses: cutReady ? cut(addresses) : addresses }),
      ...(!cutReady && notReadyAddresses && { notReadyAddresses: cut(notReadyAddresses) }),
      ...(ports && { ports }),
    })),
  };
}

/** Keeps the Endpoints object of each Service with a selector. upstream: pkg/controller/endpoint. */
export const endpointsController: ControllerFactory = () => ({
  name: 'endpoints-controller',
  serviceAccount: 'endpoint-controller',
  component: 'endpoint-controller',
  // Those who still read Endpoints are in no hurry; the slices come first.
  watches: [source(ServiceKind), source(PodKind, { keys: servicesOf, when: endpointsMayChange, delay: () => 100 }), source(EndpointsKind)],
  async reconcile(context, key) {
    const service = context.lister(ServiceKind).get(key);
    const current = context.lister(EndpointsKind).get(key);
    if (!service) {
      // Left over from a Service that was deleted; Endpoints that elections use never had one.
      if (
        current &&
        current.metadata!.labels?.[managedByLabel] === managedBy &&
        !(leaderAnnotation in (current.metadata!.annotations ?? {}))
      )
        await context.client.delete(EndpointsKind, current.metadata as { namespace: string; name: string }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      return;
    }
    if (service.spec?.type === 'ExternalName' || !service.spec?.selector) return;
    const { name, namespace, labels } = service.metadata!;
    const selects = matchesSet(service.spec.selector);
    const pods = context
      .lister(PodKind)
      .list(namespace)
      .filter((pod) => selects(pod.metadata!.labels) && belongsInEndpoints(pod, service.spec!.publishNotReadyAddresses === true));
    const { subsets, truncated } = truncate(subsetsOf(service, pods));
    const { [headlessLabel]: _, ...own } = labels ?? {};
    const wantedLabels = { ...own, ...(isHeadless(service) && { [headlessLabel]: '' }), [managedByLabel]: managedBy };
    const { [overCapacity]: __, ...annotations } = current?.metadata!.annotations ?? {};
    if (truncated) annotations[overCapacity] = 'truncated';
    if (
      current &&
      (equal(current.subsets ?? [], subsets) || equal(repackSubsets(current.subsets ?? []), subsets)) &&
      equal(current.metadata!.labels ?? {}, wantedLabels) &&
      equal(current.metadata!.annotations ?? {}, annotations)
    )
      return;
    const wanted: Endpoints = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        ...current?.metadata,
        name: name!,
        namespace: namespace!,
        labels: wantedLabels,
        ...(Object.keys(annotations).length ? { annotations } : { annotations: {} }),
      },
      ...(subsets.length && { subsets }),
    };
    try {
      if (current) await context.client.update(EndpointsKind, wanted);
      else await context.client.create(EndpointsKind, wanted);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      context.events.event(
        wanted,
        'Warning',
        current ? 'FailedToUpdateEndpoint' : 'FailedToCreateEndpoint',
        `Failed to ${current ? 'update endpoint' : 'create endpoint for service'} ${key}: ${messageOf(error)}`,
      );
      throw error;
    }
  },
});
