import type { EndpointSlice, Service } from '#api';
import { equal } from '#machinery/meta';
import type { Endpoint } from './endpoint.ts';

type Hints = NonNullable<Endpoint['hints']>;

/** The hints that a service's trafficDistribution gives an endpoint. upstream: endpointslice/trafficdist. */
function hintsFor(service: Service, endpoint: Endpoint): Hints | undefined {
  const { trafficDistribution = '' } = service.spec ?? {};
  if (!['PreferClose', 'PreferSameZone', 'PreferSameNode'].includes(trafficDistribution)) return undefined;
  if (endpoint.conditions?.ready !== true) return endpoint.hints;
  const hints: Hints = {
    ...(endpoint.zone && { forZones: [{ name: endpoint.zone }] }),
    ...(endpoint.nodeName && trafficDistribution === 'PreferSameNode' && { forNodes: [{ name: endpoint.nodeName }] }),
  };
  return Object.keys(hints).length ? hints : undefined;
}

/** The slice's endpoints with the right hints; the same array where they had them. */
export function withHints(service: Service, slice: EndpointSlice): EndpointSlice['endpoints'] {
  let changed = false;
  const endpoints = slice.endpoints.map((endpoint) => {
    const hints = hintsFor(service, endpoint);
    if (equal(hints, endpoint.hints)) return endpoint;
    changed = true;
    const { hints: _, ...rest } = endpoint;
    return hints ? { ...rest, hints } : rest;
  });
  return changed ? endpoints : slice.endpoints;
}
