import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import type { Record } from '../mvcc/record.ts';
import { RecentValues } from './recent-values.ts';

const megabyte = 1024 * 1024;
const recordOf = (size: number): Record => ({
  key: 'k',
  createRevision: 2,
  modRevision: 2,
  version: 1,
  lease: 0,
  size,
  value: new Uint8Array(0),
  sequence: 1,
  checksum: 0,
});

test('a value is kept for one turn at least and two at most, and then there is no timer', async () => {
  const clock = virtualClock();
  const recent = new RecentValues(clock);
  const first = recordOf(1);
  recent.keep(first);
  await clock.advance(3999);
  const second = recordOf(1);
  recent.keep(second);
  await clock.advance(4000);
  assert.deepEqual(
    [first, second].map(({ value }) => value !== undefined),
    [true, true],
  );
  await clock.advance(1);
  assert.deepEqual(
    [first, second].map(({ value }) => value !== undefined),
    [false, false],
  );
  assert.equal(clock.pending, 0);
});

test('values give way to others when there are many', () => {
  const recent = new RecentValues(virtualClock());
  const records = Array.from({ length: 100 }, () => recordOf(megabyte));
  for (const record of records) recent.keep(record);
  const kept = records.filter(({ value }) => value);
  assert(kept.length >= 16 && kept.length <= 33, `${kept.length} MiB are kept`);
  assert(records.at(-1)!.value);
  recent.clear();
  assert(records.every(({ value }) => value === undefined));
});
