/**
 * IP addresses, networks and ranges, on whole numbers: IPv4 and IPv6 alike.
 * Upstream counterpart: net/netip, k8s.io/utils/net, apimachinery/pkg/util/validation/ip.go.
 * Invariant: an Address or Network is immutable. Read first: address.ts, network.ts.
 */
export {
  addressOf,
  canonicalIP,
  compareAddresses,
  formatAddress,
  isIP,
  isIPv4,
  isIPv6,
  isLinkLocalMulticast,
  isLinkLocalUnicast,
  isLoopback,
  isMulticast,
  isGlobalUnicast,
  isUnspecified,
  parseAddress,
  parseAddressLoosely,
  reverseName,
} from './address.ts';
export type { Address, Family } from './address.ts';
export {
  broadcastAddress,
  canonicalNetwork,
  contains,
  containsNetwork,
  formatNetwork,
  networkOf,
  nthAddress,
  overlaps,
  parseNetwork,
  parseNetworkLoosely,
  networkSize,
  subnet,
} from './network.ts';
export type { Network } from './network.ts';
export { validateCIDR, validateCIDRForLegacyField, validateInterfaceAddress, validateIP, validateIPForLegacyField } from './validation.ts';
export { warningsForCIDR, warningsForIP } from './warnings.ts';
