import { addressOf, bitsOf, formatAddress, parseAddress, parseAddressLoosely, unmapped } from './address.ts';
import type { Address, Family } from './address.ts';

/** Networks: an address and how many of its bits count. upstream: net/netip Prefix, k8s.io/utils/net. */
export interface Network {
  readonly family: Family;
  /** The network's first address: bits beyond the prefix are zero. */
  readonly value: bigint;
  readonly prefix: number;
  /** As it was written, which may have bits set beyond the prefix. */
  readonly address: Address;
}

const mask = (family: Family, prefix: number): bigint => {
  const host = BigInt(bitsOf(family) - prefix);
  return ((1n << BigInt(bitsOf(family))) - 1n) ^ ((1n << host) - 1n);
};

export const networkOf = (address: Address, prefix: number): Network => ({
  family: address.family,
  value: address.value & mask(address.family, prefix),
  prefix,
  address,
});

function parse(text: string, read: (text: string) => Address | undefined, length: RegExp): Network | undefined {
  const slash = text.lastIndexOf('/');
  if (slash < 0) return undefined;
  const address = read(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  if (!address || address.zone !== undefined || !length.test(bits)) return undefined;
  const prefix = Number(bits);
  return prefix > bitsOf(address.family) ? undefined : networkOf(address, prefix);
}

/** As netip.ParsePrefix reads it: no leading zeros. */
export const parseNetwork = (text: string): Network | undefined => parse(text, parseAddress, /^(?:0|[1-9][0-9]*)$/);

/** As upstream reads old fields (netutils.ParseCIDRSloppy): leading zeros are decimal; ::ffff:1.2.3.4/120 is 1.2.3.4/24. */
export function parseNetworkLoosely(text: string): Network | undefined {
  const slash = text.lastIndexOf('/');
  if (slash < 0) return undefined;
  const address = parseAddressLoosely(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  if (!address || !/^[0-9]+$/.test(bits)) return undefined;
  const written = text.includes(':') ? 128 : 32;
  if (Number(bits) > written) return undefined;
  const prefix = Number(bits) - (written - bitsOf(address.family));
  return prefix < 0 ? undefined : networkOf(address, prefix);
}

export const formatNetwork = (network: Network): string => `${formatAddress(addressOf(network.family, network.value))}/${network.prefix}`;

/** The canonical text; undefined where `text` is no network. */
export function canonicalNetwork(text: string): string | undefined {
  const network = parseNetworkLoosely(text);
  return network && formatNetwork(network);
}

export function contains(network: Network, address: Address): boolean {
  const { family, value } = unmapped(address);
  return family === network.family && (value & mask(family, network.prefix)) === network.value;
}

export const containsNetwork = (outer: Network, inner: Network): boolean =>
  inner.family === outer.family && inner.prefix >= outer.prefix && (inner.value & mask(outer.family, outer.prefix)) === outer.value;

export const overlaps = (a: Network, b: Network): boolean => containsNetwork(a, b) || containsNetwork(b, a);

/** How many addresses it has, the first and last included. */
export const networkSize = (network: Network): bigint => 1n << BigInt(bitsOf(network.family) - network.prefix);

/** The address `index` after the first; a negative index counts from the end (-1: the last). Undefined outside of the network. */
export function nthAddress(network: Network, index: bigint | number): Address | undefined {
  const size = networkSize(network);
  const wanted = BigInt(index) < 0n ? size + BigInt(index) : BigInt(index);
  return wanted < 0n || wanted >= size ? undefined : addressOf(network.family, network.value + wanted);
}

export const broadcastAddress = (network: Network): Address => nthAddress(network, -1)!;

/** The `index`th network of `prefix` bits inside (a node's range of pod addresses). Undefined where it does not fit. */
export function subnet(network: Network, prefix: number, index: bigint | number): Network | undefined {
  if (prefix < network.prefix || prefix > bitsOf(network.family)) return undefined;
  const size = 1n << BigInt(bitsOf(network.family) - prefix);
  const address = BigInt(index) < 0n ? undefined : nthAddress(network, BigInt(index) * size);
  return address && networkOf(address, prefix);
}
