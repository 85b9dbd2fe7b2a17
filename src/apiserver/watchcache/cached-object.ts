import type { KubeObject } from '#machinery/meta';
import type { CachedObject } from '../contract.ts';

const encoder = new TextEncoder();

/** JSON in memory that goes on with an end of line. */
export function jsonBytes(object: KubeObject): Uint8Array {
  const line = encoder.encode(`${JSON.stringify(object)}\n`);
  return line.subarray(0, -1);
}

/** What `jsonBytes` made, with the end of line behind it. */
export const withLineEnd = ({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength + 1);

/** Makes the object of an entry anew. */
export type Again = (entry: CacheEntry) => KubeObject;

/** One state of one object. Its encodings are made when first asked for, once, however many watchers and lists want them. */
export class CacheEntry implements CachedObject {
  readonly key: string;
  readonly revision: number;
  #object: KubeObject | undefined;
  /** Set where it was laid off: makes the object again. */
  #again: Again | undefined;
  #briefly: WeakRef<Uint8Array> | undefined;
  #bytes: Uint8Array | undefined;
  /** What the store holds, where it is the object's JSON without a resourceVersion. Given up once `bytes` was made of it. */
  #stored: Uint8Array | undefined;
  #encoded: Map<string, Uint8Array> | undefined;

  constructor(key: string, object: KubeObject, revision: number, stored?: Uint8Array) {
    this.key = key;
    this.#object = object;
    this.revision = revision;
    this.#stored = stored;
  }

  get object(): KubeObject {
    return this.#object ?? this.#again!(this);
  }

  /**
   * Gives up the object and its encodings. A past state is rarely asked for again: `again` then makes it anew, each time.
   * It throws where the past is over.
   */
  layOff(again: Again): void {
    if (this.#again) return;
    this.#again = again;
    this.#object = this.#bytes = this.#stored = this.#encoded = undefined;
  }

  bytes(): Uint8Array {
    if (this.#bytes) return this.#bytes;
    if (this.#again) {
      let bytes = this.#briefly?.deref();
      if (!bytes) this.#briefly = new WeakRef((bytes = jsonBytes(this.#again(this))));
      return bytes;
    }
    this.#bytes = (this.#stored && spliced(this.#stored, this.revision)) ?? jsonBytes(this.object);
    this.#stored = undefined;
    return this.#bytes;
  }

  line(): Uint8Array {
    return withLineEnd(this.bytes());
  }

  encoded(mediaType: string, encode: (object: KubeObject) => Uint8Array): Uint8Array {
    if (this.#again) return encode(this.#again(this));
    let bytes = this.#encoded?.get(mediaType);
    if (!bytes) (this.#encoded ??= new Map()).set(mediaType, (bytes = encode(this.object)));
    return bytes;
  }
}

const lineEnd = 0x0a;
const head = /^\{(?:"(?:kind|apiVersion)":"[^"\\]*",)*"metadata":\{(?=")/;

/** The stored JSON with the resourceVersion put in at the front of its metadata; undefined where it does not begin as our writers' does. */
function spliced(stored: Uint8Array, revision: number): Uint8Array | undefined {
  const start = Buffer.from(stored.buffer, stored.byteOffset, Math.min(stored.byteLength, 400)).toString('latin1');
  const match = head.exec(start);
  if (!match) return undefined;
  const at = match[0].length;
  const insert = `"resourceVersion":"${revision}",`;
  const bytes = Buffer.allocUnsafeSlow(stored.byteLength + insert.length + 1);
  bytes.set(stored.subarray(0, at));
  bytes.write(insert, at, 'latin1');
  bytes.set(stored.subarray(at), at + insert.length);
  bytes[bytes.length - 1] = lineEnd;
  return bytes.subarray(0, -1);
}

/** The object with another resourceVersion, sharing all else. */
export function withRevision(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}
