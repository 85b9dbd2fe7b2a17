/** Where requests to pods, nodes and Services go. upstream: pkg/registry/core/{pod,node,service}/strategy.go and storage, ResourceLocation. */
import { EndpointSlice, Node, Pod, Service } from '#api';
import type { Client } from '#client';
import type { Random } from '#machinery/clock';
import { badRequest, failure, isNotFound, notFound, serviceUnavailable } from '#machinery/status';

export interface Location {
  scheme: 'http' | 'https';
  host: string;
  port: number;
}

/** "name", "name:port", "scheme:name:port", as proxies take them. */
export function splitTarget(text: string): { scheme: string; name: string; port: string } {
  const parts = text.split(':');
  if (parts.length === 1) return { scheme: '', name: parts[0]!, port: '' };
  if (parts.length === 2) return { scheme: '', name: parts[0]!, port: parts[1]! };
  if (parts.length === 3) return { scheme: parts[0]!, name: parts[1]!, port: parts[2]! };
  throw badRequest(`invalid request ${JSON.stringify(text)}`);
}

/** The kubelet of a node. Addresses in the order that API servers prefer. upstream: --kubelet-preferred-address-types. */
export async function kubeletLocation(client: Client, nodeName: string): Promise<Location> {
  const node = await client.get(Node, { name: nodeName });
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250;
  for (const type of ['InternalIP', 'Hostname', 'InternalDNS', 'ExternalDNS', 'ExternalIP']) {
    const address = node.status?.addresses?.find((candidate) => candidate.type === type);
    if (address) return { scheme: 'https', host: address.address, port };
  }
  throw failure(500, 'InternalError', `no preferred addresses found; known addresses: []`);
}

/** A pod's own address, for the proxy: the port given, else the first one its containers declare. */
export function podLocation(pod: Pod, scheme: string, port: string): Location {
  const { podIP } = pod.status ?? {};
  if (!podIP) throw failure(400, 'BadRequest', `address not allowed`);
  const declared = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  const chosen =
    port === ''
      ? (declared[0]?.containerPort ?? (scheme === 'https' ? 443 : 80))
      : /^\d+$/.test(port)
        ? Number(port)
        : (declared.find((candidate) => candidate.name === port)?.containerPort ?? NaN);
  if (!Number.isInteger(chosen) || chosen < 1 || chosen > 65535) throw badRequest(`invalid port ${JSON.stringify(port)}`);
  return { scheme: scheme === 'https' ? 'https' : 'http', host: podIP, port: chosen };
}

/** One of a Service's ready endpoints, by chance. */
export async function serviceLocation(
  client: Client,
  random: Random,
  namespace: string,
  name: string,
  scheme: string,
  port: string,
): Promise<Location> {
  const service = await client.get(Service, { namespace, name });
  const ports = service.spec?.ports ?? [];
  let wanted = port;
  if (wanted === '') wanted = ports.length === 1 ? (ports[0]!.name ?? '') : '';
  else if (/^\d+$/.test(wanted)) {
    const found = ports.find((candidate) => candidate.port === Number(wanted));
    if (!found) throw serviceUnavailable(`no service port ${wanted} found for service ${JSON.stringify(name)}`);
    wanted = found.name ?? '';
  }
  const slices = await client.list(EndpointSlice, { namespace, labelSelector: `kubernetes.io/service-name=${name}` });
  // Upstream looks for its Endpoints, and says so in the name of what the request is about.
  if (slices.items.length === 0) throw notFound({ group: '', resource: 'services' }, name);
  const candidates = slices.items.flatMap((slice) =>
    (slice.ports ?? [])
      .filter((candidate) => (candidate.name ?? '') === wanted && candidate.port !== undefined)
      .flatMap((candidate) =>
        slice.endpoints
          .filter((endpoint) => endpoint.conditions?.ready !== false)
          .map((endpoint) => ({ host: endpoint.addresses[0]!, port: candidate.port! })),
      ),
  );
  if (candidates.length === 0) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  const chosen = candidates[Math.floor(random.next() * candidates.length)]!;
  return { scheme: scheme === 'https' ? 'https' : 'http', ...chosen };
}

/** The container that a request means. upstream: pkg/registry/core/pod LogLocation, streamLocation. */
export function chooseContainer(pod: Pod, asked: string): string {
  const names = (list: { name: string }[] | undefined): string[] => (list ?? []).map(({ name }) => name);
  const spec = pod.spec!;
  const name = pod.metadata?.name ?? '';
  if (asked !== '') {
    if ([...names(spec.containers), ...names(spec.initContainers), ...names(spec.ephemeralContainers)].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  if (spec.containers.length === 1) return spec.containers[0]!.name;
  const preferred = pod.metadata?.annotations?.['kubectl.kubernetes.io/default-container'];
  if (preferred !== undefined && names(spec.containers).includes(preferred)) return preferred;
  const init = names(spec.initContainers);
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${names(spec.containers).join(' ')}]${init.length ? ` or one of the init containers: [${init.join(' ')}]` : ''}`,
  );
}

/** The pod with a node, as streams need it. */
/** Where the kubelet of a pod is; a node that is not there is told in the name of what the request is about. */
export async function podKubelet(client: Client, nodeName: string): Promise<Location> {
  try {
    return await kubeletLocation(client, nodeName);
  } catch (error) {
    throw isNotFound(error) ? notFound({ group: '', resource: 'pods' }, nodeName) : error;
  }
}

export async function scheduledPod(client: Client, namespace: string, name: string): Promise<{ pod: Pod; nodeName: string }> {
  const pod = await client.get(Pod, { namespace, name });
  const nodeName = pod.spec?.nodeName;
  if (!nodeName) throw badRequest(`pod ${name} does not have a host assigned`);
  return { pod, nodeName };
}
