/**
 * NetworkPolicies in nftables: which pods may talk to which. Not a step of the pod's way. Upstream has no counterpart but the API; the
 * meaning is that of networking.k8s.io/v1 and the test suite test/e2e/network/netpol.
 * Invariants: a pod that no policy selects is open; the node always reaches its own pods; what is established stays.
 * Read first: policy-rules.ts.
 */
export { createPolicy } from './policy.ts';
export type { PolicyOptions } from './policy.ts';
