/**
 * The one client of the API: typed calls over a Transport (in process or HTTP), informers, work queues, leader election, events.
 * Upstream counterpart: client-go. Read first: contract.ts; then client.ts and informer.ts.
 * Invariant: a component cannot tell whether its transport is in process or HTTP.
 */
export * from './contract.ts';
export { clientOver } from './client.ts';
export { informersOver } from './informers.ts';
export { workQueue } from './work-queue.ts';
export type { WorkQueueOptions } from './work-queue.ts';
export { TokenBucket } from './token-bucket.ts';
export { actionRecorder } from './action-recorder.ts';
export type { ActionRecorderOptions, RunningActionRecorder } from './action-recorder.ts';
export { eventRecorder } from './event-recorder.ts';
export type { EventRecorderOptions, RunningEventRecorder } from './event-recorder.ts';
export { delegatedAccess } from './delegated-access.ts';
export type { AccessAttributes, DelegatedAccess, DelegatedUser } from './delegated-access.ts';
export { leaderElection } from './leader-election.ts';
export type { LeaderElectionOptions } from './leader-election.ts';
export { retryOnConflict } from './retry-on-conflict.ts';
export { httpSession, httpTransport } from './http-transport.ts';
export type { HttpTransport, HttpTransportOptions } from './http-transport.ts';
export { acceptOf, methods, patchMediaTypes, pathOf } from './path.ts';
