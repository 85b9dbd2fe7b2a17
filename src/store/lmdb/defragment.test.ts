/** The space of what is no more is given back, beside whoever reads and writes. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#machinery/clock';
import type { Operation } from '../contract.ts';
import { lmdbStore, verifyStore } from './mod.ts';

const value = Buffer.alloc(4000, 'x');
const puts = (names: string[]): { compare: []; success: Operation[]; failure: [] } => ({
  compare: [],
  success: names.map((key) => ({ type: 'put', key, value })),
  failure: [],
});

test('defragment() makes the file as short as what is in it, while reads and writes go on', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-defragment-'));
  try {
    const path = join(directory, 'store');
    let store = await lmdbStore({ path, clock: systemClock });
    for (let part = 0; part < 20; part++) await store.txn(puts(Array.from({ length: 200 }, (_, index) => `gone/${part}/${index}`)));
    await store.txn(puts(['kept']));
    await store.txn({ compare: [], success: [{ type: 'delete', key: 'gone/', end: 'gone0' }], failure: [] });
    await store.compact(await store.revision());
    await store.reclaimed();
    const length = (): number => statSync(join(path, 'data.mdb')).size;
    const before = length();
    assert(before > 16_000_000, `the file has ${before} bytes`);
    for (let round = 0; round < 3; round++) {
      let going = true;
      let written = 0;
      const writes = (async () => {
        for (; going; written++) await store.txn(puts([`beside/${round}/${written}`]));
      })();
      const reads = (async () => {
        for (; going; await new Promise((resolve) => setImmediate(resolve)))
          assert.deepEqual(Buffer.from(store.read({ key: 'kept' }).keyValues[0]!.value), value);
      })();
      const snapshots = ['before', 'after'].map((name) => join(directory, `${name}-${round}`)) as [string, string];
      await Promise.all([store.snapshot(snapshots[0]), store.defragment(), store.snapshot(snapshots[1])]);
      for (const snapshot of snapshots) await verifyStore(snapshot);
      going = false;
      await Promise.all([writes, reads]);
      assert.equal(store.read({ key: `beside/${round}/`, end: `beside/${round}0` }).count, written);
    }
    assert(length() < before / 2, `of ${before} bytes ${length()} are left`);
    const { total, inUse } = store.size();
    assert(inUse <= total && total <= length() && inUse > 4000);
    const revision = await store.revision();
    await store.close();
    // What an end in the middle of it may leave.
    mkdirSync(join(path, 'defragment'));
    writeFileSync(join(path, 'defragment', 'data.mdb'), 'a part');
    store = await lmdbStore({ path, clock: systemClock });
    assert.equal(await store.revision(), revision);
    assert(!existsSync(join(path, 'defragment')));
    await store.close();
    assert.equal((await verifyStore(path)).revision, revision);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
