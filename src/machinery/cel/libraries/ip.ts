import {
  compareAddresses,
  formatAddress,
  isGlobalUnicast,
  isLinkLocalMulticast,
  isLinkLocalUnicast,
  isLoopback,
  isUnspecified,
  parseAddress,
} from '#machinery/ip';
import type { Address } from '#machinery/ip';
import { library } from '../check/declarations.ts';
import { opaque } from '../types.ts';
import { CelError } from '../values/scalars.ts';
import { Opaque } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** upstream: apiserver/pkg/cel/library/ip.go. */

export const ipType = opaque('net.IP');

export class IPValue extends Opaque {
  readonly type = ipType;
  readonly address: Address;
  constructor(address: Address) {
    super();
    this.address = address;
  }
  override get size(): number {
    return this.address.family === 4 ? 4 : 16;
  }
  equals(other: Value): boolean {
    return other instanceof IPValue && compareAddresses(this.address, other.address) === 0;
  }
  toString(): string {
    return formatAddress(this.address);
  }
}

/** Neither zones nor IPv4 inside IPv6: what they mean depends on who reads them. */
export function parseIP(text: string): Address | CelError {
  const address = parseAddress(text);
  if (!address)
    return new CelError(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`,
    );
  if (address.zone !== undefined) return new CelError(`IP address ${JSON.stringify(text)} with zone value is not allowed`);
  if (address.mapped) return new CelError(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`);
  return address;
}

const test =
  (is: (address: Address) => boolean) =>
  ({ address }: IPValue): boolean =>
    is(address);

export const ipLibrary = library(
  `
.family ip_family(net.IP) -> int
ip string_to_ip(string) -> net.IP
ip.isCanonical ip_is_canonical(string) -> bool
.isGlobalUnicast ip_is_global_unicast(net.IP) -> bool
isIP is_ip(string) -> bool
.isLinkLocalMulticast ip_is_link_local_multicast(net.IP) -> bool
.isLinkLocalUnicast ip_is_link_local_unicast(net.IP) -> bool
.isLoopback ip_is_loopback(net.IP) -> bool
.isUnspecified ip_is_unspecified(net.IP) -> bool
string ip_to_string(net.IP) -> string
`,
  {
    string_to_ip: (text: string) => {
      const address = parseIP(text);
      return address instanceof CelError ? address : new IPValue(address);
    },
    is_ip: (text: string) => !(parseIP(text) instanceof CelError),
    ip_is_canonical: (text: string) => {
      const address = parseIP(text);
      return address instanceof CelError ? address : formatAddress(address) === text;
    },
    ip_to_string: (ip: IPValue) => ip.toString(),
    ip_family: ({ address }: IPValue) => BigInt(address.family),
    ip_is_unspecified: test(isUnspecified),
    ip_is_loopback: test(isLoopback),
    ip_is_link_local_multicast: test(isLinkLocalMulticast),
    ip_is_link_local_unicast: test(isLinkLocalUnicast),
    ip_is_global_unicast: test(isGlobalUnicast),
  },
);
