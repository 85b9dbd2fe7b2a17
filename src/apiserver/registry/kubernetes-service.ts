/**
 * The Service `kubernetes` in `default` and its endpoints: how pods reach this server.
 * upstream: pkg/controlplane/controller/kubernetesservice, pkg/controlplane/reconcilers.
 */
import { EndpointSlice, Endpoints, Service } from '#api';
import type { Client } from '#client';
import { draft, equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { Kind } from '#api';

const namespace = 'default';
const name = 'kubernetes';

/** The first address of a range that is not the network's own. */
export function firstAddress(cidr: string): string {
  const [address = ''] = cidr.split('/');
  if (address.includes(':')) return address.endsWith('::') ? `${address}1` : address;
  const parts = address.split('.').map(Number);
  parts[3]! += 1;
  return parts.join('.');
}

export async function reconcileKubernetesService(
  client: Client,
  advertise: { address: string; port: number },
  cidrs: readonly string[],
): Promise<void> {
  const clusterIPs = cidrs.slice(0, 1).map(firstAddress);
  await ensure(client, Service, {
    metadata: { namespace, name, labels: { provider: 'kubernetes', component: 'apiserver' } },
    spec: {
      type: 'ClusterIP',
      clusterIP: clusterIPs[0]!,
      clusterIPs,
      sessionAffinity: 'None',
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: advertise.port }],
    },
  });
  const port = { name: 'https', port: advertise.port, protocol: 'TCP' as const };
  await ensure(client, Endpoints, {
    metadata: { namespace, name, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: advertise.address }], ports: [port] }],
  });
  await ensure(client, EndpointSlice, {
    metadata: { namespace, name, labels: { 'kubernetes.io/service-name': name } },
    addressType: advertise.address.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [advertise.address], conditions: { ready: true } }],
    ports: [port],
  });
}

/** Creates it, or puts right what of it differs. */
async function ensure<T extends KubeObject>(client: Client, kind: Kind<T>, wanted: T): Promise<void> {
  try {
    const present = await client.get(kind, { namespace, name });
    const next = draft(present) as T & Record<string, unknown>;
    for (const [field, value] of Object.entries(wanted))
      if (field !== 'metadata' && !(field === 'spec' && kind.resource === 'services')) (next as Record<string, unknown>)[field] = value;
    next.metadata = { ...next.metadata, labels: { ...next.metadata?.labels, ...wanted.metadata?.labels } };
    if (kind.resource === 'services') {
      const spec = (next as unknown as { spec: Record<string, unknown> }).spec;
      spec['ports'] = (wanted as unknown as { spec: Record<string, unknown> }).spec['ports'];
    }
    if (!equal(next, present)) await client.update(kind, next);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(kind, wanted);
  }
}
