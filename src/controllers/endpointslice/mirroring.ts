import type { Endpoints, EndpointSlice } from '#api';
import { Endpoints as EndpointsKind, EndpointSlice as EndpointSliceKind, Service as ServiceKind } from '#api';
import { canonicalIP, isIPv6 } from '#machinery/ip';
import { equal } from '#machinery/meta';
import type { ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { controllerReference } from '../owner.ts';
import { podNamePrefix } from '../pod-control.ts';
import type { SliceChanges } from './changes.ts';
import { SliceTracker, writeSlices } from './changes.ts';
import type { Endpoint, EndpointPort } from './endpoint.ts';
import { endpointKey, portsKey, sameState } from './endpoint.ts';
import { managedByLabel, serviceNameLabel } from './reconcile.ts';
import { repackSubsets } from './subsets.ts';

const managedBy = 'endpointslicemirroring-controller.k8s.io';
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror';
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';
const notMirrored = new Set(['endpoints.kubernetes.io/last-change-trigger-time', 'kubectl.kubernetes.io/last-applied-configuration']);
const maxEndpoints = 1000;
const index = 'endpoints';

const endpointsKey = (slice: EndpointSlice): string[] => {
  const { labels, namespace } = slice.metadata!;
  const name = labels?.[serviceNameLabel];
  return name && labels?.[managedByLabel] === managedBy ? [`${namespace}/${name}`] : [];
};

const isMirrored = (endpoints: Endpoints): boolean =>
  endpoints.metadata!.labels?.[skipLabel] !== 'true' && !(leaderAnnotation in (endpoints.metadata!.annotations ?? {}));

interface Group {
  addressType: 'IPv4' | 'IPv6';
  ports: EndpointPort[];
  endpoints: Map<string, Endpoint>;
}

/** What is to be mirrored, by address type and ports. */
function groupsOf(endpoints: Endpoints): { groups: Map<string, Group>; invalid: number; skipped: number } {
  const groups = new Map<string, Group>();
  let invalid = 0;
  let skipped = 0;
  for (const subset of repackSubsets(endpoints.subsets ?? [])) {
    const ports: EndpointPort[] = (subset.ports ?? []).map((port) => ({
      name: port.name ?? '',
      port: port.port,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol !== undefined && { appProtocol: port.appProtocol }),
    }));
    let added = 0;
    for (const ready of [true, false])
      for (const { ip, hostname, nodeName, targetRef } of (ready ? subset.addresses : subset.notReadyAddresses) ?? []) {
        if (added >= maxEndpoints) {
          skipped++;
          continue;
        }
        const address = canonicalIP(ip);
        if (!address) {
          invalid++;
          continue;
        }
        added++;
        const addressType = isIPv6(address) ? 'IPv6' : 'IPv4';
        const key = `${addressType}-${portsKey(ports)}`;
        let group = groups.get(key);
        if (!group) groups.set(key, (group = { addressType, ports, endpoints: new Map() }));
        const endpoint: Endpoint = {
          addresses: [address],
          conditions: { ready },
          ...(hostname && { hostname }),
          ...(nodeName && { nodeName }),
          ...(targetRef && { targetRef }),
        };
        group.endpoints.set(endpointKey(endpoint), endpoint);
      }
  }
  return { groups, invalid, skipped };
}

function planMirror(endpoints: Endpoints, existing: readonly EndpointSlice[], groups: ReadonlyMap<string, Group>): SliceChanges {
  const changes: SliceChanges = { create: [], update: [], delete: [] };
  const byKey = new Map<string, EndpointSlice[]>();
  for (const slice of existing) {
    const key = `${slice.addressType}-${portsKey(slice.ports)}`;
    byKey.set(key, [...(byKey.get(key) ?? []), slice]);
  }
  const { name, namespace, labels, annotations } = endpoints.metadata!;
  for (const [key, group] of groups) {
    const [current, ...more] = byKey.get(key) ?? [];
    changes.delete.push(...more);
    const metadata = {
      namespace: namespace!,
      labels: { ...labels, [serviceNameLabel]: name!, [managedByLabel]: managedBy },
      annotations: Object.fromEntries(Object.entries(annotations ?? {}).filter(([each]) => !notMirrored.has(each))),
      ownerReferences: [controllerReference(EndpointsKind, endpoints)],
    };
    const wanted: EndpointSlice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: current ? { ...current.metadata, ...metadata } : { ...metadata, generateName: podNamePrefix(name!) },
      addressType: group.addressType,
      ports: group.ports,
      endpoints: [...group.endpoints.values()],
    };
    if (!current) changes.create.push(wanted);
    else {
      const same =
        current.endpoints.length === group.endpoints.size &&
        current.endpoints.every((endpoint) => {
          const next = group.endpoints.get(endpointKey(endpoint));
          return next !== undefined && sameState(next, endpoint);
        }) &&
        equal(current.metadata!.labels ?? {}, metadata.labels) &&
        equal(current.metadata!.annotations ?? {}, metadata.annotations) &&
        equal(current.metadata!.ownerReferences, metadata.ownerReferences);
      if (!same) changes.update.push(wanted);
    }
  }
  for (const [key, slices] of byKey) if (!groups.has(key)) changes.delete.push(...slices);
  return changes;
}

/** Mirrors Endpoints that people make for Services without selector. upstream: pkg/controller/endpointslicemirroring. */
export const endpointSliceMirroringController: ControllerFactory = () => {
  const tracker = new SliceTracker();
  return {
    name: 'endpointslice-mirroring-controller',
    serviceAccount: 'endpointslicemirroring-controller',
    watches: [
      source(EndpointsKind),
      source(ServiceKind, { when: (service, old) => !old || !service.spec?.selector !== !old.spec?.selector }),
      source(EndpointSliceKind, {
        keys: endpointsKey,
        when: (slice, _old, event) => {
          if (event === 'deleted') for (const key of endpointsKey(slice)) tracker.sawDeletion(key, slice);
          return true;
        },
      }),
    ],
    setup(context) {
      context.lister(EndpointSliceKind).addIndex(index, endpointsKey);
    },
    async reconcile(context, key) {
      const endpoints = context.lister(EndpointsKind).get(key);
      const service = context.lister(ServiceKind).get(key);
      const existing = context.lister(EndpointSliceKind).byIndex(index, key);
      if (!endpoints || !isMirrored(endpoints) || !service || service.spec?.selector) {
        tracker.forget(key);
        const owner = endpoints ?? { metadata: { deletionTimestamp: 'gone' } };
        await writeSlices(context, tracker, key, owner, { create: [], update: [], delete: [...existing] });
        return;
      }
      if (tracker.isStale(key, existing)) return;
      const { groups, invalid, skipped } = groupsOf(endpoints);
      if (invalid > 0)
        context.events.event(
          endpoints,
          'Warning',
          'InvalidIPAddress',
          `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices`,
        );
      if (skipped > 0)
        context.events.event(
          endpoints,
          'Warning',
          'TooManyAddressesToMirror',
          `A max of ${maxEndpoints} addresses can be mirrored to EndpointSlices per Endpoints subset. ${skipped + invalid} addresses were skipped`,
        );
      await writeSlices(context, tracker, key, endpoints, planMirror(endpoints, existing, groups));
    },
  };
};
