/** A disk that is full, fails or is slow: the defined error, reads go on, nothing is lost, and no restart is needed afterwards. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sleep, systemClock } from '#machinery/clock';
import { StoreError } from '../contract.ts';
import { diskProcess, errno, whyNoFuse } from './crash/mod.ts';
import type { DiskFaults, DiskProcess } from './crash/mod.ts';
import { lmdbStore, verifyStore } from './mod.ts';
import type { LmdbStore } from './mod.ts';

const skip = whyNoFuse() ?? false;
const value = Buffer.alloc(4000, 'x');
/** Bytes of both files of the log. */
const logLength = 8 * 1024 * 1024;
const put = (key: string) => ({ compare: [], success: [{ type: 'put' as const, key, value }], failure: [] });
const remove = (key: string, end?: string) => ({
  compare: [],
  success: [{ type: 'delete' as const, key, ...(end && { end }) }],
  failure: [],
});
const failsWith = (code: string) => (error: unknown) => {
  assert(error instanceof StoreError, String(error));
  assert.equal(error.code, code, error.message);
  return true;
};

/** Opens a store on a faulty disk; afterwards what it acknowledged must be there. */
async function onDisk(
  run: (store: LmdbStore, disk: DiskProcess, kept: Set<string>) => Promise<void>,
  atFirst: DiskFaults = {},
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-faults-'));
  const at = join(directory, 'mount');
  mkdirSync(at);
  try {
    await using disk = await diskProcess(at);
    const path = join(at, 'store');
    const kept = new Set<string>();
    await disk.set(atFirst);
    let store = await lmdbStore({ path, clock: systemClock });
    try {
      await run(store, disk, kept);
    } finally {
      await disk.set({});
      await store.close();
    }
    await verifyStore(path);
    store = await lmdbStore({ path, clock: systemClock });
    const { keyValues } = await store.range({ key: '\0', end: '\0' });
    assert.deepEqual(new Set(keyValues.map((kv) => kv.key)), kept);
    await store.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

test('on a full disk writes fail with no-space; reads and deletions go on, and make room', { skip }, async () => {
  await onDisk(async (store, disk, kept) => {
    await disk.set({ capacity: 6 * 1024 * 1024 + logLength });
    let failure: unknown;
    for (let index = 0; failure === undefined; index++)
      try {
        await store.txn(put(`key-${index}`));
        kept.add(`key-${index}`);
      } catch (error) {
        failure = error;
      }
    failsWith('no-space')(failure);
    const full = kept.size;
    assert(full > 500, `the disk was full at ${full} keys`);
    assert.equal((await store.range({ key: 'key-', end: 'key.' })).count, full);
    for (let index = 0; index < 300; index++) {
      await store.txn(remove(`key-${index}`));
      kept.delete(`key-${index}`);
    }
    await store.compact(await store.revision());
    await store.reclaimed();
    for (let index = 0; index < 200; index++) {
      await store.txn(put(`again-${index}`));
      kept.add(`again-${index}`);
    }
  });
});

test('where the disk has no room for the log, writes go into LMDB at once', { skip }, async () => {
  await onDisk(
    async (store, disk, kept) => {
      // How much of the last megabyte the log got depends on the parts in which the kernel handed it over; LMDB is to have room.
      const capacity = logLength * 0.75;
      await disk.set({ capacity });
      for (let index = 0; index < 20; index++) await store.txn(put(`key-${index}`));
      for (let index = 0; index < 20; index++) kept.add(`key-${index}`);
      await disk.set({ capacity, sync: errno.EIO });
      await assert.rejects(store.txn(put('lost')), failsWith('unavailable'));
      await disk.set({ capacity });
      await store.txn(put('after'));
      kept.add('after');
    },
    { capacity: logLength / 2 },
  );
});

const faults: [string, DiskFaults][] = [
  ['the sync of the log', { file: 'log-0', sync: errno.EIO }],
  ['the write to the log', { file: 'log-0', write: errno.EIO }],
  ['every sync', { sync: errno.EIO }],
];
for (const [what, fault] of faults)
  test(`when ${what} fails, that write is not there, reads go on, and later writes succeed`, { skip }, async () => {
    await onDisk(async (store, disk, kept) => {
      await store.txn(put('before'));
      kept.add('before');
      for (let round = 0; round < 3; round++) {
        // Either file of the log may be the one that is written.
        await disk.set(fault);
        const revision = await store.revision();
        let failed = 0;
        for (let index = 0; failed < 2; index++)
          try {
            await store.txn(put(`maybe-${round}-${index}`));
            kept.add(`maybe-${round}-${index}`);
          } catch (error) {
            failsWith('unavailable')(error);
            failed++;
          }
        assert.equal((await store.revision()) - revision, [...kept].filter((key) => key.startsWith(`maybe-${round}-`)).length);
        assert.equal((await store.range({ key: 'before' })).count, 1);
        await disk.set({});
        for (let index = 0; index < 20; index++) await store.txn(put(`after-${round}-${index}`));
        for (let index = 0; index < 20; index++) kept.add(`after-${round}-${index}`);
        const { count } = await store.range({ key: '\0', end: '\0' });
        assert.equal(count, kept.size);
      }
    });
  });

/** With how many writes there is at least until they are refused: where the file cannot be made longer, that may be at once. */
const parts: [string, DiskFaults, number][] = [
  ['the sync of the data', { file: 'data.mdb', sync: errno.EIO }, 400],
  ['the sync that commits', { file: 'data.mdb', sync: errno.EIO, syncsBefore: 1 }, 400],
  ['every write of the data', { file: 'data.mdb', write: errno.EIO }, 0],
];
for (const [what, fault, least] of parts)
  test(
    `while ${what} fails, writes are kept in the log until it is full; then they are refused, and later all of it is there`,
    { skip },
    async () => {
      await onDisk(async (store, disk, kept) => {
        for (let round = 0; round < 2; round++) {
          await disk.set(fault);
          let failure: unknown;
          for (let index = 0; failure === undefined; index++)
            try {
              await store.txn(put(`key-${round}-${index}`));
              kept.add(`key-${round}-${index}`);
            } catch (error) {
              failure = error;
            }
          failsWith('unavailable')(failure);
          assert(kept.size >= least * (round + 1), `the log was full at ${kept.size} keys`);
          const { keyValues } = await store.range({ key: '\0', end: '\0' });
          assert.deepEqual(new Set(keyValues.map((kv) => kv.key)), kept);
          await disk.set({});
          await store.txn(put(`after-${round}`));
          kept.add(`after-${round}`);
        }
      });
    },
  );

test('what is on its way into LMDB while the disk takes no writes stays in the log, is read, and gets there', { skip }, async () => {
  await onDisk(async (store, disk, kept) => {
    for (let round = 0; round < 3; round++) {
      await Promise.all(Array.from({ length: 20 }, (_, index) => store.txn(put(`key-${round}-${index}`))));
      for (let index = 0; index < 20; index++) kept.add(`key-${round}-${index}`);
      await disk.set({ file: 'data.mdb', write: errno.EIO });
      // Longer than what is logged waits for company.
      await sleep(systemClock, 400);
      assert.equal((await store.range({ key: '\0', end: '\0' })).count, kept.size);
      await disk.set({});
      await store.txn(put(`after-${round}`));
      kept.add(`after-${round}`);
    }
  });
});

test('while a sync takes half a second, reads are answered at once', { skip }, async () => {
  await onDisk(async (store, disk, kept) => {
    for (let index = 0; index < 200; index++) await store.txn(put(`key-${index}`));
    for (let index = 0; index < 200; index++) kept.add(`key-${index}`);
    await disk.set({ syncDelay: 500 });
    const begin = systemClock.monotonic();
    let writing = true;
    const writes = Promise.all(Array.from({ length: 8 }, (_, index) => store.txn(put(`slow-${index}`)))).then(() => (writing = false));
    const times: number[] = [];
    while (writing) {
      const from = systemClock.monotonic();
      assert.equal((await store.range({ key: `key-${times.length % 200}` })).keyValues[0]!.value.length, value.length);
      times.push(systemClock.monotonic() - from);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writes;
    for (let index = 0; index < 8; index++) kept.add(`slow-${index}`);
    assert(systemClock.monotonic() - begin >= 500, 'the writes waited for the sync');
    const p99 = times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)]!;
    assert(p99 < 100, `one read in a hundred took ${p99} ms`);
    await disk.set({});
  });
});
