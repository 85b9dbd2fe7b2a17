/**
 * The network of a node: addresses and routes for pods, Services, names, policies.
 * Upstream counterparts: kube-proxy, CoreDNS with its kubernetes plugin, CNI configuration, a NetworkPolicy implementation.
 * Each part is a component of its own: proxy/, dns/, cni/, policy/. Read first: the mod.ts of each.
 */
export { localMachine } from './command.ts';
export type { Machine } from './command.ts';
export { createProxy } from './proxy/mod.ts';
export type { ProxyOptions } from './proxy/mod.ts';
export { createDns } from './dns/mod.ts';
export type { DnsComponent, DnsOptions, RunningDns } from './dns/mod.ts';
export { createNodeNetwork } from './cni/mod.ts';
export type { NodeNetworkOptions } from './cni/mod.ts';
export { createPolicy } from './policy/mod.ts';
export type { PolicyOptions } from './policy/mod.ts';
