/**
 * Everything that is served under /api and /apis: resources with their storages, endpoints, streams. Built-in resources are put in at
 * the start; custom resources come and go. Discovery and OpenAPI are made from it and follow its changes.
 */
import type { ServedResource } from '../contract.ts';
import type { ConnectHandler } from '../proxy/contract.ts';
import type { Endpoint, Registry, StorageHooks } from './contract.ts';
import type { GenericStorage } from './generic/storage.ts';

export interface TableEntry {
  served: ServedResource;
  storage: GenericStorage;
}

/** A group as discovery lists it: its versions in order of preference. */
export interface GroupEntry {
  name: string;
  versions: string[];
}

export class ResourceTable implements Registry {
  readonly #entries = new Map<string, TableEntry>();
  /** By group and resource: the entry whose version is the stored one, else the first. */
  readonly #storages = new Map<string, GenericStorage>();
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #connects = new Map<string, ConnectHandler>();
  readonly #hooks = new Map<string, StorageHooks>();
  readonly #listeners = new Set<() => void>();
  /** Grows with every change: caches of what is made from the table compare it. */
  version = 0;

  add(entry: TableEntry): void {
    const { group, version, resource } = entry.served.kind;
    this.#entries.set(`${group}/${version}/${resource}`, entry);
    this.#index(group, resource);
    this.#changed();
  }

  remove(group: string, version: string, resource: string): void {
    if (!this.#entries.delete(`${group}/${version}/${resource}`)) return;
    this.#index(group, resource);
    this.#changed();
  }

  find(group: string, version: string, resource: string): TableEntry | undefined {
    return this.#entries.get(`${group}/${version}/${resource}`);
  }

  entries(): Iterable<TableEntry> {
    return this.#entries.values();
  }

  storage(group: string, resource: string): GenericStorage | undefined {
    return this.#storages.get(`${group}/${resource}`);
  }

  addEndpoint(endpoint: Endpoint): void {
    this.#endpoints.set(`${endpoint.group}/${endpoint.version ?? '*'}/${endpoint.resource}/${endpoint.subresource}`, endpoint);
  }

  endpoint(group: string, version: string, resource: string, subresource: string): Endpoint | undefined {
    return (
      this.#endpoints.get(`${group}/${version}/${resource}/${subresource}`) ?? this.#endpoints.get(`${group}/*/${resource}/${subresource}`)
    );
  }

  addConnect(handler: ConnectHandler): void {
    this.#connects.set(`${handler.group}/${handler.resource}/${handler.subresource}`, handler);
  }

  connect(group: string, resource: string, subresource: string): ConnectHandler | undefined {
    return this.#connects.get(`${group}/${resource}/${subresource}`);
  }

  addHooks(hooks: StorageHooks): void {
    this.#hooks.set(`${hooks.group}/${hooks.resource}`, hooks);
  }

  hooks(group: string, resource: string): StorageHooks | undefined {
    return this.#hooks.get(`${group}/${resource}`);
  }

  /** Calls `listener` after each change of the resources. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #index(group: string, resource: string): void {
    const key = `${group}/${resource}`;
    this.#storages.delete(key);
    for (const { served, storage } of this.#entries.values()) {
      if (served.kind.group !== group || served.kind.resource !== resource) continue;
      if (!this.#storages.has(key) || served.storageKind.apiVersion === served.kind.apiVersion) this.#storages.set(key, storage);
    }
  }

  #changed(): void {
    this.version++;
    for (const listener of this.#listeners) listener();
  }
}
