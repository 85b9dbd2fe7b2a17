import type { EndpointSlice, Service } from '#api';
import { Service as ServiceKind } from '#api';
import { equal } from '#machinery/meta';
import { controllerReference } from '../owner.ts';
import { podNamePrefix } from '../pod-control.ts';
import type { SliceChanges } from './changes.ts';
import type { AddressType, Endpoint, EndpointPort } from './endpoint.ts';
import { endpointKey, isHeadless, portsKey, sameState } from './endpoint.ts';
import { withHints } from './traffic-distribution.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const headlessLabel = 'service.kubernetes.io/headless';
export const managedBy = 'endpointslice-controller.k8s.io';
const reserved = new Set([serviceNameLabel, managedByLabel, headlessLabel]);
const maxEndpoints = 100;

const mirroredLabels = (labels: Record<string, string> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(labels ?? {}).filter(([key]) => !reserved.has(key)));

const labelsFor = (service: Service): Record<string, string> => ({
  ...mirroredLabels(service.metadata!.labels),
  ...(isHeadless(service) && { [headlessLabel]: '' }),
  [serviceNameLabel]: service.metadata!.name!,
  [managedByLabel]: managedBy,
});

const newSlice = (service: Service, addressType: AddressType, ports: EndpointPort[], endpoints: Endpoint[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    generateName: podNamePrefix(service.metadata!.name!),
    namespace: service.metadata!.namespace!,
    labels: labelsFor(service),
    ownerReferences: [controllerReference(ServiceKind, service)],
  },
  addressType,
  ports,
  endpoints,
});

/** Endpoints that share their ports, by endpointKey. */
export interface Wanted {
  ports: EndpointPort[];
  endpoints: Map<string, Endpoint>;
}

/**
 * Spreads the wanted endpoints over slices of one address type with the fewest writes: first those stay where they are, then slices that change
 * anyway are filled, then one unchanged slice with room, then new ones. upstream: endpointslice reconciler reconcileByAddressType.
 */
export function planSlices(
  service: Service,
  addressType: AddressType,
  existing: readonly EndpointSlice[],
  wantedByPorts: ReadonlyMap<string, Wanted>,
): SliceChanges {
  const changes: SliceChanges = { create: [], update: [], delete: [] };
  const byPorts = new Map<string, EndpointSlice[]>();
  for (const slice of existing) {
    const owned = slice.metadata!.ownerReferences?.some(({ uid, kind }) => uid === service.metadata!.uid && kind === 'Service');
    const key = portsKey(slice.ports);
    if (!owned) changes.delete.push(slice);
    else byPorts.set(key, [...(byPorts.get(key) ?? []), slice]);
  }
  for (const [key, wanted] of wantedByPorts) planPorts(service, addressType, byPorts.get(key) ?? [], wanted, changes);
  for (const [key, slices] of byPorts) if (!wantedByPorts.has(key)) changes.delete.push(...slices);

  if (existing.length === changes.delete.length && changes.create.length === 0) {
    // A service without endpoints keeps one empty slice, so that readers know that it was looked at.
    const placeholder = newSlice(service, addressType, [], []);
    const [only] = changes.delete;
    const isPlaceholder =
      changes.delete.length === 1 &&
      only!.endpoints.length === 0 &&
      !only!.ports?.length &&
      equal(only!.metadata!.labels, placeholder.metadata!.labels) &&
      equal(only!.metadata!.ownerReferences, placeholder.metadata!.ownerReferences);
    if (isPlaceholder) changes.delete = [];
    else changes.create.push(placeholder);
  }
  addHints(service, existing, changes);
  return changes;
}

function planPorts(
  service: Service,
  addressType: AddressType,
  existing: readonly EndpointSlice[],
  wanted: Wanted,
  changes: SliceChanges,
): void {
  const labels = labelsFor(service);
  const left = new Map(wanted.endpoints);
  const unchanged: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  const doomed: EndpointSlice[] = [];
  for (const slice of existing) {
    let updated = false;
    const kept: Endpoint[] = [];
    for (const endpoint of slice.endpoints) {
      const key = endpointKey(endpoint);
      const next = left.get(key);
      if (!next) continue;
      left.delete(key);
      // Hints are decided on after this; until then an endpoint keeps those it has.
      kept.push(endpoint.hints ? { ...next, hints: endpoint.hints } : next);
      if (!sameState(next, endpoint)) updated = true;
    }
    if (updated || kept.length !== slice.endpoints.length) {
      if (kept.length === 0) doomed.push(slice);
      else update.push({ ...slice, metadata: { ...slice.metadata, labels }, endpoints: kept });
    } else if (!equal(slice.metadata!.labels, labels)) update.push({ ...slice, metadata: { ...slice.metadata, labels } });
    else unchanged.push(slice);
  }
  const remaining = [...left.values()];
  const fill = (slice: EndpointSlice): EndpointSlice => ({
    ...slice,
    endpoints: [...slice.endpoints, ...remaining.splice(0, maxEndpoints - slice.endpoints.length)],
  });
  if (remaining.length && (update.length || doomed.length))
    for (const slice of update
      .splice(0)
      .concat(doomed.splice(0).map((each) => ({ ...each, metadata: { ...each.metadata, labels }, endpoints: [] })))
      .toSorted((a, b) => b.endpoints.length - a.endpoints.length)) {
      const filled = remaining.length ? fill(slice) : slice;
      if (filled.endpoints.length) update.push(filled);
      else doomed.push(existing.find((each) => each.metadata!.name === slice.metadata!.name)!);
    }
  const create: EndpointSlice[] = [];
  while (remaining.length) {
    if (remaining.length < maxEndpoints) {
      const room = unchanged
        .filter((slice) => slice.endpoints.length > 0 && slice.endpoints.length + remaining.length <= maxEndpoints)
        .toSorted((a, b) => b.endpoints.length - a.endpoints.length)[0];
      if (room) {
        unchanged.splice(unchanged.indexOf(room), 1);
        update.push(fill({ ...room, metadata: { ...room.metadata, labels } }));
        continue;
      }
    }
    create.push(newSlice(service, addressType, wanted.ports, remaining.splice(0, maxEndpoints)));
  }
  changes.create.push(...create);
  changes.update.push(...update);
  changes.delete.push(...doomed);
}

function addHints(service: Service, existing: readonly EndpointSlice[], changes: SliceChanges): void {
  changes.create = changes.create.map((slice) => ({ ...slice, endpoints: withHints(service, slice) }));
  changes.update = changes.update.map((slice) => ({ ...slice, endpoints: withHints(service, slice) }));
  const touched = new Set([...changes.update, ...changes.delete].map((slice) => slice.metadata!.name));
  for (const slice of existing) {
    if (touched.has(slice.metadata!.name)) continue;
    const endpoints = withHints(service, slice);
    if (endpoints !== slice.endpoints) changes.update.push({ ...slice, endpoints });
  }
}
