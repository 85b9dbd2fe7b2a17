/**
 * Watches: the cache's events as one client asked for them, through its selectors, with what existed at the start before them and
 * bookmarks between them. upstream: apiserver/pkg/storage/cacher/cache_watcher.go.
 */
import type { Clock, Timer } from '#machinery/clock';
import type { KubeObject } from '#machinery/meta';
import { StatusError, expired } from '#machinery/status';
import type { Status } from '#api';
import type { CacheEvent, CacheWatch, CachedObject } from '../../contract.ts';
import { derived } from './conversion.ts';
import { parseRevisionRaw } from './listing.ts';
import type { Selection } from './selection.ts';
import type { GenericStorage } from './storage.ts';

export interface WatchQuery {
  selection: Selection;
  resourceVersion: string;
  bookmarks: boolean;
  /** Undefined: not asked for; the beginning then depends on resourceVersion alone. */
  sendInitialEvents: boolean | undefined;
  /** See WatchCache. */
  patient: boolean;
}

/** One event on its way to a client. An ERROR is the last. */
export type WatchItem =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; cached: CachedObject }
  | { type: 'BOOKMARK'; object: KubeObject }
  | { type: 'ERROR'; status: Status };

/** Answers false to be cut: it cannot keep up. */
export type WatchSink = (items: readonly WatchItem[]) => boolean | void;

export interface RunningWatch {
  stop(): void;
}

const initialEventsEnd = 'k8s.io/initial-events-end';
const bookmarkPeriod = 60_000;

/** What selectors let through of a batch: watchers of a prefix are given the same batch, so those who select the same are given the same items. */
const selected = new WeakMap<readonly CacheEvent[], Map<string, readonly WatchItem[]>>();

/**
 * Starts a watch. `sink` is never called before this has resolved. `ended` is called once when the watch ends by itself: after an
 * ERROR, when the sink was cut, when the cache closes.
 */
export async function watch(
  storage: GenericStorage,
  namespace: string,
  query: WatchQuery,
  sink: WatchSink,
  ended: () => void,
): Promise<RunningWatch> {
  const { storagePrefix, fact, kind } = storage.served;
  const { selection } = query;
  const inNamespace = fact.namespaced && namespace ? `${storagePrefix}${namespace}/` : storagePrefix;
  const prefix = selection.name !== undefined && (namespace || !fact.namespaced) ? `${inNamespace}${selection.name}` : inNamespace;
  const revision = parseRevisionRaw(query.resourceVersion);
  const initial = query.sendInitialEvents ?? revision === 0;
  const cache = storage.cache;
  await cache.synced;
  if (query.resourceVersion === '') await storage.fresh();
  else if (initial && revision > cache.revision) await cache.waitFor(revision);

  let running: CacheWatch | undefined;
  let stopped = false;
  let timer: Timer | undefined;
  let given = revision;
  const stop = (): void => {
    stopped = true;
    timer?.cancel();
    running?.stop();
  };
  const end = (): void => {
    if (stopped) return;
    stop();
    ended();
  };
  const give = (items: readonly WatchItem[]): boolean => {
    if (stopped) return false;
    if (items.length === 0 || sink(items) !== false) return true;
    end();
    return false;
  };
  const bookmark = (at: number, annotations?: Record<string, string>): WatchItem => ({
    type: 'BOOKMARK',
    object: {
      kind: kind.kind,
      apiVersion: kind.apiVersion,
      metadata: { resourceVersion: String(at), ...(annotations && { annotations }) },
    },
  });
  const filter = (event: CacheEvent): WatchItem | undefined => {
    const { current, previous } = event;
    if (selection.empty) return { type: event.type, cached: current };
    const before = previous !== undefined && selection.matches(previous.object);
    if (event.type === 'DELETED') return before ? { type: 'DELETED', cached: current } : undefined;
    if (selection.matches(current.object)) return { type: before ? 'MODIFIED' : 'ADDED', cached: current };
    if (!before) return undefined;
    // It left the selection: for this watcher that is a deletion of what it last saw, at the revision of the change.
    const meta = { ...previous.object.metadata, resourceVersion: String(event.revision) };
    return { type: 'DELETED', cached: derived(previous, { ...previous.object, metadata: meta }, event.revision) };
  };

  // Versions of a resource share its cache, and each has selectable fields of its own.
  const view = selection.empty ? '' : `${kind.apiVersion}\n${selection.text}`;
  const filtered = (events: readonly CacheEvent[]): readonly WatchItem[] => {
    let kept = selected.get(events);
    if (!kept) selected.set(events, (kept = new Map()));
    let items = kept.get(view);
    if (!items) kept.set(view, (items = events.map(filter).filter((item) => item !== undefined)));
    return items;
  };

  let queue: Promise<void> | undefined;
  const deliver = (events: readonly CacheEvent[]): boolean => {
    if (!storage.converts) {
      const items = filtered(events);
      if (items.length > 0) given = events.at(-1)!.revision;
      return give(items);
    }
    // Conversion may take its time: batches keep their order.
    queue = (queue ?? Promise.resolve())
      .then(async () => {
        const items: WatchItem[] = [];
        for (const event of events) {
          const [current, previous] = await storage.toServed(event.previous ? [event.current, event.previous] : [event.current]);
          const item = filter({ ...event, current: current!, previous });
          if (item) items.push(item);
        }
        if (items.length > 0) given = events.at(-1)!.revision;
        give(items);
      })
      .catch((error: unknown) => {
        give([{ type: 'ERROR', status: statusOf(error) }]);
        end();
      });
    return !stopped;
  };

  let first: WatchItem[] = [];
  let from = revision;
  if (initial) {
    const single = prefix.endsWith('/') ? undefined : cache.get(prefix);
    const present = prefix.endsWith('/') ? cache.list(prefix).items : single ? [single] : [];
    from = cache.revision;
    const items = await storage.toServed(present);
    first = items.filter((item) => selection.matches(item.object)).map((cached) => ({ type: 'ADDED' as const, cached }));
    if (query.sendInitialEvents && query.bookmarks) first.push(bookmark(from, { [initialEventsEnd]: 'true' }));
  } else if (revision === 0) from = cache.revision;
  given = from;

  // Live events wait until the initial ones were given.
  let held: CacheEvent[] | undefined = [];
  try {
    running = cache.watch(
      prefix,
      from,
      (events) => {
        if (!held) return deliver(events);
        held.push(...events);
        return true;
      },
      { ended: () => end(), patient: query.patient },
    );
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== 'Expired') throw error;
    first = [{ type: 'ERROR', status: error.status }];
  }
  setImmediate(() => {
    const waiting = held ?? [];
    held = undefined;
    if (!give(first)) return;
    if (!running) return end();
    if (waiting.length > 0) deliver(waiting);
  });
  if (query.bookmarks && running) {
    const live = running;
    const tick = (clock: Clock): void => {
      timer = clock.setTimeout(() => {
        const at = live.revision;
        if (!storage.converts && held === undefined && at > given) {
          given = at;
          give([bookmark(at)]);
        }
        if (!stopped) tick(clock);
      }, bookmarkPeriod);
    };
    tick(storage.parts.clock);
  }
  return { stop };
}

const statusOf = (error: unknown): Status =>
  error instanceof StatusError ? error.status : expired(error instanceof Error ? error.message : String(error)).status;
