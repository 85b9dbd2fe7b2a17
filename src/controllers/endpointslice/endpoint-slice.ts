import type { EndpointSlice, Pod, Service } from '#api';
import { EndpointSlice as EndpointSliceKind, Node as NodeKind, Pod as PodKind, Service as ServiceKind } from '#api';
import { keyOf } from '#machinery/meta';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { messageOf } from '../pod-control.ts';
import { isPodReady } from '../pods.ts';
import { matchesSet } from '../selector.ts';
import { SliceTracker, writeSlices } from './changes.ts';
import { addressesOf, addressTypes, belongsInEndpoints, endpointKey, endpointOf, endpointPorts, portsKey } from './endpoint.ts';
import type { Wanted } from './reconcile.ts';
import { managedBy, managedByLabel, planSlices, serviceNameLabel } from './reconcile.ts';

const serviceIndex = 'service';
const serviceKey = (slice: EndpointSlice): string[] => {
  const { labels, namespace } = slice.metadata!;
  const name = labels?.[serviceNameLabel];
  return name && labels?.[managedByLabel] === managedBy ? [`${namespace}/${name}`] : [];
};

/** Keys of the services that select a pod. */
export function servicesOf(pod: Pod, context: ControllerContext): string[] {
  const { labels, namespace } = pod.metadata!;
  return context
    .lister(ServiceKind)
    .list(namespace)
    .filter((service: Service) => matchesSet(service.spec?.selector)(labels))
    .map(keyOf);
}

const digest = (pod: Pod): string =>
  JSON.stringify([
    pod.metadata!.labels,
    pod.metadata!.deletionTimestamp,
    pod.status?.phase,
    isPodReady(pod),
    addressesOf(pod),
    pod.spec?.nodeName,
    pod.spec?.hostname,
    pod.spec?.subdomain,
  ]);

/** True where a change of a pod can change what endpoints say of it. */
export const endpointsMayChange = (pod: Pod, old: Pod | undefined): boolean => !old || digest(pod) !== digest(old);

/** Keeps a Service's EndpointSlices. upstream: pkg/controller/endpointslice, k8s.io/endpointslice. */
export const endpointSliceController: ControllerFactory = () => {
  const tracker = new SliceTracker();
  /** Services with a pod on a node that is not known yet. */
  const waiting = new Set<string>();
  return {
    name: 'endpointslice-controller',
    serviceAccount: 'endpointslice-controller',
    component: 'endpoint-slice-controller',
    watches: [
      source(ServiceKind),
      source(PodKind, {
        keys: servicesOf,
        when: endpointsMayChange,
        delay: (key, context) =>
          context
            .lister(EndpointSliceKind)
            .byIndex(serviceIndex, key)
            .some(({ endpoints }) => endpoints.length > 20)
            ? 50
            : 0,
      }),
      source(EndpointSliceKind, {
        keys: serviceKey,
        when: (slice, _old, event) => {
          if (event === 'deleted') for (const key of serviceKey(slice)) tracker.sawDeletion(key, slice);
          return true;
        },
      }),
      source(NodeKind, {
        keys: () => [...waiting],
        when: (node, old, event) =>
          event === 'added' ||
          old?.metadata?.labels?.['topology.kubernetes.io/zone'] !== node.metadata?.labels?.['topology.kubernetes.io/zone'],
      }),
    ],
    setup(context) {
      context.lister(EndpointSliceKind).addIndex(serviceIndex, serviceKey);
    },
    async reconcile(context, key) {
      const service = context.lister(ServiceKind).get(key);
      waiting.delete(key);
      if (!service) return tracker.forget(key);
      if (service.spec?.type === 'ExternalName' || !service.spec?.selector) return;
      const existing = context.lister(EndpointSliceKind).byIndex(serviceIndex, key);
      // The change that the cache lacks will put the key here again.
      if (tracker.isStale(key, existing)) return;
      const selects = matchesSet(service.spec.selector);
      const pods = context
        .lister(PodKind)
        .list(service.metadata!.namespace)
        .filter((pod) => selects(pod.metadata!.labels) && belongsInEndpoints(pod, true));
      const types = addressTypes(service);
      const problems: unknown[] = [];
      const attempt = (work: Promise<void>): Promise<void> => work.catch((error: unknown) => void problems.push(error));
      for (const addressType of types) {
        const wanted = new Map<string, Wanted>();
        for (const pod of pods) {
          const node = pod.spec?.nodeName ? context.lister(NodeKind).get(pod.spec.nodeName) : undefined;
          const ports = endpointPorts(service, pod);
          let group = wanted.get(portsKey(ports));
          if (!group) wanted.set(portsKey(ports), (group = { ports, endpoints: new Map() }));
          if (!node) waiting.add(key);
          if (!node && !service.spec.publishNotReadyAddresses) continue;
          const endpoint = endpointOf(pod, node, service, addressType);
          if (endpoint.addresses.length) group.endpoints.set(endpointKey(endpoint), endpoint);
        }
        const ofType = existing.filter((slice) => slice.addressType === addressType);
        await attempt(writeSlices(context, tracker, key, service, planSlices(service, addressType, ofType, wanted)));
      }
      const stray = existing.filter((slice) => !types.has(slice.addressType as 'IPv4'));
      await attempt(writeSlices(context, tracker, key, service, { create: [], update: [], delete: stray }));
      if (problems.length === 0) return;
      context.events.event(
        service,
        'Warning',
        'FailedToUpdateEndpointSlices',
        `Error updating Endpoint Slices for Service ${key}: ${messageOf(problems[0])}`,
      );
      throw problems[0];
    },
  };
};
