import { createPrivateKey } from 'node:crypto';
import { issueFor, publicKeyOf } from './certificate.ts';
import type { IssueRequest } from './certificate.ts';
import { bitString, children, integer, read, readOid, sequence } from './der.ts';
import { extension, extensionIds, extensionRequest, extensionRequestId, readExtensions, writeAlternativeNames } from './extensions.ts';
import type { Extensions } from './extensions.ts';
import { readName, writeName } from './name.ts';
import type { Subject } from './name.ts';
import { decodePem, encodePem } from './pem.ts';
import { algorithmIdentifier, signDer, verifyDer } from './signature.ts';

/** What a PKCS #10 request asks for. */
export interface CertificateRequest extends Extensions {
  subject: Subject;
  /** SubjectPublicKeyInfo. */
  publicKey: Buffer;
}

/** A signing request in PEM for the private key in `key`. */
export function createRequest(options: {
  key: string;
  commonName: string;
  organizations?: readonly string[];
  dnsNames?: readonly string[];
  ips?: readonly string[];
}): string {
  const key = createPrivateKey(options.key);
  const names = { dnsNames: [...(options.dnsNames ?? [])], ips: [...(options.ips ?? [])], emails: [], uris: [] };
  const named = names.dnsNames.length + names.ips.length > 0;
  const body = sequence(
    integer(Buffer.from([0])),
    writeName({ commonName: options.commonName, organizations: [...(options.organizations ?? [])] }),
    publicKeyOf(options.key),
    extensionRequest(named ? [extension(extensionIds.alternativeNames, false, writeAlternativeNames(names))] : []),
  );
  return encodePem('CERTIFICATE REQUEST', sequence(body, algorithmIdentifier(key), bitString(signDer(key, body))));
}

/** Reads a request in PEM and checks that its key signed it. Throws where it is none or the signature is wrong. */
export function parseRequest(pem: string): CertificateRequest {
  const block = decodePem(pem)[0];
  if (!block || block.label !== 'CERTIFICATE REQUEST') throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const [body, algorithm, signature] = children(read(block.der).content);
  if (!body || !algorithm || !signature) throw new Error('Cannot read the certificate request: it has not three parts');
  const [, subject, publicKey, attributes] = children(body.content);
  if (!subject || !publicKey) throw new Error('Cannot read the certificate request: parts are missing');
  if (!verifyDer(publicKey.raw, algorithm.raw, body.raw, signature.content.subarray(1)))
    throw new Error('Cannot trust the certificate request: its signature is wrong');
  let extensions: Buffer = Buffer.alloc(0);
  for (const attribute of attributes ? children(attributes.content) : []) {
    const [type, values] = children(attribute.content);
    if (type && values && readOid(type.content) === extensionRequestId) extensions = read(values.content).content;
  }
  return { subject: readName(subject.raw), publicKey: publicKey.raw, ...readExtensions(extensions) };
}

/** The certificate (PEM) for a request: names and key from the request, the rest from the signer. */
export function signRequest(
  request: CertificateRequest,
  options: Pick<IssueRequest, 'ca' | 'clock' | 'usages' | 'notAfter' | 'notBefore' | 'days'>,
): string {
  return issueFor(request.publicKey, {
    ...options,
    commonName: request.subject.commonName,
    organizations: request.subject.organizations,
    dnsNames: request.dnsNames,
    ips: request.ips,
    emails: request.emails,
    uris: request.uris,
  });
}
