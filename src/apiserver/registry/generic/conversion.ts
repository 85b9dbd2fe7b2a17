/** Between the version a resource is served in and the one it is stored in. Where both are the same there is no converter. */
import type { KubeObject } from '#machinery/meta';
import type { CachedObject } from '../../contract.ts';
import { jsonBytes, withLineEnd } from '../../watchcache/cached-object.ts';
import { inWireOrder } from './encoding.ts';

type Converted = KubeObject[] | Promise<KubeObject[]>;

/** Arguments are read-only; results are new objects in the order of the arguments. A webhook makes them asynchronous. */
export interface Converter {
  toServed(objects: readonly KubeObject[]): Converted;
  toStorage(objects: readonly KubeObject[]): Converted;
  /** One object each, at once. Set where strategy and validation look at the stored version, as the served one does not have all of it in fields. */
  ruled?: { toServed(object: KubeObject): KubeObject; toStorage(object: KubeObject): KubeObject };
}

/** A cached object that was made from another one: another version, or another revision in its metadata. */
export function derived(source: CachedObject, object: KubeObject, revision = source.revision): CachedObject {
  let bytes: Uint8Array | undefined;
  let others: Map<string, Uint8Array> | undefined;
  const ordered = inWireOrder(object, object.metadata?.resourceVersion ?? String(revision));
  return {
    key: source.key,
    object: ordered,
    revision,
    bytes: () => (bytes ??= jsonBytes(ordered)),
    line: () => withLineEnd((bytes ??= jsonBytes(ordered))),
    encoded(mediaType, encode) {
      others ??= new Map();
      let made = others.get(mediaType);
      if (!made) others.set(mediaType, (made = encode(ordered)));
      return made;
    },
  };
}

/** Cached objects in the served version, each converted once. */
export class ConvertedObjects {
  readonly #converter: Converter;
  readonly #made = new WeakMap<CachedObject, CachedObject>();

  constructor(converter: Converter) {
    this.#converter = converter;
  }

  async toServed(cached: readonly CachedObject[]): Promise<CachedObject[]> {
    const missing = cached.filter((entry) => !this.#made.has(entry));
    if (missing.length > 0) {
      const converted = await this.#converter.toServed(missing.map((entry) => entry.object));
      for (const [index, entry] of missing.entries()) this.#made.set(entry, derived(entry, converted[index]!));
    }
    return cached.map((entry) => this.#made.get(entry)!);
  }
}
