import { addressOf, contains, containsNetwork, formatAddress, networkOf, parseNetwork } from '#machinery/ip';
import type { Network } from '#machinery/ip';
import { library } from '../check/declarations.ts';
import { opaque } from '../types.ts';
import { CelError } from '../values/scalars.ts';
import { Opaque } from '../values/value.ts';
import type { Value } from '../values/value.ts';
import { IPValue, parseIP } from './ip.ts';

/** upstream: apiserver/pkg/cel/library/cidr.go. */

export const cidrType = opaque('net.CIDR');

export class CIDRValue extends Opaque {
  readonly type = cidrType;
  readonly network: Network;
  constructor(network: Network) {
    super();
    this.network = network;
  }
  override get size(): number {
    return Math.ceil(this.network.prefix / 8);
  }
  equals(other: Value): boolean {
    return other instanceof CIDRValue && this.toString() === other.toString();
  }
  toString(): string {
    return `${formatAddress(this.network.address)}/${this.network.prefix}`;
  }
}

function parse(text: string): Network | CelError {
  const network = parseNetwork(text);
  if (!network) {
    const reason = text.includes('/') ? 'unable to parse IP' : "no '/'";
    return new CelError(`network address parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): ${reason}`);
  }
  return network.address.mapped ? new CelError(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`) : network;
}

export const cidrLibrary = library(
  `
cidr string_to_cidr(string) -> net.CIDR
.containsCIDR cidr_contains_cidr_string(net.CIDR, string) -> bool
.containsCIDR cidr_contains_cidr(net.CIDR, net.CIDR) -> bool
.containsIP cidr_contains_ip_string(net.CIDR, string) -> bool
.containsIP cidr_contains_ip_ip(net.CIDR, net.IP) -> bool
.ip cidr_ip(net.CIDR) -> net.IP
isCIDR is_cidr(string) -> bool
.masked cidr_masked(net.CIDR) -> net.CIDR
.prefixLength cidr_prefix_length(net.CIDR) -> int
string cidr_to_string(net.CIDR) -> string
`,
  {
    string_to_cidr: (text: string) => {
      const network = parse(text);
      return network instanceof CelError
        ? new CelError(`network address parse error during conversion from string: ${network.message}`)
        : new CIDRValue(network);
    },
    is_cidr: (text: string) => !(parse(text) instanceof CelError),
    cidr_to_string: (cidr: CIDRValue) => cidr.toString(),
    cidr_contains_ip_ip: (cidr: CIDRValue, ip: IPValue) => contains(cidr.network, ip.address),
    cidr_contains_ip_string: (cidr: CIDRValue, text: string) => {
      const address = parseIP(text);
      return address instanceof CelError ? address : contains(cidr.network, address);
    },
    cidr_contains_cidr: (cidr: CIDRValue, other: CIDRValue) => containsNetwork(cidr.network, other.network),
    cidr_contains_cidr_string: (cidr: CIDRValue, text: string) => {
      const other = parse(text);
      return other instanceof CelError ? other : containsNetwork(cidr.network, other);
    },
    cidr_ip: (cidr: CIDRValue) => new IPValue(cidr.network.address),
    cidr_masked: ({ network }: CIDRValue) => new CIDRValue(networkOf(addressOf(network.family, network.value), network.prefix)),
    cidr_prefix_length: ({ network }: CIDRValue) => BigInt(network.prefix),
  },
);
