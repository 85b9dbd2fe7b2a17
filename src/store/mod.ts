/**
 * The store: a revisioned key-value store with etcd's semantics, on which everything the API server knows is kept.
 * Step of the pod's way: "stored". Upstream counterpart: etcd. Read first: contract.ts; then mvcc/store.ts, which memory/ and lmdb/ share.
 * Invariants: revisions only grow; acknowledged means durable; a watcher misses nothing and sees nothing twice.
 */
export * from './contract.ts';
export { covers, prefixEnd, prefixRange } from './key-range.ts';
export { etcdStore } from './etcd/mod.ts';
export type { EtcdStoreOptions, EtcdTls } from './etcd/mod.ts';
export { etcdServer } from './etcd-server/mod.ts';
export type { EtcdServer, EtcdServerOptions, ServerTls } from './etcd-server/mod.ts';
export { LmdbStore, lmdbStore, restoreSnapshot, verifyStore } from './lmdb/mod.ts';
export type { LmdbStoreOptions } from './lmdb/mod.ts';
export { memoryStore } from './memory/mod.ts';
export type { MemoryStore } from './memory/mod.ts';
export { SortedMap } from './sorted-map.ts';
