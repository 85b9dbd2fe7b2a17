/**
 * One watch on the store for all resources, each change dispatched to the cache its key belongs to. So every cache's revision is the
 * store's, whoever wrote: on an embedded store it is there when a write's promise resolves; on etcd, progress is asked for when
 * someone waits for a revision.
 */
import { prefixRange, StoreError } from '#store';
import type { Store, StoreEvent, Watch, WatchBatch } from '#store';
import { sleep } from '#machinery/clock';
import type { Clock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { Log } from '#machinery/log';
import { failure } from '#machinery/status';
import type { WatchCache } from '../contract.ts';
import { ResourceCache } from './cache.ts';
import type { CacheOptions, Decode, Source } from './cache.ts';
import type { WindowLimits } from './window.ts';

export interface WatchCachesOptions {
  store: Store;
  clock: Clock;
  log?: Log;
  /** Under test: freezes cached objects. */
  freeze?: boolean;
  /** Only keys under it are watched. Default "": all, so that the revision follows every write. */
  root?: string;
  /** How many past events a cache keeps. Default: 75 seconds' worth, at least 100, at most 102,400 (upstream's bounds). */
  window?: Partial<WindowLimits>;
}

export interface WatchCaches {
  /** Everything up to this revision has been applied, in every synced cache. */
  readonly revision: number;
  /** The cache of the keys under `prefix` (ends in "/"). One a prefix; close it before making it again. */
  cache(prefix: string, decode: Decode): WatchCache;
  close(): Promise<void>;
}

/** How long a reader waits for a revision that has not come, and how often progress is asked for meanwhile. upstream: blockTimeout, progressRequestPeriod. */
const patience = 3000;
const progressPeriod = 100;

export function watchCaches(options: WatchCachesOptions): WatchCaches {
  return new Hub(options);
}

/** A single resource's cache with a hub of its own. */
export function watchCache(options: WatchCachesOptions & { prefix: string; decode: Decode }): WatchCache {
  const hub = new Hub(options);
  const cache = hub.cache(options.prefix, options.decode);
  const close = cache.close.bind(cache);
  cache.close = async () => {
    await close();
    await hub.close();
  };
  return cache;
}

interface Waiter {
  revision: number;
  resolve(): void;
}

class Hub implements WatchCaches, Source {
  revision = 0;
  ready: Promise<void>;
  readonly #options: WatchCachesOptions;
  readonly #cacheOptions: CacheOptions;
  readonly #log: Log;
  readonly #caches = new Map<string, ResourceCache>();
  readonly #waiters = new Set<Waiter>();
  readonly #stop = new AbortController();
  #watch: Watch | undefined;

  constructor(options: WatchCachesOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#cacheOptions = {
      store: options.store,
      clock: options.clock,
      log: this.#log,
      freeze: options.freeze ?? false,
      window: { fresh: 75_000, least: 100, ready: 1000, most: 102_400, ...options.window },
    };
    this.ready = this.#start();
    // Who waits for it sees why; a hub without caches has nobody who does.
    this.ready.catch(() => undefined);
  }

  cache(prefix: string, decode: Decode): ResourceCache {
    if (!prefix.endsWith('/')) throw new Error(`Cannot cache ${prefix}: a prefix ends in a slash`);
    if (this.#caches.has(prefix)) throw new Error(`Cannot cache ${prefix} twice: close the other first`);
    const cache = new ResourceCache(prefix, decode, this, this.#cacheOptions);
    this.#caches.set(prefix, cache);
    return cache;
  }

  remove(cache: ResourceCache): void {
    if (this.#caches.get(cache.prefix) === cache) this.#caches.delete(cache.prefix);
  }

  async waitFor(revision: number): Promise<void> {
    if (revision <= this.revision) return;
    const { clock } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { revision, resolve };
    this.#waiters.add(waiter);
    const timer = clock.setTimeout(() => reject(tooLarge(revision, this.revision)), patience);
    const stop = (): void => reject(tooLarge(revision, this.revision));
    this.#stop.signal.addEventListener('abort', stop, { once: true });
    const asking = new AbortController();
    if (!this.#options.store.embedded) this.#ask(asking.signal);
    try {
      await promise;
    } finally {
      this.#waiters.delete(waiter);
      timer.cancel();
      this.#stop.signal.removeEventListener('abort', stop);
      asking.abort();
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#watch?.cancel();
    await Promise.all([...this.#caches.values()].map((cache) => cache.close()));
  }

  /** Opens the store's watch; tries until the store answers or we are closed. */
  async #start(): Promise<void> {
    const { store, clock, root = '' } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        this.revision = await store.revision();
        break;
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'unavailable') throw error;
        this.#log.warn('Store does not answer, trying again', { error });
        await sleep(clock, 1000, this.#stop.signal);
      }
    }
    if (this.#stop.signal.aborted) return;
    const request = { ...prefixRange(root), startRevision: this.revision + 1, progress: true };
    this.#watch = store.watch(request, (batch) => this.#dispatch(batch));
    this.#watch.done.catch((error: unknown) => this.#restart(error));
  }

  /** The store's watch broke in a way that cannot be resumed: what happened meanwhile is not known, so all caches read anew. */
  #restart(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#log.warn('Watch of the store broke, all watch caches are read anew', { error });
    const again = async (): Promise<void> => {
      await sleep(this.#options.clock, 1000, this.#stop.signal);
      await this.#start();
    };
    this.ready = again();
    this.ready.catch(() => undefined);
    for (const cache of this.#caches.values()) cache.reload();
  }

  #dispatch({ revision, events }: WatchBatch): void {
    let run: StoreEvent[] = [];
    let cache: ResourceCache | undefined;
    // Neighbours mostly belong to the same resource: they are handed on together.
    for (const event of events) {
      const next = this.#cacheOf(event.keyValue.key, cache);
      if (next !== cache) {
        if (run.length > 0) cache?.apply(run);
        run = [];
        cache = next;
      }
      if (cache) run.push(event);
    }
    if (run.length > 0) cache?.apply(run);
    if (revision <= this.revision) return;
    this.revision = revision;
    for (const waiter of this.#waiters) if (waiter.revision <= revision) waiter.resolve();
  }

  #cacheOf(key: string, guess: ResourceCache | undefined): ResourceCache | undefined {
    if (guess && key.startsWith(guess.prefix) && this.#caches.get(guess.prefix) === guess) return guess;
    for (let slash = key.indexOf('/', 1); slash >= 0; slash = key.indexOf('/', slash + 1)) {
      const cache = this.#caches.get(key.slice(0, slash + 1));
      if (cache) return cache;
    }
    return undefined;
  }

  #ask(signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#watch?.progress();
    const timer = this.#options.clock.setTimeout(() => this.#ask(signal), progressPeriod);
    signal.addEventListener('abort', () => timer.cancel(), { once: true });
  }
}

/** upstream: apiserver/pkg/storage/errors.go NewTooLargeResourceVersionError. */
function tooLarge(wanted: number, current: number): Error {
  return failure(504, 'Timeout', `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
    retryAfterSeconds: 1,
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
  });
}
