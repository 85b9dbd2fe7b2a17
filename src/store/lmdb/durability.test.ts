/** What survives: closing, dying, copying, a damaged disk. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { open } from 'lmdb';
import { seededRandom, systemClock, virtualClock } from '#machinery/clock';
import { StoreError } from '../contract.ts';
import type { Store, TxnRequest } from '../contract.ts';
import type { Record } from '../mvcc/record.ts';
import { crashRounds } from './crash/mod.ts';
import { headerSize, headerSum, plus, valueSum, writeHeader } from './format.ts';
import { lmdbStore, restoreSnapshot, saveSnapshot, snapshotStatus, verifyStore } from './mod.ts';

const directory = () => {
  const path = mkdtempSync(join(tmpdir(), 'coxswain-store-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
};
const put = (key: string, value: string, extra: Partial<TxnRequest> = {}): TxnRequest => ({
  compare: [],
  success: [{ type: 'put', key, value: Buffer.from(value) }],
  failure: [],
  ...extra,
});
const code = (wanted: string) => (error: unknown) => error instanceof StoreError && error.code === wanted;

test('a store that was closed is as it was: keys, history, leases, compaction', async () => {
  using at = directory();
  const clock = virtualClock();
  const options = { path: join(at.path, 'store'), clock };
  let store = await lmdbStore(options);
  const { id } = await store.leases.grant(30);
  await store.txn({ compare: [], success: [{ type: 'put', key: 'leased', value: Buffer.from('x'), lease: id }], failure: [] });
  for (let index = 0; index < 5; index++) await store.txn(put('a', String(index)));
  await store.txn(put('empty', ''));
  await store.txn({ compare: [], success: [{ type: 'delete', key: 'empty' }], failure: [] });
  await store.compact(4);
  await store.txn(put('event', 'deferred', { durability: 'deferred' }));
  const revision = await store.revision();
  const all = await store.range({ key: '\0', end: '\0' });
  const old = await store.range({ key: '\0', end: '\0', revision: 5 });
  await store.close();

  store = await lmdbStore(options);
  assert.equal(await store.revision(), revision);
  assert.deepEqual(await store.range({ key: '\0', end: '\0' }), all);
  assert.deepEqual({ ...(await store.range({ key: '\0', end: '\0', revision: 5 })) }, old);
  await assert.rejects(store.range({ key: 'a', revision: 3 }), code('compacted'));
  assert.deepEqual((await store.leases.timeToLive(id, true)).keys, ['leased']);
  const history: number[] = [];
  const watch = store.watch({ key: '\0', end: '\0', startRevision: 4 }, ({ events }) => {
    history.push(...events.map((event) => event.keyValue.modRevision));
  });
  await new Promise((resolve) => setImmediate(resolve));
  watch.cancel();
  assert.deepEqual(history, [4, 5, 6, 7, 8, 9, 10]);
  const next = await store.txn(put('a', 'more', { compare: [{ key: 'a', target: 'version', result: 'equal', operand: 5 }] }));
  assert.deepEqual([next.succeeded, next.revision], [true, revision + 1]);
  await clock.advance(31_000);
  await store.flush();
  assert.equal((await store.range({ key: 'leased' })).count, 0);
  await store.close();
  assert.equal(clock.pending, 0);
  const summary = await verifyStore(options.path);
  assert.equal(summary.revision, revision + 2);
});

test('one process has a store at a time', async () => {
  using at = directory();
  const store = await lmdbStore({ path: at.path, clock: systemClock });
  await assert.rejects(lmdbStore({ path: at.path, clock: systemClock }), code('invalid'));
  await store.close();
  await (await lmdbStore({ path: at.path, clock: systemClock })).close();
});

test('what was shown but lost is never named again: the revision jumps, who saw it must list again', async () => {
  using at = directory();
  const path = join(at.path, 'store');
  const store = await lmdbStore({ path, clock: virtualClock() });
  await store.txn(put('a', '1'));
  const deferred = await store.txn(put('a', 'lost', { durability: 'deferred' }));
  // As it is on the disk while the process dies.
  const copy = join(at.path, 'copy');
  cpSync(path, copy, { recursive: true });
  rmSync(join(copy, 'owner'));
  await store.close();
  const after = await lmdbStore({ path: copy, clock: virtualClock() });
  assert.equal(Buffer.from((await after.range({ key: 'a' })).keyValues[0]!.value).toString(), '1');
  assert((await after.revision()) > deferred.revision);
  const resumed = after.watch({ key: 'a', startRevision: deferred.revision + 1 }, () => undefined);
  await assert.rejects(resumed.done, code('compacted'));
  const honest = after.watch({ key: 'a', startRevision: deferred.revision }, () => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  honest.cancel();
  await honest.done;
  await after.close();
});

test('damage is found: at opening in what is indexed, at reading in a value', async () => {
  using at = directory();
  const path = join(at.path, 'store');
  const store = await lmdbStore({ path, clock: virtualClock() });
  await store.txn(put('a', 'right'));
  await store.txn(put('b', 'right'));
  await store.close();
  const damage = async (table: string, change: (db: ReturnType<typeof open<Buffer, number>>) => Promise<unknown>): Promise<string> => {
    const copy = mkdtempSync(join(at.path, 'copy-'));
    cpSync(path, copy, { recursive: true });
    const root = open({ path: copy, encoding: 'binary', maxDbs: 8, overlappingSync: false });
    await change(root.openDB({ name: table, encoding: 'binary' }) as unknown as ReturnType<typeof open<Buffer, number>>);
    await root.close();
    return copy;
  };
  // Both are in the first pack there is.
  const lost = await damage('records', (db) => db.remove(128));
  await assert.rejects(lmdbStore({ path: lost, clock: virtualClock() }), code('corrupt'));
  const longer = await damage('records', (db) => db.put(128, Buffer.concat([Buffer.from([0, 0, 0, 0, 127]), db.get(128)!.subarray(5)])));
  await assert.rejects(lmdbStore({ path: longer, clock: virtualClock() }), code('corrupt'));
  const forgotten = await damage('gone', (db) => db.put(128, Buffer.alloc(16, 1)));
  await assert.rejects(lmdbStore({ path: forgotten, clock: virtualClock() }), code('corrupt'));
  const changed = await damage('values', (db) => db.put(128, Buffer.concat([db.get(128)!.subarray(0, -1), Buffer.from('T')])));
  await assert.rejects(verifyStore(changed), code('corrupt'));
  const opened = await lmdbStore({ path: changed, clock: virtualClock() });
  assert.equal((await opened.range({ key: 'a' })).count, 1);
  await assert.rejects(opened.range({ key: 'b' }), code('corrupt'));
  await opened.close();
});

test('a store in which each value lay by itself goes on', async () => {
  using at = directory();
  const path = join(at.path, 'store');
  const records = ['a', 'b', 'b', 'c'].map((key, index): Record => {
    const value = Buffer.from(`${key} ${index}`);
    const [revision, version] = [index + 2, index === 2 ? 2 : 1];
    const createRevision = revision - version + 1;
    return {
      key,
      createRevision,
      modRevision: revision,
      version,
      lease: 0,
      size: value.length,
      value,
      sequence: index + 1,
      checksum: valueSum(value),
    };
  });
  const root = open({ path, encoding: 'binary', maxDbs: 8, overlappingSync: false });
  for (const record of records) {
    const header = Buffer.alloc(headerSize(record));
    writeHeader(record, header);
    await root.openDB({ name: 'records', encoding: 'binary' }).put(record.sequence, header);
    await root.openDB({ name: 'values', encoding: 'binary' }).put(record.sequence, record.value);
  }
  const checksum = records.reduce((sum, record) => plus(sum, headerSum(record)), 0);
  const state = { format: 2, revision: 5, compactRevision: 0, checksum, clean: true, logged: 0, salt: 0 };
  await root.openDB({ name: 'meta', encoding: 'binary' }).put('state', Buffer.from(JSON.stringify(state)));
  root.openDB({ name: 'leases', encoding: 'binary' });
  await root.close();
  writeFileSync(join(path, 'made'), '');
  assert.equal((await verifyStore(path)).keys, 3);

  const values = async (store: Store, revision?: number): Promise<string[]> =>
    (await store.range({ key: 'a', end: 'z', ...(revision && { revision }) })).keyValues.map(({ value }) => Buffer.from(value).toString());
  const store = await lmdbStore({ path, clock: virtualClock() });
  assert.deepEqual(await values(store), ['a 0', 'b 2', 'c 3']);
  assert.deepEqual(await values(store, 3), ['a 0', 'b 1']);
  await store.txn(put('a', 'new'));
  await store.txn(put('d', 'new'));
  await store.compact(await store.revision());
  await store.reclaimed();
  await store.close();
  assert.deepEqual((await verifyStore(path)).records, 4);
  const again = await lmdbStore({ path, clock: virtualClock() });
  assert.deepEqual(await values(again), ['new', 'b 2', 'c 3', 'new']);
  await again.close();
});

test('a range and a watch over more than is kept in memory have all values, those that were in it and the others', async () => {
  using at = directory();
  const clock = virtualClock();
  const store = await lmdbStore({ path: join(at.path, 'store'), clock });
  const value = Buffer.alloc(256 * 1024, 'x');
  const write = (index: number) =>
    store.txn({ compare: [], success: [{ type: 'put', key: `k${String(index).padStart(3, '0')}`, value }], failure: [] });
  for (let index = 0; index < 200; index++) await write(index);
  await clock.advance(10_000);
  await store.flush();
  // Some are in memory, the others are not: reading these takes the room of those.
  for (let index = 0; index < 200; index += 10) await write(index);
  for (let times = 0; times < 3; times++) {
    const { keyValues } = await store.range({ key: 'k', end: 'l' });
    assert.deepEqual(new Set(keyValues.map((found) => found.value.length)), new Set([value.length]), `time ${times}`);
    const sizes: number[] = [];
    const watch = store.watch({ key: 'k', end: 'l', startRevision: 2, previous: true }, ({ events }) => {
      for (const { keyValue, previous } of events) sizes.push(keyValue.value.length, previous?.value.length ?? value.length);
    });
    while (sizes.length < 440) await new Promise((resolve) => setImmediate(resolve));
    watch.cancel();
    assert.deepEqual(new Set(sizes), new Set([value.length]));
  }
  await store.close();
});

test('a snapshot is one revision, taken while writes go on; restored, it forces everybody to list again', async () => {
  using at = directory();
  const [path, copy, restored] = ['store', 'copy', 'restored'].map((name) => join(at.path, name)) as [string, string, string];
  const store = await lmdbStore({ path, clock: systemClock });
  let writing = true;
  const writer = (async () => {
    // Both keys always change together.
    for (let index = 0; writing; index++) {
      const value = Buffer.from(String(index));
      const success = ['a', 'b'].map((key) => ({ type: 'put' as const, key, value }));
      await store.txn({ compare: [], success, failure: [] });
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const atLeast = await store.snapshot(copy);
  writing = false;
  await writer;
  await store.close();
  const { revision } = await restoreSnapshot(copy, restored);
  await assert.rejects(restoreSnapshot(copy, restored), code('invalid'));
  const after = await lmdbStore({ path: restored, clock: systemClock });
  const { keyValues } = await after.range({ key: '\0', end: '\0' });
  assert.deepEqual(
    keyValues.map((kv) => kv.key),
    ['a', 'b'],
  );
  assert.deepEqual(keyValues[0]!.value, keyValues[1]!.value);
  assert(keyValues[0]!.modRevision >= atLeast);
  assert.equal(await after.revision(), revision);
  assert(revision > 1_000_000);
  await assert.rejects(after.range({ key: 'a', revision: atLeast }), code('compacted'));
  await after.close();
});

test('a snapshot file is one revision of a store in use, and damage of it is found', async () => {
  using at = directory();
  const [path, file, restored] = ['a.store', 'a.file', 'a.restored.store'].map((name) => join(at.path, name)) as [string, string, string];
  const store = await lmdbStore({ path, clock: systemClock });
  for (let index = 0; index < 50; index++) await store.txn(put(`key-${index % 20}`, 'x'.repeat(index * 100)));
  const { revision, keys, checksum } = await saveSnapshot(path, file);
  assert.deepEqual([revision, keys], [51, 20]);
  await store.txn(put('later', 'x'));
  await store.close();
  assert.equal((await snapshotStatus(file)).checksum, checksum);
  assert.equal((await restoreSnapshot(file, restored)).keys, 20);
  await assert.rejects(saveSnapshot(path, file), code('invalid'));
  const bytes = readFileSync(file);
  const inside = bytes.indexOf('x'.repeat(4500)) + 100;
  bytes.fill(0x79, inside, inside + 4);
  writeFileSync(file, bytes);
  await assert.rejects(snapshotStatus(file), code('corrupt'));
  writeFileSync(file, 'nothing of the kind');
  await assert.rejects(
    snapshotStatus(file),
    (error) => code('corrupt')(error) && /^Snapshot .*file is corrupt/.test((error as Error).message),
  );
});

test('a process or machine that dies at any point loses nothing that was acknowledged', async () => {
  using at = directory();
  await crashRounds({ directory: at.path, rounds: 4, random: seededRandom(1) });
});
