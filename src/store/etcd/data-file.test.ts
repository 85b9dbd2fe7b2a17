/** etcd's data file there and back. That a real etcd starts from it is seen by hand: `etcdutl snapshot restore`, or a member with it as member/snap/db. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import type { KeyValue } from '../contract.ts';
import { importStore } from '../lmdb/import.ts';
import type { StoreContents } from '../lmdb/import.ts';
import { lmdbStore } from '../lmdb/mod.ts';
import { memoryStore } from '../memory/mod.ts';
import { dataOf, isEtcdData, readEtcdData, writeEtcdSnapshot } from './data-file.ts';
import { leaseIds } from './protocol.ts';

const put = (key: string, value: string, lease = 0) => ({ type: 'put' as const, key, value: Buffer.from(value), lease });

/** Bytes as text: they come as Buffers and as plain arrays. */
const plain = ({ keyValues, ...rest }: StoreContents) => ({
  ...rest,
  keyValues: keyValues.map(({ value, ...keyValue }) => ({ ...keyValue, value: Buffer.from(value).toString('latin1') })),
});

test("everything in a store goes into etcd's data file and comes back, with its revisions, versions and leases", async () => {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-data-'));
  const clock = virtualClock();
  const store = memoryStore({ clock });
  try {
    const { id } = await store.leases.grant(3600);
    // Enough for three levels of pages, values of several pages, an empty one.
    for (let index = 0; index < 4000; index += 100) {
      const success = Array.from({ length: 100 }, (_, offset) =>
        put(`/registry/things/${index + offset}`, 'x'.repeat((index + offset) % 300)),
      );
      await store.txn({ compare: [], success, failure: [] });
    }
    for (const size of [0, 4096, 50_000])
      await store.txn({ compare: [], success: [put(`/size/${size}`, 'y'.repeat(size), id)], failure: [] });
    await store.txn({ compare: [], success: [put('/size/0', ''), { type: 'delete', key: '/registry/things/7' }], failure: [] });
    await store.txn({ compare: [], success: [{ type: 'delete', key: '/registry/things/8' }], failure: [] });
    const before = await dataOf(store);
    const file = join(directory, 'snapshot');
    writeEtcdSnapshot(file, before);
    assert(isEtcdData(file));
    const found = readEtcdData(file);
    assert.equal(found.revision, await store.revision());
    assert.equal(found.keyValues.length, 4001);
    assert.deepEqual(plain(found), plain(before));

    const path = join(directory, 'store');
    await importStore(path, found);
    const imported = await lmdbStore({ path, clock });
    assert.deepEqual(plain(await dataOf(imported)), plain(before));
    assert.equal((await imported.leases.timeToLive(id, true)).keys!.length, 2);
    await assert.rejects(imported.range({ key: 'a', revision: before.revision - 1 }), /compacted/);
    await imported.close();

    writeFileSync(file, Buffer.alloc(20_000, 'no etcd'));
    assert.throws(() => readEtcdData(file), /it is no file of etcd's/);
    assert(!isEtcdData(file));
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

test('leases whose numbers differ in bits that a number does not have stay two', () => {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-data-file-'));
  try {
    const longs = [7587899211824353176n, 7587899211824352903n];
    const [first, second] = longs.map((long) => leaseIds.toShort(long)) as [number, number];
    const keyValue = (key: string, lease: number): KeyValue => ({
      key,
      value: Buffer.from('x'),
      createRevision: 2,
      modRevision: 2,
      version: 1,
      lease,
    });
    const contents = {
      revision: 2,
      keyValues: [keyValue('a', first), keyValue('b', second)],
      leases: [
        { id: first, ttl: 15 },
        { id: second, ttl: 3600 },
      ],
    };
    const file = join(directory, 'snapshot');
    writeEtcdSnapshot(file, contents);
    const found = readEtcdData(file);
    const ttls = new Map(found.leases.map(({ id, ttl }) => [id, ttl]));
    assert.deepEqual(
      found.keyValues.map(({ key, lease }) => [key, ttls.get(lease)]),
      [
        ['a', 15],
        ['b', 3600],
      ],
    );
    // In the file they are etcd's own.
    const bytes = readFileSync(file);
    for (const long of longs) {
      const number = Buffer.alloc(8);
      number.writeBigUInt64BE(long);
      assert(bytes.includes(number));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
