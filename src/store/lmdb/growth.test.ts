/** Under steady churn the file stays as long as it is: what compaction frees is used again. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { seededRandom, virtualClock } from '#machinery/clock';
import type { Random } from '#machinery/clock';
import type { Operation } from '../contract.ts';
import { lmdbStore } from './mod.ts';

interface Churn {
  name: string;
  /** Bytes of a value. */
  size(random: Random): number;
  writers?: number;
  durability?: 'deferred';
  /** Keys that come and go, instead of the same ones written over. */
  passing?: true;
  /** While every write is under way, this store is read. */
  reads?: true;
  /** Allowed beyond what it was: pages that lie together are not always found. */
  slack?: number;
}

const between = (least: number, most: number) => (random: Random) => Math.floor(least + random.next() * (most - least));
const churns: Churn[] = [
  { name: 'small values', size: between(50, 500) },
  { name: 'small values, read all the while', size: between(50, 500), reads: true },
  { name: 'values of one or two pages', size: between(3000, 6000), slack: 1.25 },
  { name: 'values of all sizes', size: (random) => Math.floor(100 / (random.next() + 0.001)), slack: 1.25 },
  { name: 'keys that come and go', size: between(50, 500), passing: true },
  { name: 'more writers at once than a step of compaction takes', size: between(50, 500), writers: 1500 },
  { name: 'deferred writes', size: between(50, 500), durability: 'deferred' },
];
const keys = 200;
const writes = 1500;
const rounds = 16;
/** What a commit that empties the log may take beside what is there: less than the writes of three rounds. */
const commit = 1024 * 1024;

for (const { name, size, writers = 300, durability = 'durable', passing, reads, slack = 1.1 } of churns)
  test(`the file does not grow under steady churn: ${name}`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'coxswain-growth-'));
    const random = seededRandom(1);
    const bytes = Buffer.alloc(200_000, 'x');
    const store = await lmdbStore({ path: join(directory, 'store'), clock: virtualClock() });
    try {
      const length: number[] = [];
      let next = 0;
      const write = async (): Promise<void> => {
        const index = next++;
        const success: Operation[] = [
          { type: 'put', key: `key-${passing ? index : (index * 79) % keys}`, value: bytes.subarray(0, size(random)) },
        ];
        if (passing) success.push({ type: 'delete', key: `key-${index - keys}` });
        await store.txn({ compare: [], success, failure: [], durability });
      };
      for (let round = 0; round < rounds; round++) {
        const before = await store.revision();
        for (let done = 0; done < writes; done += writers) {
          const written = Promise.all(Array.from({ length: writers }, write));
          if (reads) store.read({ key: 'key-', end: 'key.', limit: 20 });
          await written;
        }
        await store.flush();
        await store.compact(before);
        length.push(store.size().total);
      }
      const early = Math.max(...length.slice(0, rounds / 2));
      const late = Math.max(...length.slice(rounds / 2));
      assert(late <= early * slack + commit, `length of the file, round by round: ${length.join(' ')}`);
      await store.reclaimed();
      assert.equal((await store.range({ key: 'key-', end: 'key.', countOnly: true })).count, keys);
    } finally {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });
