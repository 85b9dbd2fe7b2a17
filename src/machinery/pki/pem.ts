import { generateKeyPairSync } from 'node:crypto';

export interface PemBlock {
  /** What stands after BEGIN: CERTIFICATE, PRIVATE KEY, CERTIFICATE REQUEST. */
  label: string;
  der: Buffer;
}

export function encodePem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
  return `-----BEGIN ${label}-----\n${base64.replaceAll(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;
}

/** The blocks of a PEM text, in order; what stands between them is skipped. */
export function decodePem(pem: string): PemBlock[] {
  return [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/g)].map((match) => ({
    label: match[1]!,
    // Headers ("Proc-Type: …") stand before an empty line.
    der: Buffer.from(match[2]!.includes(':') ? match[2]!.split(/\r?\n\r?\n/).at(-1)! : match[2]!, 'base64'),
  }));
}

/** A new P-256 key as PKCS #8 PEM. */
export const generateKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256', privateKeyEncoding: { type: 'pkcs8', format: 'pem' } }).privateKey;
