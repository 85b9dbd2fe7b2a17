/** upstream: pkg/registry/discovery/endpointslice/strategy.go. */
import { EndpointSlice } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { validateEndpointSlice, validateEndpointSliceUpdate, warningsForEndpointSlice } from './endpoint-slice-validation.ts';
import { ageColumn, listWithMore, text } from '../columns.ts';
import { equal } from '#machinery/meta';

function applyDefaults(slice: EndpointSlice): void {
  for (const port of slice.ports ?? []) {
    port.name ??= '';
    port.protocol ??= 'TCP';
  }
}

/** The topology of old clients is not kept. */
function dropDeprecatedTopology(slice: EndpointSlice, old?: EndpointSlice): void {
  if (old && equal(old.endpoints, slice.endpoints)) return;
  for (const endpoint of slice.endpoints ?? []) delete endpoint.deprecatedTopology;
}

/** Whether it says something else than the stored one. */
const says = (slice: EndpointSlice, old: EndpointSlice): boolean =>
  slice.addressType !== old.addressType ||
  !equal(slice.endpoints ?? [], old.endpoints ?? []) ||
  !equal(slice.ports ?? [], old.ports ?? []) ||
  !equal(slice.metadata?.labels ?? {}, old.metadata?.labels ?? {});

export const endpointSliceRules = defineKind<EndpointSlice>({
  kind: EndpointSlice,
  applyDefaults,
  prepareForCreate: (slice) => dropDeprecatedTopology(slice),
  prepareForUpdate(slice, old) {
    if (says(slice, old)) slice.metadata!.generation = (old.metadata?.generation ?? 0) + 1;
    dropDeprecatedTopology(slice, old);
  },
  validate: (slice) => validateEndpointSlice(slice),
  validateUpdate: validateEndpointSliceUpdate,
  warnings: warningsForEndpointSlice,
  // Counted before the topology is dropped, as upstream does.
  generation: () => false,
  columns: [
    text('AddressType', (slice) => slice.addressType),
    text('Ports', (slice) => listWithMore((slice.ports ?? []).map((port) => (port.port == null ? (port.name ?? '*') : String(port.port))))),
    text('Endpoints', (slice) => listWithMore((slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses))),
    ageColumn,
  ],
});
