import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { memoryStore } from '#store';
import { compactPeriodically } from './compaction.ts';

const minutes = 60_000;
const cases: [string, { history?: number }, number[]][] = [
  // One revision a minute; what the oldest readable one is after 6, 11 and 31 minutes.
  ['as upstream, what is older than one period and before the last tick', {}, [2, 6, 26]],
  ['a longer history', { history: 20 * minutes }, [0, 0, 11]],
];
for (const [name, settings, wanted] of cases)
  test(`compaction: ${name}`, async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const stop = compactPeriodically({ store, clock, log: silentLog, period: 5 * minutes, ...settings });
    const found: number[] = [];
    for (let minute = 1; minute <= 31; minute++) {
      await store.txn({ compare: [], success: [{ type: 'put', key: 'a', value: Buffer.from(String(minute)) }], failure: [] });
      await clock.advance(minutes);
      if ([6, 11, 31].includes(minute)) found.push(store.compactRevision());
    }
    assert.deepEqual(found, wanted);
    stop();
    await store.close();
    assert.equal(clock.pending, 0);
  });
