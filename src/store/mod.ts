/**
 * The store: a revisioned key-value store with etcd's semantics, on which everything the API server knows is kept.
 * Step of the pod's way: "stored". Upstream counterpart: etcd. Read first: contract.ts; then mvcc/store.ts, which memory/ and lmdb/ share.
 * Invariants: revisions only grow; acknowledged means durable; a watcher misses nothing and sees nothing twice.
 * Back ends are loaded when they are opened: LMDB's library and gRPC take longer than all the rest.
 */
import type { Store } from './contract.ts';
import type { EtcdStoreOptions } from './etcd/mod.ts';
import type { EtcdServer, EtcdServerOptions } from './etcd-server/mod.ts';
import type { StoreContents } from './lmdb/import.ts';
import type { LmdbStore, LmdbStoreOptions } from './lmdb/mod.ts';
import type { StoreSummary } from './lmdb/snapshot.ts';

export * from './contract.ts';
export { covers, prefixEnd, prefixRange } from './key-range.ts';
export { memoryStore } from './memory/mod.ts';
export type { MemoryStore } from './memory/mod.ts';
export { SortedMap } from './sorted-map.ts';
export type { EtcdStoreOptions, EtcdTls } from './etcd/mod.ts';
export type { EtcdServer, EtcdServerOptions, ListenTarget, ServerTls } from './etcd-server/mod.ts';
export type { LmdbStore, LmdbStoreOptions } from './lmdb/mod.ts';
export type { StoreContents } from './lmdb/import.ts';
export type { StoreSummary } from './lmdb/snapshot.ts';

/** Opens or makes a store on this machine's disk; see lmdb/mod.ts. */
export async function lmdbStore(options: LmdbStoreOptions): Promise<LmdbStore> {
  return (await import('./lmdb/mod.ts')).lmdbStore(options);
}

/** Reads and checks all of a store, which a process may have open; see lmdb/snapshot.ts. */
export async function verifyStore(path: string): Promise<StoreSummary> {
  return (await import('./lmdb/snapshot.ts')).verifyStore(path);
}

/** Copies a store, which a process may have open, into a file; see lmdb/snapshot.ts. */
export async function saveSnapshot(path: string, file: string): Promise<StoreSummary> {
  return (await import('./lmdb/snapshot.ts')).saveSnapshot(path, file);
}

/** Reads and checks all of a snapshot; see lmdb/snapshot.ts. */
export async function snapshotStatus(snapshot: string): Promise<StoreSummary & { size: number }> {
  return (await import('./lmdb/snapshot.ts')).snapshotStatus(snapshot);
}

/** Makes a store at `path` of a snapshot; see lmdb/snapshot.ts. */
export async function restoreSnapshot(snapshot: string, path: string, bump?: number): Promise<StoreSummary> {
  return (await import('./lmdb/snapshot.ts')).restoreSnapshot(snapshot, path, bump);
}

/** A store in a real etcd cluster; see etcd/mod.ts. */
export async function etcdStore(options: EtcdStoreOptions): Promise<Store> {
  return (await import('./etcd/mod.ts')).etcdStore(options);
}

/** Serves etcd's API in front of a store; see etcd-server/mod.ts. */
export async function etcdServer(options: EtcdServerOptions): Promise<EtcdServer> {
  return (await import('./etcd-server/mod.ts')).etcdServer(options);
}

/** Makes a store on this machine's disk of what another had; see lmdb/import.ts. */
export async function importStore(path: string, contents: StoreContents): Promise<void> {
  return (await import('./lmdb/import.ts')).importStore(path, contents);
}

/** Everything in a store at its newest revision. */
export async function contentsOf(store: Store): Promise<StoreContents> {
  return (await import('./etcd/data-file.ts')).dataOf(store);
}

/** Whether a file is etcd's: see `readEtcdData`. */
export async function isEtcdData(path: string): Promise<boolean> {
  return (await import('./etcd/data-file.ts')).isEtcdData(path);
}

/** Reads an etcd member's data or a snapshot of it; see etcd/data-file.ts. */
export async function readEtcdData(path: string): Promise<StoreContents> {
  return (await import('./etcd/data-file.ts')).readEtcdData(path);
}

/** Writes a snapshot that etcdutl restores; see etcd/data-file.ts. */
export async function writeEtcdSnapshot(path: string, contents: StoreContents): Promise<void> {
  return (await import('./etcd/data-file.ts')).writeEtcdSnapshot(path, contents);
}
