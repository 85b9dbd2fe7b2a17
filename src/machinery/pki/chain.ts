import type { CertificateInfo } from './certificate.ts';
import { verifyDer } from './signature.ts';

/** Longest way from leaf to root that is tried. */
const depthLimit = 8;

/**
 * Undefined where `leaf` was issued, over `intermediates`, by one of `roots`, is valid at `now` and allows `usage`; the reason otherwise.
 * The texts follow Go's crypto/x509, which clients see in logs.
 */
export function verifyChain(
  leaf: CertificateInfo,
  intermediates: readonly CertificateInfo[],
  roots: readonly CertificateInfo[],
  now: number,
  usage?: string,
): string | undefined {
  const validity = validAt(leaf, now);
  if (validity) return validity;
  const extended = leaf.usages.filter((name) => name.endsWith(' auth') || name === 'any');
  if (usage && extended.length > 0 && !extended.includes(usage) && !extended.includes('any'))
    return 'x509: certificate specifies an incompatible key usage';
  return reaches(leaf, intermediates, roots, now, 0) ? undefined : 'x509: certificate signed by unknown authority';
}

function validAt(certificate: CertificateInfo, now: number): string | undefined {
  const second = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
  if (now < certificate.notBefore)
    return `x509: certificate has expired or is not yet valid: current time ${second(now)} is before ${second(certificate.notBefore)}`;
  if (now > certificate.notAfter)
    return `x509: certificate has expired or is not yet valid: current time ${second(now)} is after ${second(certificate.notAfter)}`;
  return undefined;
}

function reaches(
  certificate: CertificateInfo,
  intermediates: readonly CertificateInfo[],
  roots: readonly CertificateInfo[],
  now: number,
  depth: number,
): boolean {
  if (depth > depthLimit) return false;
  if (roots.some((root) => root.der.equals(certificate.der))) return true;
  if (roots.some((root) => validAt(root, now) === undefined && issued(root, certificate))) return true;
  return intermediates.some(
    (candidate) =>
      candidate.isCa &&
      candidate !== certificate &&
      validAt(candidate, now) === undefined &&
      issued(candidate, certificate) &&
      reaches(candidate, intermediates, roots, now, depth + 1),
  );
}

const issued = (issuer: CertificateInfo, certificate: CertificateInfo): boolean =>
  issuer.rawSubject.equals(certificate.rawIssuer) &&
  verifyDer(issuer.publicKey, certificate.algorithm, certificate.body, certificate.signature);
