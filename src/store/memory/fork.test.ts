import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, virtualClock } from '#machinery/clock';
import { memoryStore } from './mod.ts';

const put = (key: string, value: string, lease = 0) => ({
  compare: [],
  success: [{ type: 'put' as const, key, value: Buffer.from(value), lease }],
  failure: [],
});

test('a fork begins as the store was at a revision; neither sees what the other does afterwards', async () => {
  const clock = virtualClock();
  const store = memoryStore({ clock });
  const { id } = await store.leases.grant(60);
  await store.txn(put('a', '1'));
  await store.txn(put('b', '1', id));
  const { revision } = await store.txn(put('a', '2'));
  await store.txn({ compare: [], success: [{ type: 'delete', key: 'b' }], failure: [] });
  const fork = store.fork({ clock }, revision);
  const read = async (from: typeof store): Promise<string[]> =>
    (await from.range({ key: '\0', end: '\0' })).keyValues.map((kv) => `${kv.key}=${Buffer.from(kv.value).toString()}`);
  assert.deepEqual([await read(fork), await fork.revision()], [['a=2', 'b=1'], revision]);
  assert.deepEqual(await fork.range({ key: 'a' }), await store.range({ key: 'a', revision }).then((found) => ({ ...found, revision })));
  const seen: number[] = [];
  fork.watch({ key: 'a' }, (batch) => void seen.push(batch.revision));
  await fork.txn(put('a', 'fork'));
  await store.txn(put('a', 'store'));
  await store.txn(put('c', 'store'));
  assert.deepEqual([await read(fork), await read(store), seen], [['a=fork', 'b=1'], ['a=store', 'c=store'], [revision + 1]]);
  assert.deepEqual((await fork.leases.timeToLive(id, true)).keys, ['b']);
  await assert.rejects(fork.range({ key: 'a', revision: revision - 1 }), /compacted/);
  await fork.close();
  await store.close();
});

test('forking ten thousand keys takes milliseconds', async () => {
  const store = memoryStore({ clock: virtualClock() });
  for (let index = 0; index < 10_000; index++) await store.txn(put(`/registry/pods/${index}`, 'x'));
  const times = Array.from({ length: 5 }, () => {
    const begin = systemClock.monotonic();
    store.fork({ clock: virtualClock() });
    return systemClock.monotonic() - begin;
  });
  assert(Math.min(...times) < 100, `it took ${Math.min(...times)} ms`);
});
