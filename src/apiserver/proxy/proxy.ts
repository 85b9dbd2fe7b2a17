/** pods/proxy, services/proxy and nodes/proxy: any HTTP request to what they serve. upstream: pkg/registry/core/{pod,service,node}/rest, apimachinery/pkg/util/proxy. */
import { Pod } from '#api';
import { badRequest } from '#machinery/status';
import type { ServerDependencies } from '../contract.ts';
import type { ConnectHandler, ConnectRequest } from './contract.ts';
import { forward, tunnel } from './forward.ts';
import type { ClientTls, Rewrite } from './forward.ts';
import { rewriteHtml, rewriteUrl } from './html.ts';
import { kubeletLocation, podLocation, serviceLocation, splitTarget } from './location.ts';
import type { Location } from './location.ts';

async function locate({ client, random }: ServerDependencies, resource: string, namespace: string, target: string): Promise<Location> {
  const { scheme, name, port } = splitTarget(target);
  if (resource === 'services') return serviceLocation(client, random, namespace, name, scheme, port);
  if (resource === 'pods') return podLocation(await client.get(Pod, { namespace, name }), scheme, port);
  const kubelet = await kubeletLocation(client, name);
  if (port === '' || Number(port) === kubelet.port) return kubelet;
  if (!/^\d+$/.test(port)) throw badRequest(`invalid port ${JSON.stringify(port)}`);
  return { scheme: scheme === 'https' ? 'https' : 'http', host: kubelet.host, port: Number(port) };
}

/** Redirects and links to the target itself come back through the proxy. */
function throughProxy(location: Location, prefix: string): Rewrite {
  const origin = `${location.scheme}://${location.host}:${location.port}`;
  return {
    headers(headers) {
      const to = headers['location'];
      return typeof to === 'string' ? { ...headers, location: rewriteUrl(to, prefix, origin) } : headers;
    },
    html: (text) => rewriteHtml(text, prefix, origin),
  };
}

async function serve(
  dependencies: ServerDependencies,
  tls: ClientTls,
  { context, exchange, upgrade, rest }: ConnectRequest,
): Promise<void> {
  const { info } = context;
  const query = (exchange?.url ?? upgrade?.request.url ?? '').split('?')[1];
  const suffix = query ? `?${query}` : '';
  if (rest === '' && exchange && ['GET', 'HEAD'].includes(exchange.method)) {
    // Relative links of what is served resolve only below a trailing slash.
    exchange.end(301, { location: `${exchange.url.split('?')[0]}/${suffix}` });
    return;
  }
  const location = await locate(dependencies, info.resource, info.namespace, info.name);
  const isKubelet = info.resource === 'nodes' && location.scheme === 'https';
  const path = `${rest || '/'}${suffix}`;
  const credentials = isKubelet ? tls : {};
  if (upgrade) {
    await tunnel(upgrade, location, path, credentials);
    return;
  }
  if (!exchange) return;
  const own = exchange.url.split('?')[0]!;
  const prefix = own.slice(0, own.length - rest.length);
  await forward(exchange, location, path, credentials, throughProxy(location, prefix));
}

export const proxyHandlers = (dependencies: ServerDependencies, tls: ClientTls): ConnectHandler[] =>
  (
    [
      ['pods', 'PodProxyOptions'],
      ['services', 'ServiceProxyOptions'],
      ['nodes', 'NodeProxyOptions'],
    ] as const
  ).map(([resource, optionsKind]) => ({
    group: '',
    resource,
    subresource: 'proxy',
    optionsKind,
    connect: (request) => serve(dependencies, tls, request),
  }));
