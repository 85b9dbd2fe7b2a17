import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import type { KubeObject } from '#machinery/meta';
import { StatusError } from '#machinery/status';
import { memoryStore, StoreError } from '#store';
import type { MemoryStore, Store, WatchBatch } from '#store';
import type { CacheEvent } from '../contract.ts';
import { rememberDecoded, watchCaches } from './mod.ts';

const decode = (value: Uint8Array): KubeObject => JSON.parse(Buffer.from(value).toString()) as KubeObject;
const pods = '/registry/pods/';
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const encoded = (name: string, labels: Record<string, string> = {}): Uint8Array =>
  Buffer.from(JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata: { name, labels } }));
const put = (store: MemoryStore, key: string, value = encoded(key.split('/').at(-1)!)): Promise<{ revision: number }> =>
  store.txn({ compare: [], success: [{ type: 'put', key, value }], failure: [] });
const remove = (store: MemoryStore, key: string): Promise<{ revision: number }> =>
  store.txn({ compare: [], success: [{ type: 'delete', key }], failure: [] });
const told = (events: readonly CacheEvent[]): string[] =>
  events.map(({ type, current }) => `${type} ${current.key.slice(pods.length)} ${current.object.metadata?.resourceVersion}`);

async function setup(window = {}) {
  const clock = virtualClock(1_700_000_000_000);
  const store = memoryStore({ clock });
  await put(store, `${pods}a/one`);
  const caches = watchCaches({ store, clock, freeze: true, window });
  const cache = caches.cache(pods, decode);
  await cache.synced;
  return {
    clock,
    store,
    caches,
    cache,
    async [Symbol.asyncDispose]() {
      await caches.close();
      await store.close();
      assert.equal(clock.pending, 0, 'a timer was left behind');
    },
  };
}

test('a write is in the cache when its promise resolves, and the revision follows writes of other resources', async () => {
  await using own = await setup();
  const { store, cache } = own;
  assert.equal(cache.revision, 2);
  const { revision } = await put(store, `${pods}b/two`);
  assert.equal(cache.get(`${pods}b/two`)?.revision, revision);
  assert.equal(cache.get(`${pods}b/two`)?.object.metadata?.resourceVersion, '3');
  await put(store, '/registry/secrets/a/s');
  assert.equal(cache.revision, 4);
  await cache.waitFor(4);
});

test('list() is in key order, by prefix, and stays as it was', async () => {
  await using own = await setup();
  const { store, cache } = own;
  for (const key of ['b/two', 'a/zero', 'ab/x']) await put(store, pods + key);
  const { items, revision } = cache.list(pods);
  const keys = (list: readonly { key: string }[]): string[] => list.map((item) => item.key.slice(pods.length));
  assert.deepEqual([keys(items), revision], [['a/one', 'a/zero', 'ab/x', 'b/two'], 5]);
  assert.deepEqual(keys(cache.list(`${pods}a/`).items), ['a/one', 'a/zero']);
  await remove(store, `${pods}a/one`);
  await put(store, `${pods}a/zero`, encoded('zero', { changed: 'yes' }));
  assert.equal(items.length, 4);
  assert.deepEqual(keys(cache.list(`${pods}a/`).items), ['a/zero']);
  const past = cache.listAt(`${pods}a/`, 5)!;
  assert.deepEqual(keys(past.items), ['a/one', 'a/zero']);
  assert.equal(past.items[1]!.revision, 4);
  assert.equal(cache.listAt(pods, 1), undefined);
  assert.equal(cache.listAt(pods, 99), undefined);
  const first = cache.list(`${pods}a/`).items;
  await put(store, `${pods}b/two`, encoded('two', { changed: 'yes' }));
  assert.equal(cache.list(`${pods}a/`).items, first, 'the same array while nothing under the prefix changes');
  await put(store, `${pods}a/zero`, encoded('zero', { changed: 'again' }));
  assert.notEqual(cache.list(`${pods}a/`).items, first);
  await store.compact(6);
  assert.equal(cache.listAt(pods, 5), undefined);
  assert.equal(cache.listAt(pods, 6)?.items.length, 3);
});

test('bytes() are the JSON with the resourceVersion, made once, whether the writer handed its object over or not', async () => {
  await using own = await setup();
  const { store, cache } = own;
  const object = { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'kept', labels: { é: 'ü' } } };
  const value = Buffer.from(JSON.stringify(object));
  rememberDecoded(value, object);
  await put(store, `${pods}a/kept`, value);
  for (const key of ['a/kept', 'a/one']) {
    const entry = cache.get(pods + key)!;
    assert.deepEqual(JSON.parse(Buffer.from(entry.bytes()).toString()), entry.object);
    assert.equal(entry.bytes(), entry.bytes());
    assert.equal(Buffer.from(entry.line()).toString(), `${Buffer.from(entry.bytes()).toString()}\n`);
    assert.equal(entry.line().buffer, entry.bytes().buffer);
  }
  assert.equal(cache.get(`${pods}a/kept`)!.object.metadata!.labels, object.metadata.labels);
  assert.throws(() => (cache.get(`${pods}a/kept`)!.object.metadata!.labels!['x'] = 'y'), TypeError);
});

test('watch() gives first the window, then live events, a batch a turn, each to whom it concerns', async () => {
  await using own = await setup();
  const { store, cache } = own;
  await put(store, `${pods}a/two`);
  await put(store, `${pods}b/one`);
  const seen: Record<string, string[][]> = { all: [], a: [], key: [], now: [] };
  const into = (name: string) => (events: readonly CacheEvent[]) => void seen[name]!.push(told(events));
  const all = cache.watch(pods, 2, into('all'));
  cache.watch(`${pods}a/`, 2, into('a'));
  cache.watch(`${pods}a/two`, 2, into('key'));
  cache.watch(pods, cache.revision, into('now'));
  assert.equal(all.revision, 2, 'nothing of the window was given yet');
  await put(store, `${pods}a/two`);
  await remove(store, `${pods}b/one`);
  assert.equal(all.revision, 4, 'what happened in this turn comes at its end');
  await turn();
  assert.equal(all.revision, 6);
  const window = ['ADDED a/two 3', 'ADDED b/one 4'];
  const live = ['MODIFIED a/two 5', 'DELETED b/one 6'];
  assert.deepEqual(seen, {
    all: [window, live],
    a: [[window[0]], [live[0]]],
    key: [[window[0]], [live[0]]],
    now: [live],
  });
});

test('who comes in the middle of a turn is not given what happened before in it', async () => {
  await using own = await setup();
  const { store, cache } = own;
  const seen: string[][] = [[], []];
  const into = (index: number) => (events: readonly CacheEvent[]) => void seen[index]!.push(...told(events));
  cache.watch(pods, cache.revision, into(0));
  await put(store, `${pods}a/early`);
  const late = cache.watch(pods, cache.revision, into(1));
  await put(store, `${pods}a/late`);
  assert.equal(late.revision, 3);
  await turn();
  assert.deepEqual(seen, [['ADDED a/early 3', 'ADDED a/late 4'], ['ADDED a/late 4']]);
});

test('a watcher is cut when its sink answers false or throws; the others go on', async () => {
  await using own = await setup();
  const { store, cache } = own;
  const counts = [0, 0, 0];
  cache.watch(pods, cache.revision, () => {
    counts[0]!++;
    return false;
  });
  let ended = 0;
  cache.watch(
    pods,
    cache.revision,
    () => {
      counts[1]!++;
      throw new Error('broken');
    },
    { ended: () => ended++ },
  );
  const third = cache.watch(pods, cache.revision, () => void counts[2]!++);
  for (let round = 0; round < 3; round++) {
    await put(store, `${pods}a/one`);
    await turn();
  }
  assert.deepEqual([counts, ended], [[1, 1, 3], 1]);
  third.stop();
  await put(store, `${pods}a/one`);
  await turn();
  assert.equal(counts[2], 3);
});

test('past states are laid off, and read from the store again when somebody asks for them', async () => {
  await using own = await setup({ ready: 2 });
  const { store, cache } = own;
  const from = cache.revision;
  for (const color of ['red', 'green', 'blue']) await put(store, `${pods}a/one`, encoded('one', { color }));
  await remove(store, `${pods}a/one`);
  for (const name of ['x', 'y', 'z']) await put(store, `${pods}b/${name}`);
  const colors: string[] = [];
  const watch = cache.watch(pods, from, (events) => {
    for (const { type, current, previous } of events) {
      const parsed = JSON.parse(Buffer.from(current.bytes()).toString()) as KubeObject;
      assert.deepEqual(parsed, current.object);
      assert.equal(parsed.metadata?.resourceVersion, String(current.revision));
      colors.push(`${type} ${previous?.object.metadata?.labels?.['color'] ?? '-'} → ${parsed.metadata?.labels?.['color'] ?? '-'}`);
    }
  });
  await turn();
  assert.deepEqual(colors.slice(0, 4), ['MODIFIED - → red', 'MODIFIED red → green', 'MODIFIED green → blue', 'DELETED blue → blue']);
  watch.stop();
  assert.equal(cache.listAt(pods, from + 2)?.items[0]?.object.metadata?.labels?.['color'], 'green');
  await store.compact(cache.revision - 1);
  assert.throws(() => cache.watch(pods, from, () => undefined), /too old resource version/);
});

test('the window keeps fresh events and refuses what is older', async () => {
  await using own = await setup({ least: 2, fresh: 1000, most: 5 });
  const { store, cache, clock } = own;
  const expired = (revision: number, start: number): void =>
    assert.throws(
      () => cache.watch(pods, revision, () => undefined),
      (error) =>
        error instanceof StatusError &&
        error.status.reason === 'Expired' &&
        error.message === `too old resource version: ${revision} (${start})`,
    );
  expired(1, 2);
  for (let index = 0; index < 4; index++) await put(store, `${pods}a/one`);
  cache.watch(pods, 2, () => undefined).stop();
  await clock.advance(2000);
  await put(store, `${pods}a/one`);
  expired(4, 5);
  cache.watch(pods, 5, () => undefined).stop();
  for (let index = 0; index < 9; index++) await put(store, `${pods}a/one`);
  expired(10, 11);
  await clock.advance(3000);
  expired(13, 14);
});

test('waitFor() refuses a revision that does not come', async () => {
  await using own = await setup();
  const { store, cache, clock } = own;
  const early = cache.waitFor(3);
  await put(store, '/registry/leases/a/x');
  await early;
  const late = assert.rejects(cache.waitFor(9), (error) => {
    assert(error instanceof StatusError);
    assert.equal(error.message, 'Timeout: Too large resource version: 9, current: 3');
    assert.deepEqual(error.status.details, {
      retryAfterSeconds: 1,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    });
    return true;
  });
  await clock.advance(3000);
  await late;
});

test('a cache made later has what others wrote meanwhile; closing one ends its watches', async () => {
  await using own = await setup();
  const { store, caches } = own;
  const later = caches.cache('/registry/secrets/', decode);
  await put(store, '/registry/secrets/a/s');
  await later.synced;
  await put(store, '/registry/secrets/a/t');
  assert.deepEqual(
    later.list('/registry/secrets/').items.map((item) => item.key),
    ['/registry/secrets/a/s', '/registry/secrets/a/t'],
  );
  let ended = 0;
  later.watch('/registry/secrets/', later.revision, () => undefined, { ended: () => ended++ });
  await later.close();
  assert.equal(ended, 1);
  assert.throws(() => later.watch('/registry/secrets/', later.revision, () => undefined), StatusError);
});

test('on a store behind a network, waiting for a revision asks for progress; a broken watch reads everything anew', async () => {
  const clock = virtualClock(1_700_000_000_000);
  const memory = memoryStore({ clock });
  await put(memory, `${pods}a/one`);
  // A store whose events come late and whose watch can be broken: as etcd's do.
  const watches: { deliver(batch: WatchBatch): void; breakOff(error: Error): void }[] = [];
  let asked = 0;
  const store: Store = {
    embedded: false,
    leases: memory.leases,
    revision: () => memory.revision(),
    range: (request) => memory.range(request),
    txn: (request) => memory.txn(request),
    compact: (revision) => memory.compact(revision),
    compactRevision: () => memory.compactRevision(),
    watch(_request, sink) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      watches.push({ deliver: sink, breakOff: reject });
      return { done: promise, cancel: resolve, progress: () => void asked++, pause: () => undefined, resume: () => undefined };
    },
    close: () => memory.close(),
    [Symbol.asyncDispose]: () => memory.close(),
  };
  const caches = watchCaches({ store, clock, freeze: true });
  const cache = caches.cache(pods, decode);
  await cache.synced;
  const { revision } = await put(memory, '/registry/secrets/a/s');
  const waiting = cache.waitFor(revision);
  await clock.advance(250);
  assert.equal(asked, 3, 'now, and every tenth of a second');
  watches[0]!.deliver({ revision, events: [] });
  await waiting;
  await clock.advance(1000);
  assert.equal(asked, 3);
  let ended = 0;
  cache.watch(pods, revision, () => undefined, { ended: () => ended++ });
  await put(memory, `${pods}a/two`);
  await remove(memory, `${pods}a/one`);
  watches[0]!.breakOff(new StoreError('compacted', 'gone'));
  await clock.advance(1000);
  await clock.advance(0);
  assert.equal(ended, 1);
  assert.deepEqual(
    cache.list(pods).items.map((item) => item.key),
    [`${pods}a/two`],
  );
  assert.equal(cache.revision, 5);
  await caches.close();
  await memory.close();
  assert.equal(clock.pending, 0);
});
