import { invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { formatAddress, parseAddress, parseAddressLoosely } from './address.ts';
import type { Address } from './address.ts';
import { formatNetwork, parseNetwork, parseNetworkLoosely } from './network.ts';
import type { Network } from './network.ts';

/** Addresses in fields of the API. upstream: apimachinery/pkg/util/validation/ip.go. */

function readIP(path: string, value: string, strict: boolean): [Address | undefined, FieldError[]] {
  const address = parseAddressLoosely(value);
  if (!address) return [undefined, [invalidField(path, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]];
  const errors: FieldError[] = [];
  if (strict) {
    const exact = parseAddress(value);
    if (!exact) errors.push(invalidField(path, value, 'must not have leading 0s'));
    else if (exact.mapped) errors.push(invalidField(path, value, 'must not be an IPv4-mapped IPv6 address'));
  }
  return [address, errors];
}

/** For fields as old as the API: any spelling, and with `strict` false leading zeros and mapped addresses as well. Values in `old` pass. */
export const validateIPForLegacyField = (path: string, value: string, strict: boolean, old: readonly string[] = []): FieldError[] =>
  old.includes(value) ? [] : readIP(path, value, strict)[1];

/** For newer fields: only the canonical spelling. */
export function validateIP(path: string, value: string): FieldError[] {
  const [address, errors] = readIP(path, value, true);
  if (errors.length || !address) return errors;
  return canonical(path, value, formatAddress(address));
}

const canonical = (path: string, value: string, wanted: string): FieldError[] =>
  value === wanted ? [] : [invalidField(path, value, `must be in canonical form (${JSON.stringify(wanted)})`)];

function readCIDR(path: string, value: string, strict: boolean): [Network | undefined, FieldError[]] {
  const network = parseNetworkLoosely(value);
  if (!network) return [undefined, [invalidField(path, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')]];
  if (!strict) return [network, []];
  const exact = parseNetwork(value);
  if (!exact) return [network, [invalidField(path, value, 'must not have leading 0s in IP or prefix length')]];
  if (exact.address.mapped) return [network, [invalidField(path, value, 'must not have an IPv4-mapped IPv6 address')]];
  if (exact.address.value !== exact.value) return [network, [invalidField(path, value, 'must not have bits set beyond the prefix length')]];
  return [network, []];
}

export const validateCIDRForLegacyField = (path: string, value: string, strict: boolean, old: readonly string[] = []): FieldError[] =>
  old.includes(value) ? [] : readCIDR(path, value, strict)[1];

export function validateCIDR(path: string, value: string): FieldError[] {
  const [network, errors] = readCIDR(path, value, true);
  if (errors.length || !network) return errors;
  return canonical(path, value, formatNetwork(network));
}

/** An address with the length of its network: 192.168.1.5/24. */
export function validateInterfaceAddress(path: string, value: string): FieldError[] {
  const network = parseNetworkLoosely(value);
  if (!network) return [invalidField(path, value, 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)')];
  return canonical(path, value, `${formatAddress(network.address)}/${network.prefix}`);
}
