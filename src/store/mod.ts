/**
 * The store: a revisioned key-value store with etcd's semantics, on which everything the API server knows is kept.
 * Step of the pod's way: "stored". Upstream counterpart: etcd. Read first: contract.ts; then memory/, the plainest back end.
 * Invariants: revisions only grow; acknowledged means durable; a watcher misses nothing and sees nothing twice.
 */
export * from './contract.ts';
