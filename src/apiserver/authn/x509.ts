import { createHash } from 'node:crypto';
import type { Clock } from '#machinery/clock';
import { parseCertificate, parseCertificates, verifyChain } from '#machinery/pki';
import type { CertificateInfo } from '#machinery/pki';
import { unauthorized } from '#machinery/status';
import type { Authenticator, UserInfo } from '../contract.ts';

/** A client certificate that one of our authorities issued, with the user it names. */
interface Known {
  user: UserInfo | undefined;
  leaf: CertificateInfo;
}

/** The certificates of concatenated DER. */
export function splitChain(der: Uint8Array): CertificateInfo[] {
  const chain: CertificateInfo[] = [];
  for (let offset = 0; offset < der.length;) {
    const certificate = parseCertificate(der.subarray(offset));
    chain.push(certificate);
    offset += certificate.der.length;
  }
  return chain;
}

/**
 * Remembers the chain's verdict by the bytes object of a connection; only the validity in time is looked at again. Answers the leaf, or
 * the reason why it is not trusted.
 */
export function chainVerifier(roots: readonly CertificateInfo[], clock: Clock): (der: Uint8Array) => CertificateInfo | string {
  const seen = new WeakMap<Uint8Array, CertificateInfo | string>();
  return (der) => {
    let verdict = seen.get(der);
    if (verdict === undefined) {
      const [leaf, ...intermediates] = splitChain(der);
      verdict = leaf ? (verifyChain(leaf, intermediates, roots, clock.now(), 'client auth') ?? leaf) : 'x509: no certificate';
      seen.set(der, verdict);
    }
    if (typeof verdict !== 'string' && clock.now() > verdict.notAfter) return 'x509: certificate has expired or is not yet valid';
    return verdict;
  };
}

/** PEM of authorities; a function where they may change. */
export type Authorities = string | (() => string);

/** The same for authorities that may change: what was believed by those of before is looked at anew. */
export function renewedVerifier(authorities: Authorities, clock: Clock): (der: Uint8Array) => CertificateInfo | string {
  if (typeof authorities === 'string') return chainVerifier(parseCertificates(authorities), clock);
  let text = authorities();
  let verify = chainVerifier(parseCertificates(text), clock);
  return (der) => {
    const now = authorities();
    if (now !== text) {
      verify = chainVerifier(parseCertificates(now), clock);
      text = now;
    }
    return verify(der);
  };
}

/** The user is the common name, the groups are the organizations. upstream: apiserver/pkg/authentication/request/x509. */
export function x509Authenticator(clientCa: Authorities, clock: Clock): Authenticator {
  const verify = renewedVerifier(clientCa, clock);
  const users = new WeakMap<CertificateInfo, Known>();
  return ({ certificate }) => {
    if (!certificate) return undefined;
    const leaf = verify(certificate);
    if (typeof leaf === 'string') throw unauthorized();
    let known = users.get(leaf);
    if (!known) {
      const { commonName, organizations } = leaf.subject;
      const user = commonName
        ? {
            name: commonName,
            groups: organizations,
            extra: {
              'authentication.kubernetes.io/credential-id': [`X509SHA256=${createHash('sha256').update(leaf.der).digest('hex')}`],
            },
          }
        : undefined;
      known = { user, leaf };
      users.set(leaf, known);
    }
    return known.user;
  };
}
