/**
 * Chooses a node for each pod and binds it there: the pod's step "scheduled". Upstream counterpart: cmd/kube-scheduler, pkg/scheduler.
 * Invariants: scheduling cycles are synchronous and one at a time; a pod is placed in the cache (assumed) from the moment it is chosen for
 * until its binding fails or its informer takes over; a pod waits in exactly one place of the queue.
 * Read first: contract.ts (the framework), schedule-one.ts (a cycle), plugins/index.ts.
 */
export { createScheduler } from './scheduler.ts';
export type { SchedulerOptions, SchedulingDecision } from './scheduler.ts';
export type { PluginSet, SchedulerConfiguration, SchedulerProfile } from './config.ts';
export type { Handle, Plugin, PluginFactory, QueuedPod } from './contract.ts';
