/** IP addresses as numbers. upstream: Go's net/netip and net, k8s.io/utils/net/parse.go. */

export type Family = 4 | 6;

export interface Address {
  readonly family: Family;
  readonly value: bigint;
  /** True where it was written as IPv4 inside IPv6 (::ffff:1.2.3.4); the family is then 6. */
  readonly mapped?: boolean;
  /** The zone of a link-local IPv6 address (fe80::1%eth0). */
  readonly zone?: string;
}

export const bitsOf = (family: Family): number => (family === 4 ? 32 : 128);
const mappedPrefix = 0xffff_0000_0000n;

function parse4(text: string, leadingZeros: boolean): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^[0-9]+$/.test(part)) return undefined;
    if (part.length > 1 && part.startsWith('0') && !leadingZeros) return undefined;
    const number = Number(part);
    if (number > 255) return undefined;
    value = (value << 8n) | BigInt(number);
  }
  return value;
}

function parse6(text: string, leadingZeros: boolean): bigint | undefined {
  const gap = text.indexOf('::');
  if (gap >= 0 && text.includes('::', gap + 1)) return undefined;
  const groups = (part: string): bigint[] | undefined => {
    if (part === '') return [];
    const found: bigint[] = [];
    const words = part.split(':');
    for (const [index, word] of words.entries()) {
      if (word.includes('.') && index === words.length - 1) {
        const four = parse4(word, leadingZeros);
        if (four === undefined) return undefined;
        found.push(four >> 16n, four & 0xffffn);
      } else if (/^[0-9a-fA-F]{1,4}$/.test(word)) found.push(BigInt(`0x${word}`));
      else return undefined;
    }
    return found;
  };
  const head = groups(gap < 0 ? text : text.slice(0, gap));
  const tail = gap < 0 ? [] : groups(text.slice(gap + 2));
  if (!head || !tail) return undefined;
  // An address of four bytes stands only at the very end.
  if (gap >= 0 && text.slice(0, gap).includes('.')) return undefined;
  const missing = 8 - head.length - tail.length;
  if (gap < 0 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...Array.from({ length: missing }, () => 0n), ...tail].reduce((value, group) => (value << 16n) | group, 0n);
}

function parse(text: string, leadingZeros: boolean, zones: boolean): Address | undefined {
  if (!text.includes(':')) {
    const value = parse4(text, leadingZeros);
    return value === undefined ? undefined : { family: 4, value };
  }
  const percent = text.indexOf('%');
  if (percent >= 0 && (!zones || percent === text.length - 1)) return undefined;
  const value = parse6(percent < 0 ? text : text.slice(0, percent), leadingZeros);
  if (value === undefined) return undefined;
  return {
    family: 6,
    value,
    ...(value >> 32n === mappedPrefix >> 32n && { mapped: true }),
    ...(percent >= 0 && { zone: text.slice(percent + 1) }),
  };
}

/** As netip.ParseAddr reads it: no leading zeros, zones allowed. */
export const parseAddress = (text: string): Address | undefined => parse(text, false, true);

/** As upstream reads old fields (netutils.ParseIPSloppy): leading zeros are decimal; ::ffff:1.2.3.4 is 1.2.3.4. */
export function parseAddressLoosely(text: string): Address | undefined {
  const address = parse(text, true, false);
  return address && unmapped(address);
}

/** The IPv4 address inside an IPv4-mapped IPv6 one; others as they are. */
export const unmapped = (address: Address): Address => (address.mapped ? { family: 4, value: address.value & 0xffff_ffffn } : address);

export const addressOf = (family: Family, value: bigint): Address => ({ family, value });

const dotted = (value: bigint): string => [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');

/** RFC 5952: lower case, no leading zeros, the first longest run of zeros left out. */
export function formatAddress(address: Address): string {
  const { family, value, mapped, zone } = address;
  if (family === 4) return dotted(value);
  const end = zone === undefined ? '' : `%${zone}`;
  if (mapped) return `::ffff:${dotted(value & 0xffff_ffffn)}${end}`;
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  let start = -1;
  let length = 1;
  for (let index = 0; index < 8;) {
    let next = index;
    while (next < 8 && groups[next] === 0) next++;
    if (next - index > length) [start, length] = [index, next - index];
    index = Math.max(next, index + 1);
  }
  const words = groups.map((group) => group.toString(16));
  if (start < 0) return words.join(':') + end;
  return `${words.slice(0, start).join(':')}::${words.slice(start + length).join(':')}${end}`;
}

export const isIP = (text: string): boolean => parseAddressLoosely(text) !== undefined;
export const isIPv4 = (text: string): boolean => parseAddressLoosely(text)?.family === 4;
export const isIPv6 = (text: string): boolean => parseAddressLoosely(text)?.family === 6;

/** The canonical text; undefined where `text` is no address. */
export function canonicalIP(text: string): string | undefined {
  const address = parseAddressLoosely(text);
  return address && formatAddress(address);
}

/** Order by family, then by number: -1, 0 or 1. */
export function compareAddresses(a: Address, b: Address): -1 | 0 | 1 {
  if (a.family !== b.family) return a.family < b.family ? -1 : 1;
  return a.value === b.value ? 0 : a.value < b.value ? -1 : 1;
}

const starts = (value: bigint, bits: number, prefix: bigint, length: number): boolean =>
  value >> BigInt(bits - length) === prefix >> BigInt(bits - length);
const inside = (address: Address, four: [string, number], six: [string, number]): boolean => {
  const { family, value } = unmapped(address);
  const [prefix, length] = family === 4 ? four : six;
  return starts(value, bitsOf(family), parse(prefix, false, false)!.value, length);
};

export const isLoopback = (address: Address): boolean => inside(address, ['127.0.0.0', 8], ['::1', 128]);
export const isUnspecified = (address: Address): boolean => address.value === 0n;
export const isMulticast = (address: Address): boolean => inside(address, ['224.0.0.0', 4], ['ff00::', 8]);
export const isLinkLocalUnicast = (address: Address): boolean => inside(address, ['169.254.0.0', 16], ['fe80::', 10]);
export function isLinkLocalMulticast(address: Address): boolean {
  const { family, value } = unmapped(address);
  return family === 4 ? starts(value, 32, 0xe0000000n, 24) : ((value >> 112n) & 0xff0fn) === 0xff02n;
}
export function isGlobalUnicast(address: Address): boolean {
  const { family, value } = unmapped(address);
  const broadcast = family === 4 && value === 0xffff_ffffn;
  return !broadcast && !isUnspecified(address) && !isLoopback(address) && !isMulticast(address) && !isLinkLocalUnicast(address);
}

/** The name that PTR records of the address stand under, with its final dot. */
export function reverseName(address: Address): string {
  const { family, value } = unmapped(address);
  if (family === 4) return `${dotted(value).split('.').reverse().join('.')}.in-addr.arpa.`;
  return `${value.toString(16).padStart(32, '0').split('').reverse().join('.')}.ip6.arpa.`;
}
