import { constants, createPublicKey, verify } from 'node:crypto';
import type { KeyObject, webcrypto } from 'node:crypto';

type JsonWebKey = webcrypto.JsonWebKey;

interface Algorithm {
  hash: string;
  kty: 'RSA' | 'EC';
  padding?: number;
  curve?: string;
}

/** What issuers may sign with. upstream: plugin/pkg/authenticator/token/oidc allowedSigningAlgs. */
const algorithms: Readonly<Record<string, Algorithm>> = {
  RS256: { hash: 'sha256', kty: 'RSA' },
  RS384: { hash: 'sha384', kty: 'RSA' },
  RS512: { hash: 'sha512', kty: 'RSA' },
  PS256: { hash: 'sha256', kty: 'RSA', padding: constants.RSA_PKCS1_PSS_PADDING },
  PS384: { hash: 'sha384', kty: 'RSA', padding: constants.RSA_PKCS1_PSS_PADDING },
  PS512: { hash: 'sha512', kty: 'RSA', padding: constants.RSA_PKCS1_PSS_PADDING },
  ES256: { hash: 'sha256', kty: 'EC', curve: 'P-256' },
  ES384: { hash: 'sha384', kty: 'EC', curve: 'P-384' },
  ES512: { hash: 'sha512', kty: 'EC', curve: 'P-521' },
};

export const signingAlgorithms: readonly string[] = Object.keys(algorithms).sort();

export interface IssuerKey {
  kid: string | undefined;
  jwk: JsonWebKey;
  key: KeyObject;
}

/** The keys of a JSON web key set that are for signatures of kinds we know; others are left out. */
export function signatureKeys(set: unknown): IssuerKey[] {
  const { keys } = (set ?? {}) as { keys?: (JsonWebKey & { kid?: string; use?: string })[] };
  return (Array.isArray(keys) ? keys : []).flatMap((jwk) => {
    if (jwk.use !== undefined && jwk.use !== 'sig') return [];
    if (jwk.kty !== 'RSA' && jwk.kty !== 'EC') return [];
    try {
      return [{ kid: jwk.kid, jwk, key: createPublicKey({ key: jwk, format: 'jwk' }) }];
    } catch {
      // One key that is broken does not make the others worse.
      return [];
    }
  });
}

/** Whether `key` signed `data` by the algorithm that the token names. */
export function signed(name: string, { jwk, key }: IssuerKey, data: Uint8Array, signature: Uint8Array): boolean {
  const algorithm = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined;
  if (!algorithm || algorithm.kty !== jwk.kty || (algorithm.curve && jwk.crv !== algorithm.curve)) return false;
  return verify(
    algorithm.hash,
    data,
    {
      key,
      ...(algorithm.kty === 'EC' && { dsaEncoding: 'ieee-p1363' as const }),
      ...(algorithm.padding && { padding: algorithm.padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
    },
    signature,
  );
}
