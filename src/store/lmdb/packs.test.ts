import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { seededRandom } from '#machinery/clock';
import type { Record } from '../mvcc/record.ts';
import { LmdbBacking } from './backing.ts';
import { valueSum } from './format.ts';
import { verifyStore } from './mod.ts';

const contentOf = (record: Record): string => `${record.modRevision} `.repeat(1 + record.size).slice(0, record.size);

/** The revision of a record fills its value. */
function recordAt(revision: number, size: number): Record {
  const record = {
    key: `key-${revision}`,
    createRevision: revision,
    modRevision: revision,
    version: size === 0 ? 0 : 1,
    lease: 0,
    size,
    sequence: 0,
  };
  const value = Buffer.from(contentOf({ ...record, value: undefined, checksum: 0 }));
  return { ...record, value, checksum: valueSum(value) };
}

for (const seed of [1, 2, 3, 4])
  test(`values that lie together are those that were written, whatever goes and whenever the store is opened anew; seed ${seed}`, async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'coxswain-packs-')), 'store');
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random.next() * limit);
    const sizes = [() => 0, () => 1 + below(100), () => 500, () => below(5000), () => below(100_000)];
    let backing = new LmdbBacking(path);
    try {
      await backing.recover();
      let there: Record[] = [];
      let revision = 1;
      const take = (): Record[] => {
        const share = random.next() ** 2;
        const taken = there.filter(() => random.next() < share);
        there = there.filter((record) => !taken.includes(record));
        return taken;
      };
      for (let round = 0; round < 60; round++) {
        const pick = below(sizes.length);
        const records = Array.from({ length: below(2) === 0 ? below(4) : below(400) }, () =>
          recordAt(++revision, sizes[below(4) === 0 ? below(sizes.length) : pick]!()),
        );
        await backing.write({ records, revision, leases: [], superfluous: below(2) === 0 ? take() : [] });
        there.push(...records);
        if (below(3) === 0) await backing.drop(take());
        if (below(8) === 0) await backing.defragment();
        if (below(5) === 0) {
          await backing.close(revision);
          backing = new LmdbBacking(path);
          const found = (await backing.recover()).records;
          assert.deepEqual(
            found.map(({ key }) => key),
            there.map(({ key }) => key),
          );
          there = found;
        }
        const wanted = there.filter(() => below(4) === 0);
        assert.deepEqual(
          backing.load(wanted).map((value) => Buffer.from(value).toString()),
          wanted.map(contentOf),
        );
      }
      const live = there.reduce((sum, { key, size }) => sum + key.length + size + 60, 0);
      await backing.defragment();
      // Half of a pack may be gone, and what is left of its last page.
      const { inUse } = backing.size();
      assert(inUse < 3 * live + 300_000, `${inUse} bytes are in use for ${live}`);
      await backing.close(revision);
      assert.equal((await verifyStore(path)).records, there.length);
    } finally {
      await backing.abandon().catch(() => undefined);
      rmSync(join(path, '..'), { recursive: true, force: true });
    }
  });
