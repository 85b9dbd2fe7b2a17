/**
 * Addresses, routes and host ports of a node's pods: the pod's step "network" (the runtime calls the CNI plugins that the file written here
 * names). Upstream counterparts: a network add-on (kindnet, flannel in host-gw mode), the portmap plugin.
 * Invariants: pods of one node are routed, never bridged; what was written to the machine goes with the component.
 * Read first: node-network.ts.
 */
export { createNodeNetwork } from './node-network.ts';
export type { NodeNetworkOptions } from './node-network.ts';
export { conflist, conflistName } from './conflist.ts';
