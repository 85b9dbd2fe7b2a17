/**
 * The node's agent: takes the pods that were scheduled here and brings their sandboxes, volumes and containers to what they ask for,
 * and tells the API how they fare. Steps of the pod's way: "accepted", "volumes", "ready"; it drives the runtime for the ones between.
 * Upstream counterpart: pkg/kubelet. Read first: contract.ts, then pod-workers.ts (a pod's life), pod-sync.ts (one look at it),
 * pod-runtime/actions.ts (what is to be done) and pod-runtime/manager.ts (doing it).
 * Invariants: a worker does one thing at a time for its pod; a healthy container found at the start is adopted, never restarted; a final
 * phase is told only when nothing runs any more.
 */
export * from './contract.ts';
export { createKubelet } from './kubelet.ts';
export { removeCgroups } from './resources/cgroups.ts';
