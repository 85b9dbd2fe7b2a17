/**
 * The watch cache of one resource. upstream: apiserver/pkg/storage/cacher/{cacher,watch_cache}.go.
 * Its events come from the hub (hub.ts), which reads the store's one watch; its revision is the hub's, so it is never behind
 * because nothing of its own resource was written.
 */
import { prefixEnd, SortedMap, StoreError } from '#store';
import type { KeyValue, Store, StoreEvent } from '#store';
import { sleep } from '#machinery/clock';
import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { deepFreeze } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { expired, tooManyRequests } from '#machinery/status';
import type { CacheEvent, CachedObject, CacheWatch, WatchCache } from '../contract.ts';
import { CacheEntry, withRevision } from './cached-object.ts';
import type { Again } from './cached-object.ts';
import { takeDecoded } from './decoded.ts';
import { KeptLists } from './kept-lists.ts';
import { CacheWatchers } from './watchers.ts';
import { EventWindow } from './window.ts';
import type { WindowLimits } from './window.ts';

/** Makes an object of a stored value. Throws where it cannot; such an object is left out and the log says so. */
export type Decode = (value: Uint8Array, key: string) => KubeObject;

export interface CacheOptions {
  store: Store;
  clock: Clock;
  log: Log;
  /** Freezes what the cache holds, so that who mutates it fails at once. Costs time: for tests. */
  freeze: boolean;
  window: WindowLimits;
}

/** What a cache asks of its hub. */
export interface Source {
  /** Everything up to this revision has been dispatched. */
  readonly revision: number;
  readonly ready: Promise<void>;
  waitFor(revision: number): Promise<void>;
  remove(cache: ResourceCache): void;
}

/** Objects read from the store at once, and milliseconds of decoding before others get a turn. */
const pageSize = 1000;
const decodingSlice = 5;

export class ResourceCache implements WatchCache {
  readonly prefix: string;
  synced: Promise<void>;
  readonly #options: CacheOptions;
  readonly #decode: Decode;
  readonly #source: Source;
  #objects = new SortedMap<CacheEntry>();
  readonly #lists = new KeptLists();
  readonly #watchers: CacheWatchers;
  #window: EventWindow;
  /** Set while the objects are being read: events that come meanwhile. */
  #backlog: StoreEvent[] | undefined = [];
  /** The revision of the listing; the hub's counts from then on. While it is read anew: up to where the old state goes. */
  #listed = 0;
  #closed = false;
  #trimming: Timer | undefined;
  /** Bytes; later values count more. */
  #averageSize = 0;

  constructor(prefix: string, decode: Decode, source: Source, options: CacheOptions) {
    this.prefix = prefix;
    this.#decode = decode;
    this.#source = source;
    this.#options = options;
    this.#watchers = new CacheWatchers(prefix.length, options.clock, options.log);
    this.#window = this.#newWindow(0);
    this.synced = this.#sync();
  }

  get revision(): number {
    return this.#backlog ? this.#listed : Math.max(this.#listed, this.#source.revision);
  }

  get stats(): { count: number; averageSize: number } {
    return { count: this.#objects.size, averageSize: this.#averageSize };
  }

  async waitFor(revision: number): Promise<void> {
    if (this.#backlog && revision > this.#listed) await this.synced;
    if (revision > this.revision) await this.#source.waitFor(revision);
  }

  get(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  list(prefix: string): { items: readonly CachedObject[]; revision: number } {
    return { items: this.#lists.list(prefix, () => this.#values(prefix)), revision: this.revision };
  }

  listAt(prefix: string, revision: number): { items: readonly CachedObject[]; revision: number } | undefined {
    if (this.#backlog || revision > this.revision || revision < this.#window.start) return undefined;
    // What the store has compacted has expired, even where we could still tell (upstream: watchCache.Compact).
    if (revision < this.#options.store.compactRevision()) return undefined;
    // The oldest change after `revision` says what was there at `revision`.
    const before = new Map<string, CachedObject | undefined>();
    for (const event of this.#window.after(revision)) {
      const { key } = event.current;
      if (key.startsWith(prefix) && !before.has(key)) before.set(key, event.previous);
    }
    const { items } = this.list(prefix);
    if (before.size === 0) return { items, revision };
    const kept = items.filter((item) => !before.has(item.key));
    for (const item of before.values()) if (item) kept.push(item);
    kept.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { items: kept, revision };
  }

  watch(
    prefix: string,
    revision: number,
    sink: (events: readonly CacheEvent[]) => boolean | void,
    { ended, patient = false }: { ended?: () => void; patient?: boolean } = {},
  ): CacheWatch {
    const { start } = this.#window;
    // upstream: cacher.go, while its reflector lists.
    if (this.#closed || this.#backlog) throw tooManyRequests('storage is (re)initializing', 1);
    if (revision < start) throw expired(`too old resource version: ${revision} (${start})`);
    const single = !prefix.endsWith('/');
    const past = this.#window.after(revision);
    // What was laid off is read from the store again, as far back as that goes.
    const compacted = this.#options.store.compactRevision();
    if (this.#options.store.read && past.length > this.#options.window.ready && revision < compacted)
      throw expired(`too old resource version: ${revision} (${compacted})`);
    const replay = past.filter(({ current: { key } }) => (single ? key === prefix : key.startsWith(prefix)));
    // A revision that is still to come: what happens up to it is not for this watcher.
    return this.#watchers.add(prefix, patient, replay, Math.max(revision, this.revision), () => this.revision, sink, ended);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#trimming?.cancel();
    this.#source.remove(this);
    this.#watchers.end();
  }

  /** From the hub: events of this resource, in order. */
  apply(events: readonly StoreEvent[]): void {
    if (this.#backlog) {
      this.#backlog.push(...events);
      return;
    }
    for (const event of events) this.#apply(event);
  }

  /** The store's watch could not be resumed: reads everything anew. Until then readers get the state of before. */
  reload(): void {
    if (this.#closed || this.#backlog) return;
    this.#listed = this.revision;
    this.#backlog = [];
    this.#watchers.end();
    this.synced = this.#sync();
  }

  #values(prefix: string): CacheEntry[] {
    return prefix === this.prefix ? this.#objects.values() : this.#objects.values(prefix, prefixEnd(prefix));
  }

  /** Loads until it succeeds. */
  #sync(): Promise<void> {
    const { clock, log } = this.#options;
    const run = async (): Promise<void> => {
      while (!this.#closed) {
        try {
          return await this.#load();
        } catch (error) {
          // Compacted: the listing took too long. Unavailable: it will answer some time. The rest will not go away.
          if (!(error instanceof StoreError) || (error.code !== 'compacted' && error.code !== 'unavailable')) throw error;
          log.warn('Watch cache cannot be read, trying again', { prefix: this.prefix, error });
          await sleep(clock, 1000);
        }
      }
    };
    const synced = run();
    synced.catch((error: unknown) => {
      if (!this.#closed) log.error('Watch cache cannot be read', { prefix: this.prefix, error });
    });
    return synced;
  }

  async #load(): Promise<void> {
    await this.#source.ready;
    const { store, clock } = this.#options;
    const end = prefixEnd(this.prefix);
    const entries: CacheEntry[] = [];
    let from = this.prefix;
    let revision = 0;
    let slice = clock.monotonic();
    for (;;) {
      const page = await store.range({ key: from, end, revision, limit: pageSize });
      if (revision === 0) revision = page.revision;
      for (const keyValue of page.keyValues) {
        // Decoded anew: what it was decoded to when written may be out of date (a custom resource's schema has changed since).
        const entry = this.#entry(keyValue, undefined);
        if (entry) entries.push(entry);
        if (clock.monotonic() - slice < decodingSlice) continue;
        await new Promise((resolve) => setImmediate(resolve));
        slice = clock.monotonic();
      }
      if (!page.more) break;
      from = `${page.keyValues.at(-1)!.key}\0`;
    }
    const backlog = this.#backlog ?? [];
    this.#backlog = undefined;
    this.#objects = new SortedMap();
    this.#objects.load(entries, ({ key }) => key);
    this.#lists.clear();
    this.#listed = revision;
    this.#window = this.#newWindow(revision);
    for (const event of backlog) if (event.keyValue.modRevision > revision) this.#apply(event);
  }

  #apply({ type, keyValue }: StoreEvent): void {
    const previous = this.#objects.get(keyValue.key);
    const revision = keyValue.modRevision;
    const now = this.#options.clock.monotonic();
    if (type === 'delete') {
      if (!previous) return;
      this.#objects.delete(keyValue.key);
      const current = new CacheEntry(keyValue.key, this.#settle(withRevision(previous.object, revision)), revision);
      return this.#publish({ type: 'DELETED', current, previous, revision }, now);
    }
    const current = this.#entry(keyValue, takeDecoded(keyValue.value));
    if (!current) return;
    this.#objects.set(keyValue.key, current);
    this.#publish({ type: previous ? 'MODIFIED' : 'ADDED', current, previous, revision }, now);
  }

  #trim(): void {
    const { clock, window } = this.#options;
    this.#trimming = this.#window.trim(clock.monotonic()) ? clock.setTimeout(() => this.#trim(), window.fresh) : undefined;
  }

  #publish(event: CacheEvent, now: number): void {
    this.#lists.changed(event.current.key);
    this.#window.push(event, now);
    // What is old goes in a quiet time, too, not only when more comes.
    this.#trimming ??= this.#options.clock.setTimeout(() => this.#trim(), this.#options.window.fresh);
    this.#watchers.publish(event);
  }

  #newWindow(start: number): EventWindow {
    const { store, window } = this.#options;
    return new EventWindow(start, window, store.read && this.#layOff);
  }

  /** A state of the past needs no memory where the store has it. There are many of them: what makes them again is one function for all. */
  readonly #layOff = (event: CacheEvent): void => {
    const before = event.previous as CacheEntry | undefined;
    if (event.type === 'DELETED') (event.current as CacheEntry).layOff(this.#deletionOf(before!));
    before?.layOff(this.#again);
  };

  #deletionOf(before: CacheEntry): Again {
    return ({ revision }) => this.#settle(withRevision(before.object, revision));
  }

  readonly #again = ({ key, revision }: CacheEntry): KubeObject => {
    const { store } = this.#options;
    let found: KeyValue | undefined;
    try {
      [found] = store.read!({ key, revision }).keyValues;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'compacted') throw error;
    }
    if (!found || found.modRevision !== revision) throw expired(`too old resource version: ${revision} (${store.compactRevision()})`);
    return this.#settle(withRevision(this.#decode(found.value, key), revision));
  };

  /** `known`: what its writer said that it decodes to. */
  #entry({ key, value, modRevision }: KeyValue, known: KubeObject | undefined): CacheEntry | undefined {
    this.#averageSize += (value.byteLength - this.#averageSize) / (this.#averageSize === 0 ? 1 : 100);
    try {
      const object = this.#settle(withRevision(known ?? this.#decode(value, key), modRevision));
      return new CacheEntry(key, object, modRevision, known && !known.metadata?.resourceVersion ? value : undefined);
    } catch (error) {
      this.#options.log.error('Stored object cannot be decoded', { key, revision: modRevision, error });
      return undefined;
    }
  }

  #settle(object: KubeObject): KubeObject {
    return this.#options.freeze ? deepFreeze(object) : object;
  }
}
