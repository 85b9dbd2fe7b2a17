import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Clock } from '#machinery/clock';
import { bitString, children, integer, read, readTime, sequence, tagged, time } from './der.ts';
import {
  authorityKey,
  basicConstraints,
  extension,
  extensionIds,
  readExtensions,
  subjectKey,
  writeAlternativeNames,
  writeExtendedUsage,
  writeKeyUsage,
} from './extensions.ts';
import type { Extensions } from './extensions.ts';
import { readName, writeName } from './name.ts';
import type { Subject } from './name.ts';
import { decodePem, encodePem } from './pem.ts';
import { algorithmIdentifier, signDer } from './signature.ts';

export { usageNames } from './extensions.ts';

/** PEM texts; the key is PKCS #8 where we made it. */
export interface KeyPair {
  certificate: string;
  key: string;
}

/** A usage as certificates.k8s.io names it: "client auth", "server auth", "digital signature", …; see `usageNames`. */
export type CertificateUsage = string;

export interface IssueRequest {
  ca: KeyPair;
  commonName: string;
  organizations?: readonly string[];
  dnsNames?: readonly string[];
  ips?: readonly string[];
  emails?: readonly string[];
  uris?: readonly string[];
  /** Default: digital signature, client auth. */
  usages?: readonly CertificateUsage[];
  /** Default 365. */
  days?: number;
  /** Milliseconds since 1970; wins over `days`. */
  notAfter?: number;
  /** Milliseconds since 1970; default: five minutes ago, for clocks that differ. */
  notBefore?: number;
  clock: Clock;
}

/** What a certificate says. */
export interface CertificateInfo extends Extensions {
  subject: Subject;
  /** The names as they stand in the certificate, to compare issuers with subjects. */
  rawSubject: Buffer;
  rawIssuer: Buffer;
  serial: string;
  notBefore: number;
  notAfter: number;
  /** SubjectPublicKeyInfo. */
  publicKey: Buffer;
  /** The signed part, its algorithm and the signature. */
  body: Buffer;
  algorithm: Buffer;
  signature: Buffer;
  der: Buffer;
}

const day = 86_400_000;
const skew = 5 * 60_000;

interface Template {
  issuer: Buffer;
  subject: Buffer;
  /** SubjectPublicKeyInfo of the subject. */
  publicKey: Buffer;
  notBefore: number;
  notAfter: number;
  extensions: Buffer[];
}

/** Writes and signs a certificate. */
function certify(template: Template, signer: KeyObject): string {
  const algorithm = algorithmIdentifier(signer);
  const serial = randomBytes(16);
  serial[0]! &= 0x7f;
  serial[0]! |= 0x01;
  const version3 = tagged(0, integer(Buffer.from([2])));
  const body = sequence(
    version3,
    integer(serial),
    algorithm,
    template.issuer,
    sequence(time(template.notBefore), time(template.notAfter)),
    template.subject,
    template.publicKey,
    tagged(3, sequence(...template.extensions)),
  );
  return encodePem('CERTIFICATE', sequence(body, algorithm, bitString(signDer(signer, body))));
}

/** SHA-1 of the key's bits, as RFC 5280 4.2.1.2 proposes. It only names the key. */
const keyIdentifier = (publicKey: Uint8Array): Buffer =>
  createHash('sha1')
    .update(children(read(publicKey).content)[1]!.content.subarray(1))
    .digest();

/** A new self-signed authority; ten years unless `days` says otherwise. */
export function createCa(commonName: string, options: { clock: Clock; days?: number; organizations?: readonly string[] }): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const name = writeName({ commonName, organizations: [...(options.organizations ?? [])] });
  const now = options.clock.now();
  const key = keyIdentifier(spki);
  const certificate = certify(
    {
      issuer: name,
      subject: name,
      publicKey: spki,
      notBefore: now - skew,
      notAfter: now + (options.days ?? 3650) * day,
      extensions: [
        extension(extensionIds.keyUsage, true, writeKeyUsage(['digital signature', 'key encipherment', 'cert sign'])!),
        basicConstraints(true),
        subjectKey(key),
      ],
    },
    privateKey,
  );
  return { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
}

/** Authorities by identity of the pair, so that a start that issues a dozen certificates reads the CA once. */
const authorities = new WeakMap<KeyPair, { info: CertificateInfo; key: KeyObject }>();

function authority(ca: KeyPair): { info: CertificateInfo; key: KeyObject } {
  let known = authorities.get(ca);
  if (!known) {
    const [certificate] = parseCertificates(ca.certificate);
    if (!certificate) throw new Error('Cannot issue a certificate: the authority has none');
    known = { info: certificate, key: createPrivateKey(ca.key) };
    authorities.set(ca, known);
  }
  return known;
}

/** A certificate for a public key that somebody else holds. `publicKey`: SubjectPublicKeyInfo. */
export function issueFor(publicKey: Buffer, request: IssueRequest): string {
  const { info, key } = authority(request.ca);
  const now = request.clock.now();
  const usages = request.usages ?? ['digital signature', 'client auth'];
  const alternatives = {
    dnsNames: [...(request.dnsNames ?? [])],
    ips: [...(request.ips ?? [])],
    emails: [...(request.emails ?? [])],
    uris: [...(request.uris ?? [])],
  };
  const keyUsage = writeKeyUsage(usages);
  const extendedUsage = writeExtendedUsage(usages);
  const named = Object.values(alternatives).some((list) => list.length > 0);
  return certify(
    {
      issuer: info.rawSubject,
      subject: writeName({ commonName: request.commonName, organizations: [...(request.organizations ?? [])] }),
      publicKey,
      notBefore: request.notBefore ?? now - skew,
      notAfter: Math.min(request.notAfter ?? now + (request.days ?? 365) * day, info.notAfter),
      extensions: [
        ...(keyUsage ? [extension(extensionIds.keyUsage, true, keyUsage)] : []),
        ...(extendedUsage ? [extension(extensionIds.extendedUsage, false, extendedUsage)] : []),
        basicConstraints(false),
        ...(info.subjectKey ? [authorityKey(info.subjectKey)] : []),
        ...(named ? [extension(extensionIds.alternativeNames, false, writeAlternativeNames(alternatives))] : []),
      ],
    },
    key,
  );
}

/** A new key and a certificate for it. */
export function issue(request: IssueRequest): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = issueFor(publicKey.export({ type: 'spki', format: 'der' }), request);
  return { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
}

/** Reads one certificate; bytes after it are left alone. Throws where it is not one. */
export function parseCertificate(der: Uint8Array): CertificateInfo {
  const outer = read(der);
  const [body, algorithm, signature] = children(outer.content);
  if (!body || !algorithm || !signature) throw new Error('Cannot read the certificate: it has not three parts');
  const parts = children(body.content);
  if (parts[0]?.tag === 0xa0) parts.shift();
  const [serial, , issuer, validity, subject, publicKey, ...rest] = parts;
  if (!serial || !issuer || !validity || !subject || !publicKey) throw new Error('Cannot read the certificate: parts are missing');
  const [from, to] = children(validity.content);
  const extensions = rest.find((part) => part.tag === 0xa3);
  return {
    subject: readName(subject.raw),
    rawSubject: subject.raw,
    rawIssuer: issuer.raw,
    serial: serial.content.toString('hex'),
    notBefore: readTime(from!),
    notAfter: readTime(to!),
    publicKey: publicKey.raw,
    body: body.raw,
    algorithm: algorithm.raw,
    signature: signature.content.subarray(1),
    der: outer.raw,
    ...readExtensions(extensions ? read(extensions.content).content : Buffer.alloc(0)),
  };
}

/** The certificates of a PEM bundle. */
export const parseCertificates = (pem: string): CertificateInfo[] =>
  decodePem(pem)
    .filter((block) => block.label === 'CERTIFICATE')
    .map((block) => parseCertificate(block.der));

/** SubjectPublicKeyInfo of a private key in PEM. */
export const publicKeyOf = (key: string): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' });
