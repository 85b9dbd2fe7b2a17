/** Group commit, on a backing whose writes end when the test says so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom, virtualClock } from '#machinery/clock';
import { StoreError } from '../contract.ts';
import type { TxnRequest, WatchBatch } from '../contract.ts';
import { memoryStore } from '../memory/mod.ts';
import type { Backing, Batch } from './backing.ts';
import { noSpace } from './errors.ts';
import type { Record } from './record.ts';
import { MvccStore } from './store.ts';

const put = (key: string, value: string, extra: Partial<TxnRequest> = {}): TxnRequest => ({
  compare: [],
  success: [{ type: 'put', key, value: Buffer.from(value) }],
  failure: [],
  ...extra,
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setup(options: { quotaBytes?: number } = {}) {
  const clock = virtualClock();
  const disk = new Map<number, Uint8Array>();
  const writes: { batch: Batch; succeed(freed?: boolean): Promise<void>; fail(): Promise<void> }[] = [];
  let sequence = 0;
  const dropped: Record[] = [];
  const backing: Backing = {
    reserve: 10,
    load: (records) => records.map(({ sequence }) => disk.get(sequence)!),
    write(batch) {
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      writes.push({
        batch,
        succeed(freed = true) {
          for (const record of batch.records) disk.set((record.sequence = ++sequence), record.value!);
          if (freed) dropped.push(...batch.superfluous);
          resolve(freed);
          return turn();
        },
        fail() {
          reject(noSpace());
          return turn();
        },
      });
      return promise;
    },
    compact: () => Promise.resolve(),
    drop: (records) => {
      dropped.push(...records);
      return turn();
    },
    close: () => Promise.resolve(),
  };
  const store = new MvccStore({ clock, random: seededRandom(1), ...options }, backing);
  const seen: string[] = [];
  store.watch({ key: '\0', end: '\0' }, ({ events }) => {
    for (const { type, keyValue } of events) seen.push(`${type} ${keyValue.key}=${Buffer.from(keyValue.value).toString()}`);
  });
  const value = async (key: string): Promise<string | undefined> => {
    const [found] = (await store.range({ key })).keyValues;
    return found && Buffer.from(found.value).toString();
  };
  return { clock, store, writes, seen, value, dropped };
}

test('what is not durable is neither read nor watched; transactions see it', async () => {
  const { store, writes, seen, value } = setup();
  const order: string[] = [];
  const first = store.txn(put('a', '1')).then(() => order.push('first'));
  await turn();
  const second = store
    .txn(put('a', '2', { compare: [{ key: 'a', target: 'version', result: 'equal', operand: 1 }] }))
    .then(({ succeeded }) => order.push(`second ${succeeded}`));
  await turn();
  assert.deepEqual([await value('a'), seen, order, await store.revision(), writes.length], [undefined, [], [], 1, 1]);
  await writes[0]!.succeed();
  assert.deepEqual([await value('a'), seen, order, await store.revision(), writes.length], ['1', ['put a=1'], ['first'], 2, 2]);
  await writes[1]!.succeed();
  assert.deepEqual([await value('a'), seen, order], ['2', ['put a=1', 'put a=2'], ['first', 'second true']]);
  await Promise.all([first, second]);
});

test('all that waits goes into one write', async () => {
  const { store, writes } = setup();
  const done = [store.txn(put('a', '1')), store.txn(put('b', '1')), store.txn(put('a', '2'))];
  await turn();
  assert.deepEqual([writes.length, writes[0]!.batch.records.length, writes[0]!.batch.revision], [1, 3, 4]);
  await writes[0]!.succeed();
  assert.deepEqual(
    (await Promise.all(done)).map((result) => result.revision),
    [2, 3, 4],
  );
});

test('a failed write takes back what waited and what was built on it', async () => {
  const { store, writes, seen, value } = setup();
  const base = store.txn(put('a', '1'));
  await turn();
  await writes[0]!.succeed();
  await base;
  const { id } = await store.leases.grant(10);
  const lost = [
    store.txn(put('a', '2')),
    store.txn({ compare: [], success: [{ type: 'delete', key: 'a' }], failure: [] }),
    store.txn({ compare: [], success: [{ type: 'put', key: 'b', value: Buffer.from('x'), lease: id }], failure: [] }),
  ];
  await turn();
  lost.push(store.txn(put('c', '1')));
  // It changes nothing, but what it saw is not durable yet.
  lost.push(store.txn({ compare: [], success: [{ type: 'range', request: { key: 'a' } }], failure: [] }));
  const settled = Promise.allSettled(lost);
  await writes[1]!.fail();
  for (const result of await settled) assert(result.status === 'rejected' && (result.reason as StoreError).code === 'no-space');
  assert.deepEqual([await store.revision(), await value('a'), await value('b'), seen], [2, '1', undefined, ['put a=1']]);
  assert.deepEqual((await store.leases.timeToLive(id, true)).keys, []);
  const after = store.txn(put('a', '3', { compare: [{ key: 'a', target: 'version', result: 'equal', operand: 1 }] }));
  await turn();
  // The lease, which was shown, is written again beside it.
  assert.deepEqual(
    writes.at(-1)!.batch.leases.map((lease) => lease.id),
    [id],
  );
  await writes.at(-1)!.succeed();
  assert.deepEqual([(await after).succeeded, (await after).revision], [true, 3]);
});

test('deferred transactions are shown at once and written after a moment, but never before what they follow', async () => {
  const { clock, store, writes, value } = setup();
  await store.txn(put('lease', '1', { durability: 'deferred' }));
  assert.deepEqual([await value('lease'), writes.length], ['1', 0]);
  await clock.advance(99);
  assert.equal(writes.length, 0);
  await clock.advance(1);
  assert.equal(writes.length, 1);
  await writes[0]!.succeed();
  assert.equal(await value('lease'), '1');
  const durable = store.txn(put('a', '1'));
  const behind = store.txn(put('lease', '2', { durability: 'deferred' }));
  await turn();
  const late = store.txn(put('lease', '3', { durability: 'deferred' }));
  assert.equal(await value('lease'), '1');
  await writes[1]!.succeed();
  await Promise.all([durable, behind, late]);
  assert.equal(await value('lease'), '3');
  await clock.advance(100);
  assert.deepEqual(
    writes[2]!.batch.records.map((record) => record.modRevision),
    [5],
  );
  await writes[2]!.succeed();
  await store.close();
  assert.equal(clock.pending, 0);
});

test('no more deferred revisions are shown than were reserved', async () => {
  const { store, writes } = setup();
  for (let index = 0; index < 9; index++) await store.txn(put('lease', String(index), { durability: 'deferred' }));
  let resolved = false;
  const tenth = store.txn(put('lease', 'x', { durability: 'deferred' })).then(() => (resolved = true));
  await turn();
  assert.deepEqual([resolved, writes.length, await store.revision()], [false, 1, 10]);
  await writes[0]!.succeed();
  await tenth;
  assert.equal(await store.revision(), 11);
});

test('puts are refused over the quota; deleting and compacting makes room', async () => {
  const { store, writes, value } = setup({ quotaBytes: 1000 });
  const commit = async (request: TxnRequest): Promise<unknown> => {
    const done = store.txn(request);
    await turn();
    await writes.at(-1)!.succeed();
    return done;
  };
  await commit(put('a', 'x'.repeat(700)));
  const full = (error: unknown): boolean => error instanceof StoreError && error.code === 'no-space';
  await assert.rejects(store.txn(put('b', 'x'.repeat(300))), full);
  assert.equal(await value('b'), undefined);
  await commit({ compare: [], success: [{ type: 'delete', key: 'a' }], failure: [] });
  await store.compact(3);
  await turn();
  await turn();
  await commit(put('b', 'x'.repeat(300)));
  assert.equal((await value('b'))?.length, 300);
});

test('compaction drops what is superseded, and only that', async () => {
  const { store, writes, dropped } = setup();
  for (const [key, value] of [
    ['a', '1'],
    ['b', '1'],
    ['a', '2'],
    ['a', '3'],
  ] as const) {
    const done = store.txn(put(key, value));
    await turn();
    await writes.at(-1)!.succeed();
    await done;
  }
  await store.compact(4);
  for (let turns = 0; turns < 5; turns++) await turn();
  assert.deepEqual(
    dropped.map((record) => `${record.key}@${record.modRevision}`),
    ['a@2'],
  );
  assert.equal((await store.range({ key: '\0', end: '\0', revision: 4 })).count, 2);
  const gone = store.txn({ compare: [], success: [{ type: 'delete', key: 'b' }], failure: [] });
  await turn();
  await writes.at(-1)!.succeed();
  await gone;
  // A deletion at the very revision is still an event that a watch may ask for; after it, nothing of the key is left.
  await store.compact(6);
  for (let turns = 0; turns < 5; turns++) await turn();
  assert.equal(dropped.filter((record) => record.key === 'b').length, 1);
  const last = store.txn(put('c', '1'));
  await turn();
  await writes.at(-1)!.succeed();
  await last;
  await store.compact(7);
  for (let turns = 0; turns < 5; turns++) await turn();
  assert.deepEqual(
    dropped.filter((record) => record.key === 'b').map((record) => record.modRevision),
    [3, 6],
  );
});

test('a watch of a long past reads it in slices of whole revisions, and misses nothing of what happens meanwhile', async () => {
  const store = memoryStore({ clock: virtualClock() });
  const write = (index: number): Promise<unknown> =>
    store.txn({
      compare: [],
      success: ['a', 'b', 'c'].map((key) => ({ type: 'put', key, value: Buffer.from(String(index)) })),
      failure: [],
    });
  for (let index = 0; index < 2500; index++) await write(index);
  const batches: WatchBatch[] = [];
  const watch = store.watch({ key: 'a', end: 'c', startRevision: 2 }, (batch) => void batches.push(batch));
  for (let index = 0; index < 10; index++) {
    await write(index);
    await turn();
  }
  watch.cancel();
  assert(batches.length > 3, 'it came in slices');
  const events = batches.flatMap((batch) => batch.events.map(({ keyValue }) => `${keyValue.key}@${keyValue.modRevision}`));
  assert.deepEqual(
    events,
    Array.from({ length: 2 * 2510 }, (_, index) => `${index % 2 === 0 ? 'a' : 'b'}@${2 + (index >> 1)}`),
  );
  for (const { revision, events: own } of batches) assert.equal(own.at(-1)!.keyValue.modRevision, revision);
});

for (const writers of [1, 100, 3000])
  test(`compaction keeps pace with ${writers} writers at once: what is kept does not grow`, async () => {
    const { store, writes, dropped } = setup();
    const rounds = 20;
    const kept: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const done = Array.from({ length: writers }, (_, index) => store.txn(put(`key-${index}`, String(round))));
      await turn();
      await writes[round]!.succeed();
      await Promise.all(done);
      await store.compact(await store.revision());
      kept.push((round + 1) * writers - dropped.length);
    }
    const most = Math.max(...kept.slice(0, 5));
    assert(Math.max(...kept) <= most, `records kept: ${kept.join(' ')}`);
    await store.reclaimed();
    assert.equal(rounds * writers - dropped.length, writers);
  });

for (const [how, end] of [
  ['goes along with a write', ({ succeed }) => succeed()],
  ['stays when there is no room to free it, and is freed by itself', ({ succeed }) => succeed(false)],
  ['stays when the write fails, and is freed by itself', ({ fail }) => fail()],
] satisfies [string, (write: { succeed(freed?: boolean): Promise<void>; fail(): Promise<void> }) => Promise<void>][])
  test(`what compaction frees ${how}`, async () => {
    const { store, writes, dropped } = setup();
    for (const value of ['1', '2', '3']) {
      const done = store.txn(put('a', value));
      await turn();
      await writes.at(-1)!.succeed();
      await done;
    }
    const last = store.txn(put('b', '1')).catch(() => undefined);
    await store.compact(await store.revision());
    await turn();
    const freed = writes.at(-1)!.batch.superfluous.map(({ modRevision }) => modRevision);
    // The compaction was there before the write began.
    assert.deepEqual([freed, dropped.length], [[2, 3], 0]);
    await end(writes.at(-1)!);
    await last;
    await store.reclaimed();
    assert.deepEqual(
      dropped.map(({ modRevision }) => modRevision),
      [2, 3],
    );
  });
