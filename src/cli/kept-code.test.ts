import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import { keptScript } from './kept-code.ts';

const text = `(function () { const inner = (a) => { ${'a += 1; '.repeat(2000)} return a; }; return inner(0); })`;

/** Keeps the code of `text` in a directory of its own, runs it as one process would, and tells how V8 found what was there. */
function world() {
  const directory = mkdtempSync(join(tmpdir(), 'kept-'));
  const [file, kept] = [join(directory, 'program.js'), join(directory, 'deep', 'kept')];
  writeFileSync(file, text);
  return {
    kept,
    begin() {
      const clock = virtualClock();
      const process = Object.assign(new EventEmitter(), { pid: 1 });
      const script = keptScript({ file, kept, clock, process: process as never });
      assert.equal((script.runInThisContext() as () => number)(), 2000);
      return { clock, refused: script.cachedDataRejected, exit: () => void process.emit('exit') };
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}

describe('a kept script', () => {
  test('is kept when a start is over, with what was called', async () => {
    using here = world();
    const { clock, refused } = here.begin();
    assert.equal(refused, undefined);
    assert.equal(existsSync(here.kept), false);
    await clock.advance(5000);
    // The function inside is long; without it there are some hundred bytes.
    assert.ok(readFileSync(here.kept).length > 4000);
    assert.equal(here.begin().refused, false);
  });

  test('is kept by a process that ends before', () => {
    using here = world();
    here.begin().exit();
    const before = readFileSync(here.kept);
    const next = here.begin();
    assert.equal(next.refused, false);
    next.exit();
    assert.deepEqual(readFileSync(here.kept), before);
  });

  for (const [title, damage] of [
    ['torn', (bytes: Buffer) => bytes.subarray(0, 1000)],
    ['empty', () => Buffer.alloc(0)],
    ['changed', (bytes: Buffer) => bytes.fill(7, 500, 600)],
  ] as const)
    test(`is compiled and kept anew where what was kept is ${title}`, () => {
      using here = world();
      here.begin().exit();
      const whole = readFileSync(here.kept);
      writeFileSync(here.kept, damage(Buffer.from(whole)));
      const second = here.begin();
      assert.equal(second.refused, undefined);
      second.exit();
      assert.equal(here.begin().refused, false);
    });

  test('runs where nothing can be kept', () => {
    using here = world();
    writeFileSync(join(here.kept, '..'), 'no directory');
    here.begin().exit();
  });
});
