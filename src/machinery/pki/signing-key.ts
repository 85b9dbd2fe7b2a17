import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { decodePem, encodePem, generateKey } from './pem.ts';

type Algorithm = 'ES256' | 'ES384' | 'ES512' | 'RS256';

/** A key that verifies JSON web tokens. */
export interface PublicKey {
  /** The `kid` in a token's header. */
  id: string;
  algorithm: Algorithm;
  /** As it stands in a key set. */
  jwk: Record<string, string>;
  verify(data: Uint8Array, signature: Uint8Array): boolean;
}

/** The key that signs service-account tokens. */
export interface SigningKey extends PublicKey {
  sign(data: Uint8Array): Buffer;
}

export interface JsonWebKeySet {
  keys: Record<string, string>[];
}

/** The id of a public key: SHA-256 of its SubjectPublicKeyInfo. upstream: pkg/serviceaccount/jwt.go keyIDFromPublicKey. */
export const keyId = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url');

function algorithmOf(key: KeyObject): Algorithm {
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType === 'ec' && curve === 'prime256v1') return 'ES256';
  if (key.asymmetricKeyType === 'ec' && curve === 'secp384r1') return 'ES384';
  if (key.asymmetricKeyType === 'ec' && curve === 'secp521r1') return 'ES512';
  throw new Error(`Cannot use a service-account key of type ${key.asymmetricKeyType} ${curve ?? ''}: it must be RSA or ECDSA`);
}

/** Signatures of JSON web tokens are the two numbers side by side (RFC 7518, 3.4), not DER. */
const encoding = { dsaEncoding: 'ieee-p1363' } as const;

function publicKey(key: KeyObject): PublicKey {
  const algorithm = algorithmOf(key);
  const hash = `sha${algorithm.slice(2)}`;
  const id = keyId(key);
  return {
    id,
    algorithm,
    jwk: { ...(key.export({ format: 'jwk' }) as Record<string, string>), use: 'sig', alg: algorithm, kid: id },
    verify: (data, signature) => verify(hash, data, { key, ...encoding }, signature),
  };
}

/** A new P-256 key in PEM. */
export const createSigningKey = (): string => generateKey();

/** The signing key of a PEM text (RSA or ECDSA). */
export function loadSigningKey(pem: string): SigningKey {
  const key = createPrivateKey(pem);
  const verifier = publicKey(createPublicKey(key));
  const hash = `sha${verifier.algorithm.slice(2)}`;
  return { ...verifier, sign: (data) => sign(hash, data, { key, ...encoding }) };
}

/** The public halves of all keys and certificates in a PEM text. upstream: --service-account-key-file. */
export function loadPublicKeys(pem: string): PublicKey[] {
  return decodePem(pem).map((block) => publicKey(createPublicKey(encodePem(block.label, block.der))));
}
