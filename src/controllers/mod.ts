/**
 * The controllers: each watches some kinds and makes the world as they ask; index.ts lists them, one file each.
 * Upstream counterpart: kube-controller-manager. Read first: contract.ts, then replica-set.ts.
 * Invariant: a controller knows the others only through the API.
 */
export * from './contract.ts';
