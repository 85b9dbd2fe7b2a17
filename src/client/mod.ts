/**
 * The one client of the API: typed calls over a Transport (in process or HTTP), informers, work queues, leader election, events.
 * Upstream counterpart: client-go. Read first: contract.ts.
 * Invariant: a component cannot tell whether its transport is in process or HTTP.
 */
export * from './contract.ts';
