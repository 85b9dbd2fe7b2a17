/**
 * The controllers: each watches some kinds and makes the world as they ask; index.ts lists them, one file each.
 * Upstream counterpart: kube-controller-manager. Read first: contract.ts, then replica-set.ts and replica-manager.ts.
 * Invariant: a controller knows the others only through the API.
 */
export * from './contract.ts';
export { startControllers } from './runtime.ts';
export type { ControllersStart, RunningControllers } from './runtime.ts';
export { defaultOptions } from './options.ts';
export { controllers } from './index.ts';
