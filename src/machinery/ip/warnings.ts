import { bitsOf, formatAddress, parseAddress, parseAddressLoosely } from './address.ts';
import { formatNetwork, parseNetwork, parseNetworkLoosely } from './network.ts';

/** Warnings for spellings that old fields still take. upstream: apimachinery/pkg/util/validation/ip.go. */

const quoted = (text: string): string => JSON.stringify(text);

export function warningsForIP(path: string, value: string): string[] {
  const address = parseAddressLoosely(value);
  if (!address) return [];
  const exact = parseAddress(value);
  const text = formatAddress(address);
  if (!exact || exact.mapped)
    return [
      `${path}: non-standard IP address ${quoted(value)} will be considered invalid in a future Kubernetes release: use ${quoted(text)}`,
    ];
  if (exact.family === 6 && text !== value)
    return [`${path}: IPv6 address ${quoted(value)} should be in RFC 5952 canonical format (${quoted(text)})`];
  return [];
}

export function warningsForCIDR(path: string, value: string): string[] {
  const network = parseNetworkLoosely(value);
  if (!network) return [];
  const text = formatNetwork(network);
  const warnings: string[] = [];
  if (network.address.value !== network.value) {
    const single = `${formatAddress(network.address)}/${bitsOf(network.family)}`;
    warnings.push(`${path}: CIDR value ${quoted(value)} is ambiguous in this context (should be ${quoted(text)} or ${quoted(single)}?)`);
  }
  const exact = parseNetwork(value);
  if (!exact || exact.address.mapped)
    warnings.push(
      `${path}: non-standard CIDR value ${quoted(value)} will be considered invalid in a future Kubernetes release: use ${quoted(text)}`,
    );
  if (warnings.length === 0 && exact?.family === 6 && text !== value)
    warnings.push(`${path}: IPv6 CIDR value ${quoted(value)} should be in RFC 5952 canonical format (${quoted(text)})`);
  return warnings;
}
