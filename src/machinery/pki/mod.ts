/**
 * The cluster's keys and certificates: an authority, what it issues, certificate signing requests, and the service-account signing key.
 * X.509 is written by a small DER writer on node:crypto, because a cluster start makes a dozen certificates and has 0.7 s for everything;
 * keys are P-256, which take 0.1 ms to make. Upstream counterpart: client-go/util/cert, K/cmd/kubeadm/app/phases/certs.
 * Read first: certificate.ts.
 */
export { createCa, issue, parseCertificate, parseCertificates, publicKeyOf, usageNames } from './certificate.ts';
export type { CertificateInfo, CertificateUsage, IssueRequest, KeyPair } from './certificate.ts';
export { createRequest, parseRequest, signRequest } from './request.ts';
export type { CertificateRequest } from './request.ts';
export { verifyChain } from './chain.ts';
export { decodePem, encodePem, generateKey } from './pem.ts';
export { createSigningKey, keyId, loadPublicKeys, loadSigningKey } from './signing-key.ts';
export type { JsonWebKeySet, PublicKey, SigningKey } from './signing-key.ts';
