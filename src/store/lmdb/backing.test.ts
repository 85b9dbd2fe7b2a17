import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Record } from '../mvcc/record.ts';
import { LmdbBacking } from './backing.ts';
import { valueSum } from './format.ts';
import { verifyStore } from './mod.ts';

const recordAt = (revision: number, value = Buffer.from(`value ${revision}`)): Record => {
  const record = {
    key: `key-${revision}`,
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: 0,
    sequence: 0,
    checksum: valueSum(value),
  };
  return { ...record, size: value.length, value };
};

test('what is freed once more, or was never written, changes nothing', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'coxswain-backing-')), 'store');
  try {
    const backing = new LmdbBacking(path);
    await backing.recover();
    const records = Array.from({ length: 1200 }, (_, index) => recordAt(index + 2));
    const [first, second, never] = [records.slice(0, 500), records.slice(500, 1000), records.slice(1000)];
    await backing.write({ records: [...first, ...second], revision: 1001, leases: [], superfluous: never });
    await backing.drop(first);
    await backing.write({ records: never.splice(0, 100), revision: 1101, leases: [], superfluous: [...first, ...second.slice(0, 250)] });
    await backing.drop([...second.slice(0, 300), ...never]);
    await backing.close(1101);
    const { records: kept, keys } = await verifyStore(path);
    assert.deepEqual({ kept, keys }, { kept: 300, keys: 300 });
    const again = new LmdbBacking(path);
    const recovered = await again.recover();
    assert.deepEqual(
      recovered.records.map(({ key }) => key),
      records.slice(800, 1100).map(({ key }) => key),
    );
    await again.drop(recovered.records.slice(0, 10));
    await again.drop(recovered.records.slice(0, 20));
    await again.close(recovered.revision);
    assert.equal((await verifyStore(path)).records, 280);
  } finally {
    rmSync(join(path, '..'), { recursive: true, force: true });
  }
});

test('the first commit to a compact file may free thousands of pages that lie apart: LMDB ended the process then', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'coxswain-backing-')), 'store');
  try {
    const backing = new LmdbBacking(path);
    await backing.recover();
    const value = Buffer.alloc(3000, 'x');
    const records = Array.from({ length: 3000 }, (_, index) => recordAt(index + 2, value));
    await backing.write({ records, revision: 3001, leases: [], superfluous: [] });
    await backing.defragment();
    await backing.drop(records.filter(({ modRevision }) => modRevision % 2 === 0));
    await backing.close(3001);
    assert.equal((await verifyStore(path)).records, 1500);
  } finally {
    rmSync(join(path, '..'), { recursive: true, force: true });
  }
});
