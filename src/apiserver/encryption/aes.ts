import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { CipherGCMTypes } from 'node:crypto';
import { Chain, withPrefix } from './transformer.ts';
import type { Transformer } from './transformer.ts';

export interface NamedKey {
  name: string;
  /** Base64. */
  secret: string;
}

const nonceSize = 12;
const tagSize = 16;
const blockSize = 16;
const infoSize = 32;
const tooShort = 'the stored data was shorter than the required size';

/** Nonce, ciphertext, tag; bound to the key in the store. */
export function sealGcm(secret: Uint8Array, plain: Uint8Array, key: string): Uint8Array[] {
  const nonce = randomBytes(nonceSize);
  const cipher = createCipheriv(`aes-${secret.length * 8}-gcm` as CipherGCMTypes, secret, nonce);
  cipher.setAAD(Buffer.from(key));
  return [nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()];
}

export function openGcm(secret: Uint8Array, stored: Uint8Array, key: string): Uint8Array {
  if (stored.length < nonceSize + tagSize) throw new Error(tooShort);
  const decipher = createDecipheriv(`aes-${secret.length * 8}-gcm` as CipherGCMTypes, secret, stored.subarray(0, nonceSize));
  decipher.setAAD(Buffer.from(key));
  decipher.setAuthTag(stored.subarray(stored.length - tagSize));
  try {
    return Buffer.concat([decipher.update(stored.subarray(nonceSize, stored.length - tagSize)), decipher.final()]);
  } catch (error) {
    throw new Error('cipher: message authentication failed', { cause: error });
  }
}

/** A key of its own for each value, from a seed: no nonce can wear the seed out. upstream: encrypt/aes/aes_extended_nonce.go. */
export class ExtendedGcm {
  readonly #seed: Uint8Array;

  constructor(seed: Uint8Array) {
    if (seed.length < infoSize) throw new Error(`invalid seed length ${seed.length} used for key generation`);
    this.#seed = seed;
  }

  encrypt(plain: Uint8Array, key: string): Uint8Array {
    const info = randomBytes(infoSize);
    return Buffer.concat([info, ...sealGcm(this.#derive(info), plain, key)]);
  }

  decrypt(stored: Uint8Array, key: string): Uint8Array {
    if (stored.length < infoSize) throw new Error(tooShort);
    return openGcm(this.#derive(stored.subarray(0, infoSize)), stored.subarray(infoSize), key);
  }

  /** The first block of HKDF's expansion (RFC 5869) is as long as the key. */
  #derive(info: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#seed)
      .update(info)
      .update(Buffer.from([1]))
      .digest();
  }
}

function keyed(
  prefix: string,
  keys: readonly NamedKey[],
  seal: (secret: Uint8Array, plain: Uint8Array, key: string) => Uint8Array[],
  open: (secret: Uint8Array, stored: Uint8Array, key: string) => Uint8Array,
): Transformer {
  const transformers = keys.map(({ name, secret }): Transformer => {
    const bytes = Buffer.from(secret, 'base64');
    const own = `${prefix}${name}:`;
    return {
      prefix: own,
      label: () => own,
      encrypt: (plain, key) => withPrefix(own, ...seal(bytes, plain, key)),
      decrypt: (stored, key) => ({ value: open(bytes, stored.subarray(own.length), key), label: own }),
    };
  });
  return new Chain(transformers, prefix, `no matching key was found for the provided ${prefix.split(':')[2]} transformer`);
}

export const aesGcm = (keys: readonly NamedKey[]): Transformer => keyed('k8s:enc:aesgcm:v1:', keys, sealGcm, openGcm);

/** upstream: encrypt/aes/aes.go: 16 random bytes, then the blocks, padded as PKCS #7 has it. */
export const aesCbc = (keys: readonly NamedKey[]): Transformer =>
  keyed(
    'k8s:enc:aescbc:v1:',
    keys,
    (secret, plain) => {
      const vector = randomBytes(blockSize);
      const cipher = createCipheriv(`aes-${secret.length * 8}-cbc`, secret, vector);
      return [vector, cipher.update(plain), cipher.final()];
    },
    (secret, stored) => {
      if (stored.length < blockSize) throw new Error(tooShort);
      if (stored.length % blockSize !== 0) throw new Error('the stored data is not a multiple of the block size');
      const decipher = createDecipheriv(`aes-${secret.length * 8}-cbc`, secret, stored.subarray(0, blockSize));
      try {
        return Buffer.concat([decipher.update(stored.subarray(blockSize)), decipher.final()]);
      } catch (error) {
        throw new Error('invalid padding on input', { cause: error });
      }
    },
  );

/** XSalsa20 and Poly1305, as NaCl's secretbox; the cipher is given, since not everybody needs it. */
export const secretbox = (
  keys: readonly NamedKey[],
  cipher: (key: Uint8Array, nonce: Uint8Array) => { encrypt(plain: Uint8Array): Uint8Array; decrypt(stored: Uint8Array): Uint8Array },
): Transformer =>
  keyed(
    'k8s:enc:secretbox:v1:',
    keys,
    (secret, plain) => {
      const nonce = randomBytes(24);
      return [nonce, cipher(secret, nonce).encrypt(plain)];
    },
    (secret, stored) => {
      if (stored.length < 24) throw new Error(tooShort);
      try {
        return Buffer.from(cipher(secret, stored.subarray(0, 24)).decrypt(stored.subarray(24)));
      } catch (error) {
        throw new Error('secretbox: message authentication failed', { cause: error });
      }
    },
  );
