/** What a cluster gets beside upstream's bootstrap objects: the Service of its DNS, and what machines' network parts may read. */
import { ClusterRole, ClusterRoleBinding, EndpointSlice, Node, Service } from '#api';
import type { Client, Informers } from '#client';
import type { Log } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { Kind } from '#api';
import type { ClusterConfig } from './config.ts';

/** The group of the machines' service proxies and DNS servers. */
export const machinesGroup = 'coxswain:machines';
const roleName = 'coxswain:machine-network';

/** Asked for first: a Service that is there already holds the address that a new one would want. */
async function ensure<T extends KubeObject>(client: Client, kind: Kind<T>, object: T): Promise<void> {
  const { namespace, name = '' } = object.metadata ?? {};
  try {
    await client.get(kind, { ...(namespace && { namespace }), name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(kind, object);
  }
}

export async function ensureAddOns(client: Client, config: ClusterConfig): Promise<void> {
  const labels = { 'k8s-app': 'kube-dns', 'kubernetes.io/name': 'CoreDNS', 'kubernetes.io/cluster-service': 'true' };
  await Promise.all([
    ensure(client, ClusterRole, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: roleName },
      rules: [
        { apiGroups: [''], resources: ['services', 'nodes', 'namespaces', 'pods'], verbs: ['get', 'list', 'watch'] },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] },
        { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['get', 'list', 'watch'] },
      ],
    }),
    ensure(client, ClusterRoleBinding, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: roleName },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: roleName },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: machinesGroup }],
    }),
    ensure(client, Service, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', namespace: 'kube-system', labels },
      spec: {
        clusterIP: config.dnsAddress,
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
          { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
        ],
        trafficDistribution: 'PreferSameNode',
      },
    }),
  ]);
}

const ready = (node: Node): boolean => node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

/** Keeps the endpoints of the DNS Service: every Ready machine, each preferred by its own pods. */
export function maintainDnsEndpoints(client: Client, informers: Informers, log: Log): Disposable {
  const nodes = informers.for(Node);
  let wanted = '';
  let work: Promise<void> = Promise.resolve();
  const update = (): void => {
    const endpoints = nodes
      .list()
      .flatMap((node) => {
        const address = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
        const name = node.metadata?.name;
        return address && name && ready(node)
          ? [
              {
                addresses: [address],
                nodeName: name,
                conditions: { ready: true, serving: true, terminating: false },
                hints: { forNodes: [{ name }] },
              },
            ]
          : [];
      })
      .sort((a, b) => (a.nodeName < b.nodeName ? -1 : 1));
    const text = JSON.stringify(endpoints);
    if (text === wanted) return;
    wanted = text;
    const slice: EndpointSlice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'kube-dns',
        namespace: 'kube-system',
        labels: { 'kubernetes.io/service-name': 'kube-dns', 'endpointslice.kubernetes.io/managed-by': 'coxswain' },
      },
      addressType: 'IPv4',
      endpoints,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      ],
    };
    work = work
      .then(() =>
        client.patch(EndpointSlice, { namespace: 'kube-system', name: 'kube-dns' }, 'apply', slice, {
          fieldManager: 'coxswain',
          force: true,
        }),
      )
      .then(
        () => undefined,
        (error: unknown) => {
          // The next change of a node tries again with the whole list.
          wanted = '';
          log.warn('Cannot update the endpoints of DNS', { error });
        },
      );
  };
  return nodes.on({ added: update, updated: update, deleted: update });
}
