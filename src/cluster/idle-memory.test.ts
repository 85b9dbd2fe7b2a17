import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { releaseWhenIdle } from './idle-memory.ts';

const mega = 1024 * 1024;

/** What is collected, how busy it is until the look, how large the heap is then; whether memory is given back. */
const cases: [what: string, steps: { busy: number; size: number; left?: number; released: boolean }[]][] = [
  ['a first quiet moment', [{ busy: 0.01, size: 60, released: true }]],
  ['while there is work nothing is', [{ busy: 0.3, size: 100, released: false }]],
  [
    'what has hardly grown stays',
    [
      { busy: 0, size: 60, left: 50, released: true },
      { busy: 0, size: 60, released: false },
      { busy: 0, size: 70, left: 52, released: true },
    ],
  ],
  [
    'the quiet after work',
    [
      { busy: 0.9, size: 90, released: false },
      { busy: 0.8, size: 110, released: false },
      { busy: 0, size: 110, left: 45, released: true },
      { busy: 0, size: 50, released: false },
    ],
  ],
  ['a large heap is left alone', [{ busy: 0, size: 300, released: false }]],
];

for (const [what, steps] of cases)
  test(what, async () => {
    const clock = virtualClock();
    let told: (whole: boolean) => void = () => undefined;
    let [size, busy, released, subscribed] = [0, 0, 0, true];
    let left = 0;
    let trimmed = 0;
    const held = releaseWhenIdle(
      {
        size: () => size,
        busy: () => busy,
        release: () => {
          released++;
          size = left * mega;
          return Promise.resolve();
        },
        trim: () => void trimmed++,
        onCollection(listener) {
          told = listener;
          return { [Symbol.dispose]: () => void (subscribed = false) };
        },
      },
      { clock, log: silentLog },
    );
    for (const step of steps) {
      [size, busy, released, left] = [step.size * mega, step.busy, 0, step.left ?? step.size];
      trimmed = 0;
      told(false);
      await clock.advance(200);
      assert.equal(trimmed, 0);
      told(true);
      told(true);
      await clock.advance(10_000);
      assert.equal(released, step.released ? 1 : 0);
      assert.equal(trimmed, 1, 'once for collections that follow one another');
    }
    // Nobody looks while nothing is collected.
    busy = 0;
    await clock.advance(10_000);
    [size, released, trimmed] = [180 * mega, 0, 0];
    await clock.advance(600_000);
    assert.equal(released, 0);
    told(true);
    held[Symbol.dispose]();
    await clock.advance(600_000);
    assert.deepEqual([released, trimmed, subscribed], [0, 0, false]);
  });
