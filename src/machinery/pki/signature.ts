import { createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { nothing, oid, read, children, readOid, sequence } from './der.ts';

const ids: Record<string, { id: string; hash: string | null; withNull: boolean }> = {
  'rsa-256': { id: '1.2.840.113549.1.1.11', hash: 'sha256', withNull: true },
  'ec-256': { id: '1.2.840.10045.4.3.2', hash: 'sha256', withNull: false },
  'ec-384': { id: '1.2.840.10045.4.3.3', hash: 'sha384', withNull: false },
  'ec-512': { id: '1.2.840.10045.4.3.4', hash: 'sha512', withNull: false },
  ed25519: { id: '1.3.101.112', hash: null, withNull: false },
};

/** Hash by signature algorithm, for reading. */
const hashes = new Map<string, string | null>([
  ...Object.values(ids).map((entry): [string, string | null] => [entry.id, entry.hash]),
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
]);

function algorithmOf(key: KeyObject): (typeof ids)[string] {
  if (key.asymmetricKeyType === 'rsa') return ids['rsa-256']!;
  if (key.asymmetricKeyType === 'ed25519') return ids['ed25519']!;
  if (key.asymmetricKeyType !== 'ec') throw new Error(`Cannot sign: keys of type ${key.asymmetricKeyType} are not supported`);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return ids[curve === 'secp384r1' ? 'ec-384' : curve === 'secp521r1' ? 'ec-512' : 'ec-256']!;
}

/** The AlgorithmIdentifier with which `key` signs. */
export function algorithmIdentifier(key: KeyObject): Buffer {
  const { id, withNull } = algorithmOf(key);
  return sequence(oid(id), ...(withNull ? [nothing()] : []));
}

export const signDer = (key: KeyObject, body: Uint8Array): Buffer => sign(algorithmOf(key).hash, body, key);

/** Whether `signature` over `body` is by the key in `publicKey` (SubjectPublicKeyInfo). */
export function verifyDer(publicKey: Uint8Array, algorithm: Uint8Array, body: Uint8Array, signature: Uint8Array): boolean {
  const hash = hashes.get(readOid(children(read(algorithm).content)[0]!.content));
  if (hash === undefined) return false;
  return verify(hash, body, createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' }), signature);
}
