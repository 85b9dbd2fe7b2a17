/**
 * Services in nftables: what reaches a Service's addresses goes to its endpoints. Not a step of the pod's way, but what makes "in its
 * Services" true on each node. Upstream counterpart: cmd/kube-proxy, pkg/proxy/nftables.
 * Invariants: the kernel changes in whole transactions; a change of one Service touches that Service's rules alone; the table goes with the component.
 * Read first: base-rules.ts (the table), service-rules.ts (a Service's part), proxier.ts (how it is kept up to date).
 */
export { createProxy } from './proxier.ts';
export type { ProxyOptions } from './proxier.ts';
