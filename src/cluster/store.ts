/** Where a cluster keeps its objects, as its settings say. */
import type { Clock } from '#machinery/clock';
import { etcdStore, lmdbStore, memoryStore } from '#store';
import type { Store } from '#store';
import type { ClusterConfig } from './config.ts';
import type { ClusterPaths } from './paths.ts';

/** Why a setting cannot be used; undefined when it can. */
export const storeError = (text: string): string | undefined =>
  text === 'lmdb' || text === 'memory' || /^(https?:\/\/[^/]+|unix:\/\/\/.+)$/.test(text)
    ? undefined
    : `${text}: it must be lmdb, memory, or where an etcd listens (http://127.0.0.1:2379, unix:///run/etcd.sock)`;

export async function openStore({ store = 'lmdb' }: ClusterConfig, paths: ClusterPaths, clock: Clock): Promise<Store> {
  if (store === 'lmdb') return lmdbStore({ path: paths.store, clock });
  if (store === 'memory') return memoryStore({ clock });
  return etcdStore({ endpoints: [store], clock });
}
