/** One resource's objects in the store, in the storage version; read through the watch cache where that is as fresh. */
import { rulesFor } from '#api/rules';
import type { KubeObject } from '#machinery/meta';
import { failure } from '#machinery/status';
import { StoreError } from '#store';
import type { TxnRequest, TxnResult } from '#store';
import { decodeStored, encodeStored } from './encoding.ts';
import type { StorageParts } from './storage.ts';

export interface Stored {
  object: KubeObject;
  revision: number;
  /** Comes from a cache that may be behind the store. */
  cached: boolean;
}

export class StoredObjects {
  readonly #parts: StorageParts;

  constructor(parts: StorageParts) {
    this.#parts = parts;
  }

  /** The present object: from the cache, or, where that may be behind and `read` is set, from the store. */
  async current(key: string, read: boolean): Promise<Stored | undefined> {
    const { store, cache } = this.#parts;
    if (store.embedded || !read) {
      const cached = cache.get(key);
      if (cached) return { object: cached.object, revision: cached.revision, cached: !store.embedded };
      if (store.embedded) return undefined;
    }
    const result = await store.range({ key });
    const found = result.keyValues[0];
    if (!found) return undefined;
    return { object: this.decode(found.value, found.modRevision), revision: found.modRevision, cached: false };
  }

  decode(value: Uint8Array, revision: number): KubeObject {
    const { storageKind, rules, conform } = this.#parts.served;
    const object = decodeStored(value, conform ? rules.applyDefaults : rulesFor(storageKind).applyDefaults);
    object.metadata = { ...object.metadata, resourceVersion: String(revision) };
    return object;
  }

  /** Puts the object where the key's revision still is `expected` (0: absent); undefined where it is not. */
  async put(key: string, object: KubeObject, expected: number): Promise<Stored | undefined> {
    const { cache, traits, leases } = this.#parts;
    const lease = traits.ttl === undefined ? 0 : await leases.for(traits.ttl);
    const value = encodeStored(object);
    const { succeeded, revision } = await this.#txn({
      compare: [{ key, target: 'mod', result: 'equal', operand: expected }],
      success: [{ type: 'put', key, value, ...(lease && { lease }) }],
      failure: [],
      ...(traits.deferred && { durability: 'deferred' as const }),
    });
    if (!succeeded) return undefined;
    const cached = cache.get(key);
    return { object: cached?.revision === revision ? cached.object : this.decode(value, revision), revision, cached: false };
  }

  /** Removes the key where its revision still is `expected`; the revision of the deletion, undefined where it is not. */
  async remove(key: string, expected: number): Promise<number | undefined> {
    const { succeeded, revision } = await this.#txn({
      compare: [{ key, target: 'mod', result: 'equal', operand: expected }],
      success: [{ type: 'delete', key }],
      failure: [],
      ...(this.#parts.traits.deferred && { durability: 'deferred' as const }),
    });
    return succeeded ? revision : undefined;
  }

  async #txn(request: TxnRequest): Promise<TxnResult> {
    try {
      return await this.#parts.store.txn(request);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // upstream: an error of etcd's client goes to the client as it is.
      if (error.code === 'too-large') throw failure(500, '', error.message, undefined, error);
      if (error.code === 'no-space' || error.code === 'closed' || error.code === 'unavailable')
        throw failure(503, 'ServiceUnavailable', error.message, undefined, error);
      throw error;
    }
  }
}
