import { IPAddress, Service } from '#api';
import { isIP } from '#machinery/ip';
import { isAlreadyExists, isNotFound } from '#machinery/status';
import { addressObject } from '../../../bootstrap/kubernetes-service.ts';
import type { ServerDependencies } from '../../../contract.ts';

const managedBy = 'ipaddress.kubernetes.io/managed-by';

/** Addresses of a Service; none where it has no need of any. */
const addressesOf = ({ spec }: Service): string[] => (spec?.type === 'ExternalName' ? [] : (spec?.clusterIPs ?? []).filter(isIP));

/**
 * Puts right, once at the start, what a crash between two writes left: Services without the object that says their address is taken, and
 * such objects without their Service. upstream: pkg/registry/core/service/ipallocator/controller/repairip.go.
 */
export async function repairAddresses({ client, informers, clock, log }: ServerDependencies): Promise<void> {
  const started = clock.now();
  const services = informers.for(Service);
  const addresses = informers.for(IPAddress);
  await Promise.all([services.synced, addresses.synced]);
  /** Whether a Service has an address now: the caches may be older than a write under way. */
  const has = async (namespace: string, name: string, ip: string): Promise<boolean> => {
    const service = await client.get(Service, { namespace, name }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    return service !== undefined && addressesOf(service).includes(ip);
  };
  const wanted = new Map(services.list().flatMap((service) => addressesOf(service).map((ip) => [ip, service])));
  for (const [ip, { metadata }] of wanted) {
    const { namespace = '', name = '' } = metadata ?? {};
    if (addresses.get(ip) || !(await has(namespace, name, ip))) continue;
    log.warn('A Service address was not marked as taken', { service: `${namespace}/${name}`, address: ip });
    await client.create(IPAddress, addressObject(ip, { namespace, name })).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }
  for (const { metadata, spec } of addresses.list()) {
    if (metadata?.labels?.[managedBy] !== 'ipallocator.k8s.io' || spec?.parentRef?.resource !== 'services') continue;
    const { name = '', uid = '', creationTimestamp = '' } = metadata;
    // One taken since the start belongs to a Service that is about to be written.
    if (wanted.has(name) || Date.parse(creationTimestamp) + 1000 > started) continue;
    const { namespace = '' } = spec.parentRef;
    const owner = spec.parentRef.name;
    if (await has(namespace, owner, name)) continue;
    log.warn('A Service address was taken for nobody', { service: `${namespace}/${owner}`, address: name });
    await client.delete(IPAddress, { name }, { preconditions: { uid } }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}
