/** Makes storages: one watch cache a key prefix, shared by all versions of a resource. */
import type { Clock, Random } from '#machinery/clock';
import { rulesFor } from '#api/rules';
import type { Store } from '#store';
import type { ServedResource, WatchCache } from '../contract.ts';
import type { WatchCaches } from '../watchcache/mod.ts';
import type { AdmissionChain } from './generic/admission-chain.ts';
import type { Converter } from './generic/conversion.ts';
import { decodeStored } from './generic/encoding.ts';
import { GenericStorage } from './generic/storage.ts';
import type { StorageParts } from './generic/storage.ts';
import { TtlLeases } from './generic/ttl-leases.ts';
import { DefinitionStorage } from '../extensions/definition-storage.ts';
import { NamespaceStorage } from './namespace.ts';
import { traitsOf } from './served.ts';
import type { StorageTraits } from './served.ts';
import type { ResourceTable } from './table.ts';

export interface ResourcesOptions {
  store: Store;
  caches: WatchCaches;
  table: ResourceTable;
  clock: Clock;
  random: Random;
  admission(): AdmissionChain;
}

/** Kinds whose deletion has steps of its own. */
const storageClasses: Record<string, typeof GenericStorage> = {
  '/namespaces': NamespaceStorage,
  'apiextensions.k8s.io/customresourcedefinitions': DefinitionStorage,
};

export class Resources {
  readonly #options: ResourcesOptions;
  readonly #caches = new Map<string, WatchCache>();
  readonly #leases: TtlLeases;

  constructor(options: ResourcesOptions) {
    this.#options = options;
    this.#leases = new TtlLeases(options.store.leases, options.clock);
  }

  /** Serves a resource from now on. Custom resources give their own traits. */
  add(
    served: ServedResource,
    converter?: Converter,
    traits: StorageTraits = traitsOf(served.kind.group, served.kind.resource),
  ): GenericStorage {
    const { store, clock, random, table, admission } = this.#options;
    const { group, resource } = served.kind;
    const parts: StorageParts = {
      served,
      store,
      clock,
      random,
      traits,
      leases: this.#leases,
      cache: this.cache(served),
      admission,
      hooks: () => table.hooks(group, resource),
      ...(converter && { converter }),
    };
    const storage = new (storageClasses[`${group}/${resource}`] ?? GenericStorage)(parts);
    table.add({ served, storage });
    return storage;
  }

  /** The cache of a resource's key prefix; it begins to fill when it is first asked for. */
  cache(served: ServedResource): WatchCache {
    const prefix = served.storagePrefix;
    let cache = this.#caches.get(prefix);
    if (!cache) {
      const defaults = served.conform ? served.rules.applyDefaults : rulesFor(served.storageKind).applyDefaults;
      cache = this.#options.caches.cache(prefix, (value) => decodeStored(value, defaults));
      this.#caches.set(prefix, cache);
    }
    return cache;
  }

  /** Forgets the cache of a resource that is no longer served by any version; its watches end. */
  async drop(prefix: string): Promise<void> {
    const cache = this.#caches.get(prefix);
    this.#caches.delete(prefix);
    await cache?.close();
  }
}
