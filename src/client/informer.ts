import type { Kind } from '#api';
import type { Clock, Random } from '#machinery/clock';
import { sleep } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import { deepFreeze, keyOf } from '#machinery/meta';
import { isExpired, isStatus } from '#machinery/status';
import type { Client, Informer, InformerHandler, WatchEvent } from './contract.ts';
import { ObjectIndex } from './object-index.ts';

export interface InformerOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  metadataOnly?: boolean;
}

export interface InformerDependencies {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  /** Freeze every object received, so that whoever changes one fails at once. For tests. */
  freeze?: boolean;
  /** Ask the server to stream the first state as watch events (sendInitialEvents). Default true; a server that refuses gets a list instead. */
  streamLists?: boolean;
}

export interface RunningInformer<T extends KubeObject> extends Informer<T> {
  stop(): Promise<void>;
}

const initialEventsEnd = 'k8s.io/initial-events-end';
/** Back-off between failed attempts; upstream's reflector begins at 800 ms, which a start in a fraction of a second has no room for. */
const backOff = { first: 50, factor: 2, most: 30_000, resetAfter: 120_000 };
/** How long the server may take to stream the first state before a list is tried instead. */
const streamPatience = 30_000;

/**
 * Lists, then watches from there for ever: resumes a broken watch at its last revision, lists again when that has expired.
 * upstream: client-go tools/cache/reflector.go, shared_informer.go.
 */
export function startInformer<T extends KubeObject>(
  dependencies: InformerDependencies,
  kind: Kind<T>,
  options: InformerOptions,
): RunningInformer<T> {
  const { client, clock, random, freeze } = dependencies;
  const log = dependencies.log.with({ resource: kind.resource, ...(kind.group && { group: kind.group }) });
  const objects = new ObjectIndex<T>();
  const handlers = new Set<InformerHandler<T>>();
  const stopping = new AbortController();
  let hasSynced = false;
  let markSynced!: () => void;
  const synced = new Promise<void>((resolve) => (markSynced = resolve));
  let revision = '';
  let streamLists = dependencies.streamLists ?? true;

  const tell = (run: (handler: InformerHandler<T>) => void): void => {
    for (const handler of handlers)
      try {
        run(handler);
      } catch (error) {
        log.error('An informer handler failed', { error });
      }
  };
  const put = (object: T): void => {
    const key = keyOf(object);
    const old = objects.get(key);
    if (old && old.metadata?.uid !== object.metadata?.uid) remove(old);
    objects.set(key, object);
    if (old && old.metadata?.uid === object.metadata?.uid) {
      if (old.metadata?.resourceVersion !== object.metadata?.resourceVersion) tell((handler) => handler.updated?.(object, old));
    } else tell((handler) => handler.added?.(object));
  };
  const remove = (object: T): void => {
    if (objects.delete(keyOf(object))) tell((handler) => handler.deleted?.(object));
  };
  const replace = (items: Iterable<T>, at: string): void => {
    const next = new Map<string, T>();
    for (const item of items) next.set(keyOf(item), item);
    for (const [key, object] of objects.entries()) if (!next.has(key)) remove(object);
    for (const object of next.values()) put(object);
    revision = at;
    if (!hasSynced) {
      hasSynced = true;
      markSynced();
    }
  };
  const complete = (object: T): T => {
    // Items of lists come without apiVersion and kind; those who record events or make owner references need them.
    const whole = object.kind ? object : { apiVersion: kind.apiVersion, kind: kind.kind, ...object };
    return freeze ? deepFreeze(whole) : whole;
  };
  const selection = {
    ...(options.namespace && { namespace: options.namespace }),
    ...(options.labelSelector && { labelSelector: options.labelSelector }),
    ...(options.fieldSelector && { fieldSelector: options.fieldSelector }),
    ...(options.metadataOnly && { metadataOnly: true }),
    signal: stopping.signal,
  };

  const list = async (): Promise<void> => {
    const items: T[] = [];
    let next: string | undefined;
    let at: string;
    do {
      const page = await client.list(kind, { ...selection, ...(next ? { continue: next } : {}) });
      for (const item of page.items) items.push(complete(item));
      at = page.metadata.resourceVersion;
      next = page.metadata.continue;
    } while (next);
    replace(items, at);
  };

  /** Watches from `revision`, or, with `initial`, gets the whole state first. Returns when the watch ended regularly. */
  const watch = async (initial: boolean): Promise<void> => {
    const first = initial ? new Map<string, T>() : undefined;
    let collecting = initial;
    let patience = initial
      ? clock.setTimeout(() => {
          log.warn('The server does not stream its first state: listing instead');
          streamLists = false;
          cut.abort();
        }, streamPatience)
      : undefined;
    const cut = new AbortController();
    const sink = (event: WatchEvent<T>): void => {
      if (stopping.signal.aborted || cut.signal.aborted) return;
      const at = event.object.metadata?.resourceVersion;
      if (collecting) {
        if (event.type === 'BOOKMARK') {
          if (event.object.metadata?.annotations?.[initialEventsEnd] !== 'true') return;
          collecting = false;
          patience?.cancel();
          patience = undefined;
          replace(first!.values(), at ?? '');
          first!.clear();
        } else if (event.type === 'DELETED') first!.delete(keyOf(event.object));
        else first!.set(keyOf(event.object), complete(event.object));
        return;
      }
      if (event.type === 'DELETED') {
        const object = complete(event.object);
        if (objects.get(keyOf(object))?.metadata?.uid === object.metadata?.uid) remove(object);
      } else if (event.type !== 'BOOKMARK') put(complete(event.object));
      if (at) revision = at;
    };
    const signal = AbortSignal.any([stopping.signal, cut.signal]);
    try {
      const handle = await client.watch(
        kind,
        {
          ...selection,
          signal,
          allowWatchBookmarks: true,
          timeoutSeconds: Math.round(300 + random.next() * 300),
          ...(initial ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' as const } : { resourceVersion: revision }),
        },
        sink,
      );
      await handle.done;
    } finally {
      patience?.cancel();
    }
  };

  const run = async (): Promise<void> => {
    let delay = backOff.first;
    let lastFailure = clock.monotonic();
    let begun = false;
    while (!stopping.signal.aborted) {
      try {
        if (revision === '') {
          if (streamLists) await watch(true);
          else {
            await list();
            await watch(false);
          }
        } else await watch(false);
        begun = true;
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (streamLists && revision === '' && isStatus(error, 'Invalid', 'BadRequest', 'Forbidden', 'MethodNotAllowed', 'NotFound')) {
          streamLists = false;
          continue;
        }
        if (isExpired(error) || isStatus(error, 'Timeout')) revision = '';
        // 404 after a good start: the kind is gone (its CRD was deleted); what was known of it no longer exists.
        if (isStatus(error, 'NotFound') && begun) replace([], '');
        if (clock.monotonic() - lastFailure > backOff.resetAfter) delay = backOff.first;
        lastFailure = clock.monotonic();
        log.debug('Watching failed; trying again', { error, delay });
        await sleep(clock, delay * (1 + random.next()), stopping.signal).catch(() => undefined);
        delay = Math.min(delay * backOff.factor, backOff.most);
        continue;
      }
      // A server that ends watches at once must not be asked in a tight loop.
      if (!stopping.signal.aborted) await sleep(clock, 1 + random.next() * 20, stopping.signal).catch(() => undefined);
    }
  };
  const ended = run().catch((error: unknown) => log.error('An informer ended', { error }));

  return {
    kind,
    synced,
    get hasSynced() {
      return hasSynced;
    },
    get: (key) => objects.get(key),
    list: (namespace) => objects.list(namespace),
    byIndex: (index, value) => objects.byIndex(index, value),
    addIndex: (index, values) => objects.addIndex(index, values),
    on(handler) {
      // A private copy, so that the same handler object can subscribe twice.
      const own: InformerHandler<T> = {
        added: (object) => handler.added?.(object),
        updated: (object, old) => handler.updated?.(object, old),
        deleted: (object) => handler.deleted?.(object),
      };
      for (const object of objects.list()) handler.added?.(object);
      handlers.add(own);
      return { [Symbol.dispose]: () => void handlers.delete(own) };
    },
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}
