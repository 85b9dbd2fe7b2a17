/**
 * Names for Services and pods. Not a step of the pod's way. Upstream counterpart: CoreDNS with its kubernetes, forward and cache plugins.
 * Invariants: answers about the cluster come from memory, never from a request; nothing waits for a resolver outside when there is none.
 * Read first: cluster-zone.ts (what names mean), dns.ts (the server).
 */
export { createDns } from './dns.ts';
export type { DnsComponent, DnsOptions, RunningDns } from './dns.ts';
