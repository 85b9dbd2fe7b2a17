/** What is found in a log that was cut short, damaged, or is another's. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import { StoreError } from '../contract.ts';
import type { TxnRequest } from '../contract.ts';
import { lmdbStore, saveSnapshot, verifyStore } from './mod.ts';
import { pageSize } from './room.ts';

const put = (key: string, size = 10): TxnRequest => ({
  compare: [],
  success: [{ type: 'put', key, value: Buffer.alloc(size, key) }],
  failure: [],
});

async function inDirectory(run: (path: string) => Promise<void>): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'coxswain-log-'));
  try {
    await run(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** Of a store as a killed process leaves it: the clock stands still, so a, b and c are in the log alone, a page each. */
async function killed(path: string): Promise<string> {
  const store = await lmdbStore({ path: join(path, 'store'), clock: virtualClock() });
  for (const key of ['a', 'b', 'c']) await store.txn(put(key));
  const copy = join(path, 'copy');
  cpSync(join(path, 'store'), copy, { recursive: true });
  rmSync(join(copy, 'owner'));
  await store.close();
  return copy;
}

const damages: { name: string; damage(log: Buffer): void; keys?: string[] }[] = [
  { name: 'nothing is damaged', damage: () => undefined, keys: ['a', 'b', 'c'] },
  { name: 'the newest entry is there in part', damage: (log) => void log.fill(0, 2 * pageSize + 60, 2 * pageSize + 80), keys: ['a', 'b'] },
  { name: 'the newest entry has no beginning', damage: (log) => void log.fill(0, 2 * pageSize, 2 * pageSize + 32), keys: ['a', 'b'] },
  {
    name: 'the newest entry says a length beyond the file',
    damage: (log) => void log.writeUInt32LE(2 ** 31, 2 * pageSize + 8),
    keys: ['a', 'b'],
  },
  { name: 'an acknowledged entry is damaged', damage: (log) => void log.fill(0, pageSize + 60, pageSize + 80) },
  { name: 'the first entry is damaged', damage: (log) => void log.fill(0, 0, 32) },
  { name: 'another life wrote it', damage: (log) => [0, 1, 2].forEach((page) => log.writeDoubleLE(0.5, page * pageSize + 24)), keys: [] },
];
for (const { name, damage, keys } of damages)
  test(`a log is read at opening: ${name}`, async () => {
    await inDirectory(async (path) => {
      const copy = await killed(path);
      const file = join(copy, 'log-0');
      const log = readFileSync(file);
      damage(log);
      writeFileSync(file, log);
      const isCorrupt = (error: unknown): boolean => error instanceof StoreError && error.code === 'corrupt';
      if (!keys) {
        await assert.rejects(verifyStore(copy), isCorrupt);
        await assert.rejects(lmdbStore({ path: copy, clock: virtualClock() }), isCorrupt);
        return;
      }
      assert.equal((await verifyStore(copy)).keys, keys.length);
      assert.equal((await saveSnapshot(copy, join(path, 'snapshot'))).keys, keys.length);
      const store = await lmdbStore({ path: copy, clock: virtualClock() });
      assert.deepEqual(
        (await store.range({ key: '\0', end: '\0' })).keyValues.map((kv) => [kv.key, Buffer.from(kv.value).toString()]),
        keys.map((key) => [key, key.repeat(10)]),
      );
      await store.close();
    });
  });

test('what no log can take goes into LMDB at once, and all is in order', async () => {
  await inDirectory(async (path) => {
    const at = join(path, 'store');
    const clock = virtualClock();
    let store = await lmdbStore({ path: at, clock });
    await store.txn(put('small'));
    const large = Array.from({ length: 6 }, (_, index) => put(`large-${index}`, 1_000_000).success[0]!);
    await store.txn({ compare: [], success: large, failure: [] });
    await store.txn({ compare: [], success: [{ type: 'delete', key: 'small' }], failure: [] });
    const revision = await store.revision();
    assert.equal((await verifyStore(at)).revision, revision);
    await store.close();
    store = await lmdbStore({ path: at, clock });
    assert.deepEqual([(await store.range({ key: 'large-', end: 'large.' })).count, (await store.range({ key: 'small' })).count], [6, 0]);
    await store.close();
  });
});
