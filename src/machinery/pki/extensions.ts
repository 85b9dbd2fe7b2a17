import { isIPv4 } from 'node:net';
import { bitString, boolean, children, implicit, octetString, oid, read, readOid, sequence, set, tagged, tags } from './der.ts';
import type { Value } from './der.ts';

/** Extension OIDs (RFC 5280, 4.2). */
export const extensionIds = {
  subjectKey: '2.5.29.14',
  keyUsage: '2.5.29.15',
  alternativeNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKey: '2.5.29.35',
  extendedUsage: '2.5.29.37',
} as const;

/** By the bit's number; the names are those of certificates.k8s.io KeyUsage. */
const keyUsageBits = [
  'digital signature',
  'content commitment',
  'key encipherment',
  'data encipherment',
  'key agreement',
  'cert sign',
  'crl sign',
  'encipher only',
  'decipher only',
] as const;

const extendedUsages: Record<string, string> = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
};
const extendedById = new Map(Object.entries(extendedUsages).map(([name, id]) => [id, name]));

const synonyms: Record<string, string> = { signing: 'digital signature', 's/mime': 'email protection' };

/** The usages that the certificates API knows, and which of two extensions carries each. */
export const usageNames: readonly string[] = [...keyUsageBits, ...Object.keys(extendedUsages), ...Object.keys(synonyms)];

export interface AlternativeNames {
  dnsNames: string[];
  ips: string[];
  emails: string[];
  uris: string[];
}

export const extension = (id: string, critical: boolean, value: Uint8Array): Buffer =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));

function ipBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number));
  const [head = '', tail] = ip.split('::');
  const groups = (part: string): number[] =>
    part
      .split(':')
      .filter(Boolean)
      .flatMap((group) => {
        if (group.includes('.')) return group.split('.').map(Number);
        const number = Number.parseInt(group, 16);
        return [number >> 8, number & 0xff];
      });
  const first = groups(head);
  const last = groups(tail ?? '');
  return Buffer.from([...first, ...Buffer.alloc(16 - first.length - last.length), ...last]);
}

/** An address in its canonical text (RFC 5952) from 4 or 16 bytes. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2]! << 8) | bytes[index * 2 + 1]!).toString(16));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  if (best.start < 0) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}

export function writeAlternativeNames(names: AlternativeNames): Buffer {
  return sequence(
    ...names.dnsNames.map((name) => implicit(2, Buffer.from(name, 'latin1'))),
    ...names.emails.map((name) => implicit(1, Buffer.from(name, 'latin1'))),
    ...names.ips.map((ip) => implicit(7, ipBytes(ip))),
    ...names.uris.map((uri) => implicit(6, Buffer.from(uri, 'latin1'))),
  );
}

export function writeKeyUsage(usages: readonly string[]): Buffer | undefined {
  const bits = usages.map((usage) => keyUsageBits.indexOf((synonyms[usage] ?? usage) as 'cert sign')).filter((bit) => bit >= 0);
  if (bits.length === 0) return undefined;
  const last = Math.max(...bits);
  const bytes = Buffer.alloc((last >> 3) + 1);
  for (const bit of bits) bytes[bit >> 3]! |= 0x80 >> (bit & 7);
  return bitString(bytes, 7 - (last & 7));
}

export function writeExtendedUsage(usages: readonly string[]): Buffer | undefined {
  const ids = usages.map((usage) => extendedUsages[synonyms[usage] ?? usage]).filter((id) => id !== undefined);
  return ids.length > 0 ? sequence(...ids.map(oid)) : undefined;
}

/** What a certificate or a request says in its extensions. */
export interface Extensions extends AlternativeNames {
  usages: string[];
  isCa: boolean;
  subjectKey?: Buffer;
}

/** Reads the content of a SEQUENCE OF Extension. */
export function readExtensions(content: Uint8Array): Extensions {
  const result: Extensions = { dnsNames: [], ips: [], emails: [], uris: [], usages: [], isCa: false };
  for (const entry of children(content)) {
    const parts = children(entry.content);
    const value = read(parts.at(-1)!.content);
    switch (readOid(parts[0]!.content)) {
      case extensionIds.alternativeNames:
        readAlternativeNames(value, result);
        break;
      case extensionIds.keyUsage:
        for (const [bit, name] of keyUsageBits.entries())
          if ((value.content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) result.usages.push(name);
        break;
      case extensionIds.extendedUsage:
        for (const id of children(value.content)) result.usages.push(extendedById.get(readOid(id.content)) ?? readOid(id.content));
        break;
      case extensionIds.basicConstraints: {
        const [flag] = children(value.content);
        result.isCa = flag?.tag === tags.boolean && flag.content[0] !== 0;
        break;
      }
      case extensionIds.subjectKey:
        result.subjectKey = value.content;
        break;
    }
  }
  return result;
}

function readAlternativeNames(value: Value, result: AlternativeNames): void {
  for (const { tag, content } of children(value.content)) {
    if (tag === 0x82) result.dnsNames.push(content.toString('latin1'));
    else if (tag === 0x81) result.emails.push(content.toString('latin1'));
    else if (tag === 0x86) result.uris.push(content.toString('latin1'));
    else if (tag === 0x87) result.ips.push(ipText(content));
  }
}

export const basicConstraints = (isCa: boolean): Buffer =>
  extension(extensionIds.basicConstraints, true, isCa ? sequence(boolean(true)) : sequence());
export const authorityKey = (key: Uint8Array): Buffer => extension(extensionIds.authorityKey, false, sequence(implicit(0, key)));
export const subjectKey = (key: Uint8Array): Buffer => extension(extensionIds.subjectKey, false, octetString(key));

/** The attribute of a request that carries extensions (PKCS #9 extensionRequest). */
export const extensionRequestId = '1.2.840.113549.1.9.14';
export const extensionRequest = (extensions: Uint8Array[]): Buffer =>
  tagged(0, ...(extensions.length > 0 ? [sequence(oid(extensionRequestId), set(sequence(...extensions)))] : []));
