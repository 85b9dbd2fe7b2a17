import { ConfigMap, EndpointSlice, Endpoints, IPAddress, Service, ServiceCIDR } from '#api';
import type { Client } from '#client';
import type { Clock } from '#machinery/clock';
import { timestamp } from '#machinery/clock';
import { formatAddress, formatNetwork, isIPv6, nthAddress, parseNetwork } from '#machinery/ip';
import { equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { isAlreadyExists, isNotFound } from '#machinery/status';
import type { Entry } from './entry.ts';
import { entry } from './entry.ts';

export interface KubernetesServiceOptions {
  /** The first gives the Service its address (its first usable one); one or two, of different families. */
  serviceCidrs: readonly string[];
  /** The address at which pods reach this server. */
  advertiseAddress: string;
  /** Its port there. */
  securePort: number;
}

const familyOf = (address: string): 'IPv4' | 'IPv6' => (isIPv6(address) ? 'IPv6' : 'IPv4');

/** The address of the Service `kubernetes` in a range: the first after the network's own. */
export function firstServiceAddress(cidr: string): string {
  const network = parseNetwork(cidr);
  if (!network) throw new Error(`Cannot use ${cidr} for Services: it is not a network`);
  return formatAddress(nthAddress(network, 1n)!);
}

/** What names an allocated service address. upstream: pkg/registry/core/service/ipallocator. */
export const addressObject = (address: string, service: { namespace: string; name: string }): IPAddress => ({
  kind: IPAddress.kind,
  apiVersion: IPAddress.apiVersion,
  metadata: {
    name: address,
    labels: {
      'ipaddress.kubernetes.io/ip-family': familyOf(address),
      'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
    },
  },
  spec: { parentRef: { group: '', resource: 'services', namespace: service.namespace, name: service.name } },
});

/** Endpoints must not name such an address. upstream: ValidateNonSpecialIP. */
export const isLoopback = (address: string): boolean => /^(127\.|::1$|::ffff:127\.)/i.test(address);

function endpointEntries({ advertiseAddress, securePort }: KubernetesServiceOptions): Entry[] {
  if (isLoopback(advertiseAddress)) return [];
  const port = { name: 'https', port: securePort, protocol: 'TCP' };
  const metadata = { namespace: 'default', name: 'kubernetes' };
  return [
    entry(Endpoints, {
      metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
      subsets: [{ addresses: [{ ip: advertiseAddress }], ports: [port] }],
    }),
    entry(EndpointSlice, {
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
      addressType: familyOf(advertiseAddress),
      endpoints: [{ addresses: [advertiseAddress], conditions: { ready: true } }],
      ports: [port],
    }),
  ];
}

/**
 * The Service through which pods find the API server, its endpoints, and the range it has its address from. Endpoints name this server
 * alone. upstream: pkg/controlplane/controller/{kubernetesservice,defaultservicecidr}, pkg/controlplane/reconcilers.
 */
export function kubernetesServiceEntries(options: KubernetesServiceOptions, clock: Clock): Entry[] {
  const cidrs = options.serviceCidrs.map((cidr) => formatNetwork(parseNetwork(cidr)!));
  const address = firstServiceAddress(cidrs[0]!);
  return [
    entry(
      ServiceCIDR,
      {
        metadata: { name: 'kubernetes' },
        spec: { cidrs },
        status: {
          conditions: [
            {
              type: 'Ready',
              status: 'True',
              reason: '',
              message: 'Kubernetes default Service CIDR is ready',
              lastTransitionTime: timestamp(clock),
            },
          ],
        },
      },
      { applied: { manager: 'kubernetes-service-cidr-controller', field: 'status', subresource: 'status' } },
    ),
    entry(IPAddress, addressObject(address, { namespace: 'default', name: 'kubernetes' })),
    entry(
      Service,
      {
        metadata: { namespace: 'default', name: 'kubernetes', labels: { component: 'apiserver', provider: 'kubernetes' } },
        spec: {
          clusterIP: address,
          clusterIPs: [address],
          internalTrafficPolicy: 'Cluster',
          ipFamilies: [familyOf(address)],
          ipFamilyPolicy: 'SingleStack',
          ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: options.securePort }],
          sessionAffinity: 'None',
          type: 'ClusterIP',
        },
        status: { loadBalancer: {} },
      },
      { unowned: ['spec.clusterIPs', 'spec.ipFamilies', 'status'] },
    ),
    ...endpointEntries(options),
  ];
}

async function createOrGet<T extends KubeObject>(client: Client, { kind, object }: Entry<T>): Promise<T> {
  const { namespace, name = '' } = object.metadata ?? {};
  const get = (): Promise<T> => client.get(kind, { ...(namespace && { namespace }), name });
  return get().catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error;
    return client.create(kind, object).catch((second: unknown) => {
      if (isAlreadyExists(second)) return get();
      throw second;
    });
  });
}

/** Whether a part of the Service says what this server would make it say. What is not about endpoints only has to be there. */
export function pointsAsWanted({ kind, object }: Entry, found: KubeObject): boolean {
  const fields = kind === Endpoints ? ['subsets'] : kind === EndpointSlice ? ['addressType', 'endpoints', 'ports'] : [];
  return fields.every((field) => equal((found as Record<string, unknown>)[field], (object as Record<string, unknown>)[field]));
}

/** On a data directory that is not new: makes what is missing and points the endpoints at this server. */
export async function ensureKubernetesService(client: Client, options: KubernetesServiceOptions, clock: Clock): Promise<void> {
  for (const wanted of kubernetesServiceEntries(options, clock)) {
    // The Service's address comes with the Service.
    if (wanted.kind === IPAddress) continue;
    const found = await createOrGet(client, wanted);
    if (pointsAsWanted(wanted, found)) continue;
    await client.update(wanted.kind, { ...wanted.object, metadata: { ...found.metadata, labels: wanted.object.metadata!.labels! } });
  }
}

export interface AuthenticationConfigOptions {
  clientCa?: string;
  frontProxy?: {
    ca: string;
    allowedNames: readonly string[];
    usernameHeaders: readonly string[];
    uidHeaders: readonly string[];
    groupHeaders: readonly string[];
    extraHeaderPrefixes: readonly string[];
  };
}

/** What extension API servers need to know callers as we do. upstream: pkg/controlplane/controller/clusterauthenticationtrust. */
export function authenticationConfigEntry({ clientCa, frontProxy }: AuthenticationConfigOptions): Entry {
  return entry(ConfigMap, {
    metadata: { namespace: 'kube-system', name: 'extension-apiserver-authentication' },
    data: {
      ...(clientCa && { 'client-ca-file': clientCa }),
      ...(frontProxy && {
        'requestheader-allowed-names': JSON.stringify(frontProxy.allowedNames),
        'requestheader-client-ca-file': frontProxy.ca,
        'requestheader-extra-headers-prefix': JSON.stringify(frontProxy.extraHeaderPrefixes),
        'requestheader-group-headers': JSON.stringify(frontProxy.groupHeaders),
        'requestheader-uid-headers': JSON.stringify(frontProxy.uidHeaders),
        'requestheader-username-headers': JSON.stringify(frontProxy.usernameHeaders),
      }),
    },
  });
}
