/** What is there at the end, and whether it belongs there. */
import { ControllerRevision, EndpointSlice, Endpoints, Job, Pod, ReplicaSet, Service } from '#api';
import type { Kind } from '#api';
import type { Client } from '#client';
import type { KubeObject } from '#machinery/meta';
import type { Store } from '#store';
import { namespace, workloads } from './workloads.ts';

const nameOf = (kind: Kind, { metadata }: KubeObject): string => `${kind.kind} ${metadata?.name}`;

/** Everything in the namespace that is not as it should be: unfinished, on its way out for too long, or without an owner that is there. */
export async function wrong(client: Client, machines: number, now: number): Promise<string[]> {
  const found: string[] = [];
  const kinds = [...workloads.map(({ kind }) => kind), EndpointSlice, Endpoints, ControllerRevision];
  const all = new Map<Kind, KubeObject[]>();
  for (const kind of kinds) all.set(kind, (await client.list(kind, { namespace })).items);
  const uids = new Set([...all.values()].flat().map(({ metadata }) => metadata?.uid));
  for (const [kind, items] of all)
    for (const item of items) {
      const leaving = item.metadata?.deletionTimestamp;
      if (leaving) found.push(`${nameOf(kind, item)} is being deleted since ${Math.round((now - Date.parse(leaving)) / 1000)} s`);
      for (const { uid, kind: owner, name } of item.metadata?.ownerReferences ?? [])
        if (!uids.has(uid)) found.push(`${nameOf(kind, item)} belongs to ${owner} ${name}, which is gone`);
      const lacking = leaving ? undefined : workloads.find((kept) => kept.kind === kind)?.lacks(item, machines);
      const owned = (item.metadata?.ownerReferences ?? []).length > 0;
      // Those of an owner are its business, but for pods, which must have come to something.
      if (lacking && (!owned || kind === Pod)) found.push(`${nameOf(kind, item)} ${lacking}`);
    }
  const services = new Set(all.get(Service)!.map(({ metadata }) => metadata?.name));
  for (const slice of all.get(EndpointSlice)!) {
    const service = slice.metadata?.labels?.['kubernetes.io/service-name'];
    if (service && !services.has(service)) found.push(`${nameOf(EndpointSlice, slice)} is of Service ${service}, which is gone`);
  }
  return found;
}

/** Once every workload is deleted nothing that was made for one may stay. */
export async function leftovers(client: Client): Promise<string[]> {
  const found: string[] = [];
  for (const kind of [...workloads.map((kept) => kept.kind), ReplicaSet, Job, EndpointSlice, Endpoints, ControllerRevision])
    for (const item of (await client.list(kind, { namespace })).items)
      if (!(item.metadata?.name === 'kube-root-ca.crt')) found.push(nameOf(kind, item));
  return [...new Set(found)];
}

/** Keys of the store by resource, what comes and goes by itself left out. */
export async function keyCounts(store: Store): Promise<Map<string, number>> {
  const { keyValues } = await store.range({ key: '/registry/', end: '/registry0', keysOnly: true });
  const counts = new Map<string, number>();
  for (const { key } of keyValues) {
    const resource = key
      .split('/')
      .slice(2, key.split('/')[2]?.includes('.') ? 4 : 3)
      .join('/');
    if (resource !== 'events') counts.set(resource, (counts.get(resource) ?? 0) + 1);
  }
  return counts;
}
