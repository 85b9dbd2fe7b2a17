/** What stands between an object and its bytes on disk. upstream: apiserver/pkg/storage/value. */

export interface Transformer {
  /** What a value begins with that it wrote. */
  readonly prefix: string;
  /** How values are written now; one that was written otherwise is out of date. */
  label(): string;
  /** `key`: where the value lies in the store; it cannot be read from elsewhere. Throws where nothing can be written now. */
  encrypt(plain: Uint8Array, key: string): Uint8Array;
  /** Throws, or rejects, where the value was not written by it or was changed. */
  decrypt(stored: Uint8Array, key: string): Plain | Promise<Plain>;
}

export interface Plain {
  value: Uint8Array;
  /** The label it was written under. */
  label: string;
}

const encryptedPrefix = 'k8s:enc:';

export const startsWith = (value: Uint8Array, prefix: string): boolean =>
  value.length >= prefix.length && Buffer.from(value.buffer, value.byteOffset, prefix.length).toString('latin1') === prefix;

export const withPrefix = (prefix: string, ...parts: readonly Uint8Array[]): Uint8Array => {
  const size = parts.reduce((sum, { length }) => sum + length, prefix.length);
  // Memory of its own: a part of Buffer's pool would keep the whole pool.
  const bytes = Buffer.allocUnsafeSlow(size);
  let at = bytes.write(prefix, 'latin1');
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

/** Values as they are; what was encrypted is not taken for one. */
export const identity: Transformer = {
  prefix: '',
  label: () => '',
  encrypt: (plain) => plain,
  decrypt(stored) {
    if (startsWith(stored, encryptedPrefix)) throw new Error('identity transformer tried to read encrypted data');
    return { value: stored, label: '' };
  },
};

/** Writes with the first, reads with whichever wrote it. */
export class Chain implements Transformer {
  readonly prefix: string;
  readonly #transformers: readonly Transformer[];
  readonly #unknown: string;

  constructor(transformers: readonly Transformer[], prefix = '', unknown = 'no matching prefix found') {
    this.#transformers = transformers;
    this.prefix = prefix;
    this.#unknown = unknown;
  }

  label(): string {
    return this.#transformers[0]!.label();
  }

  encrypt(plain: Uint8Array, key: string): Uint8Array {
    return this.#transformers[0]!.encrypt(plain, key);
  }

  decrypt(stored: Uint8Array, key: string): Plain | Promise<Plain> {
    return this.#from(0, stored, key, []);
  }

  #from(index: number, stored: Uint8Array, key: string, failures: unknown[]): Plain | Promise<Plain> {
    for (let at = index; at < this.#transformers.length; at++) {
      const transformer = this.#transformers[at]!;
      if (!startsWith(stored, transformer.prefix)) continue;
      try {
        const plain = transformer.decrypt(stored, key);
        if (!(plain instanceof Promise)) return plain;
        // What nothing is written before is tried with the next as well.
        return plain.catch((error: unknown) => this.#from(at + 1, stored, key, [...failures, error]));
      } catch (error) {
        failures.push(error);
      }
    }
    throw failures.length > 0 ? failures[0] : new Error(this.#unknown);
  }
}
