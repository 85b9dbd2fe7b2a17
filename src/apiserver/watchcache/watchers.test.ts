import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { CacheEvent, CachedObject } from '../contract.ts';
import { CacheWatchers } from './watchers.ts';

const prefix = '/registry/secrets/';
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setup() {
  const virtual = virtualClock();
  // Giving takes time: what sinks add here.
  let spent = 0;
  const clock = { ...virtual, monotonic: () => virtual.monotonic() + spent };
  const watchers = new CacheWatchers(prefix.length, clock, silentLog);
  let revision = 0;
  return {
    virtual,
    watchers,
    watch(patient: boolean, cost: number) {
      const batches: number[][] = [];
      const watch = watchers.add(
        prefix,
        patient,
        [],
        revision,
        () => revision,
        (events) => {
          spent += cost;
          batches.push(events.map((event) => event.revision));
        },
        undefined,
      );
      return { batches, watch };
    },
    publish(): void {
      revision++;
      const current = { key: `${prefix}a/${revision}`, revision } as CachedObject;
      watchers.publish({ type: 'ADDED', current, previous: undefined, revision } satisfies CacheEvent);
    },
  };
}

test('a patient group to which giving takes time gathers while it rests; others, and who is alone, are given each turn its events', async () => {
  for (const [cost, wanted] of [
    [0.1, [[1], [2], [3, 4], [5]]],
    [1, [[1], [2, 3, 4], [5]]],
  ] as const) {
    const { virtual, watchers, watch, publish } = setup();
    const patient = watch(true, cost);
    const prompt = watch(false, cost);
    publish();
    await turn();
    publish();
    await turn();
    publish();
    publish();
    await turn();
    assert.equal(patient.watch.revision, cost < 1 ? 4 : 1, 'what is gathered was not given yet');
    await virtual.advance(4);
    await virtual.advance(20);
    publish();
    await turn();
    assert.deepEqual(patient.batches, wanted);
    assert.deepEqual(prompt.batches, [[1], [2], [3, 4], [5]]);
    watchers.end();
    assert.equal(virtual.pending, 0);
  }
});

test('however long giving took, a group rests twenty milliseconds at most; nothing waits for a watcher that has stopped', async () => {
  const { virtual, watch, publish } = setup();
  const { batches, watch: running } = watch(true, 100);
  publish();
  await turn();
  publish();
  await virtual.advance(19);
  assert.deepEqual(batches, [[1]]);
  await virtual.advance(1);
  assert.deepEqual(batches, [[1], [2]]);
  publish();
  assert.equal(virtual.pending, 1);
  running.stop();
  assert.equal(virtual.pending, 0);
});

test('where giving takes long, a delivery is spread over the rest: each watcher has every event once, in order, and knows what it has not been given', async () => {
  const { virtual, watchers, watch, publish } = setup();
  const all = Array.from({ length: 5 }, () => watch(true, 1));
  publish();
  await turn();
  publish();
  // Five of a millisecond each: twenty of rest, then five shares.
  await virtual.advance(20);
  publish();
  assert.deepEqual(
    all.map(({ watch, batches }) => [watch.revision, batches.length]),
    [
      [2, 2],
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 1],
    ],
  );
  // One goes, one comes, in the middle of it.
  all[2]!.watch.stop();
  const late = watch(true, 1);
  for (let share = 0; share < 4; share++) await virtual.advance(2);
  assert.deepEqual(
    all.map(({ batches }) => batches),
    [[[1], [2]], [[1], [2]], [[1]], [[1], [2]], [[1], [2]]],
  );
  publish();
  for (let share = 0; share < 6; share++) await virtual.advance(2);
  for (const index of [0, 1, 3, 4]) assert.deepEqual(all[index]!.batches, [[1], [2], [3, 4]]);
  assert.deepEqual(late.batches, [[4]]);
  // After a while without events nobody waits for his turn.
  await virtual.advance(100);
  publish();
  await turn();
  for (const index of [0, 1, 3, 4]) assert.deepEqual(all[index]!.batches.at(-1), [5]);
  watchers.end();
  assert.equal(virtual.pending, 0);
});
