import { EndpointSlice, Service } from '#api';
import type { Informers } from '#client';
import type { Random } from '#machinery/clock';

/** Where a Service's port is answered. Throws an Error with the reason where it is not. */
export type ServiceResolver = (namespace: string, name: string, port: number) => { host: string; port: number };

const serviceNameLabel = 'kubernetes.io/service-name';
const index = 'service-resolver';

/**
 * Picks a ready endpoint of the Service, so that calls need no service proxy on the server's own machine.
 * upstream: kube-aggregator/pkg/apiserver/resolvers.go, the endpoint resolver.
 */
export function endpointResolver({ informers, random }: { informers: Informers; random: Random }): ServiceResolver {
  const services = informers.for(Service);
  const slices = informers.for(EndpointSlice);
  slices.addIndex(index, ({ metadata }) => {
    const name = metadata?.labels?.[serviceNameLabel];
    return name ? [`${metadata?.namespace}/${name}`] : [];
  });
  return (namespace, name, port) => {
    const service = services.get(`${namespace}/${name}`);
    if (!service) throw new Error(`service "${name}" not found`);
    if (service.spec?.type === 'ExternalName') {
      if (!service.spec.externalName) throw new Error(`service "${name}" has no external name`);
      return { host: service.spec.externalName, port };
    }
    const servicePort = service.spec?.ports?.find((candidate) => candidate.port === port);
    if (!servicePort) throw new Error(`service port ${port} not found for service "${name}"`);
    const targets = slices.byIndex(index, `${namespace}/${name}`).flatMap((slice) => {
      const found = slice.ports?.find((candidate) => (candidate.name ?? '') === (servicePort.name ?? ''))?.port;
      if (!found) return [];
      return slice.endpoints
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ addresses }) => addresses.map((host) => ({ host, port: found })));
    });
    if (targets.length === 0) throw new Error(`no endpoints available for service "${name}"`);
    return targets[Math.floor(random.next() * targets.length)]!;
  };
}
