/** Whether the server behind an APIService answers. upstream: kube-aggregator/pkg/controllers/status/remote. */
import { EndpointSlice, Service } from '#api';
import type { APIService, APIServiceCondition } from '#api';
import type { ServerParts } from '../options.ts';

export type Verdict = Pick<APIServiceCondition, 'status' | 'reason' | 'message'>;

const serviceNameLabel = 'kubernetes.io/service-name';

/** What Service and endpoints say; undefined: nothing against it, so that the server itself is to be asked. */
export function verdictOfService({ informers }: ServerParts, apiService: APIService): Verdict | undefined {
  const { namespace = '', name = '', port = 443 } = apiService.spec!.service!;
  const no = (reason: string, message: string): Verdict => ({ status: 'False', reason, message });
  const about = `service/${name} in ${JSON.stringify(namespace)}`;
  const service = informers.for(Service).get(`${namespace}/${name}`);
  if (!service) return no('ServiceNotFound', `${about} is not present`);
  if ((service.spec?.type ?? 'ClusterIP') !== 'ClusterIP') return undefined;
  const servicePort = service.spec?.ports?.find((each) => each.port === port);
  if (!servicePort) return no('ServicePortError', `${about} is not listening on port ${port}`);
  const slices = informers
    .for(EndpointSlice)
    .list(namespace)
    .filter(({ metadata }) => metadata?.labels?.[serviceNameLabel] === name);
  if (slices.length === 0) return no('EndpointsNotFound', `cannot find endpointslices for ${about}`);
  const portName = servicePort.name ?? '';
  const active = slices.some(
    ({ endpoints, ports }) =>
      endpoints.some(({ conditions }) => conditions?.ready !== false) &&
      ports?.some((each) => (each.name ?? '') === portName && each.port !== undefined),
  );
  return active
    ? undefined
    : no('MissingEndpoints', `endpointslices for ${about} have no addresses with port name ${JSON.stringify(portName)}`);
}

export const passed: Verdict = { status: 'True', reason: 'Passed', message: 'all checks passed' };
export const failedDiscovery = (message: string): Verdict => ({ status: 'False', reason: 'FailedDiscoveryCheck', message });
