import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { virtualClock } from '#machinery/clock';
import { readLog } from './log-reader.ts';

test('readLog() reads what is there, and follows a running container whose log is not there yet', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-log-'));
  const line = '2026-01-01T00:00:00Z stdout F hello\n';
  const cases: [name: string, before: string | undefined, follow: boolean, rounds: number, wanted: string][] = [
    ['a log', line, false, 0, 'hello\n'],
    ['no log', undefined, false, 0, ''],
    ['no log of what has ended', undefined, true, 0, ''],
    ['a log that comes', undefined, true, 2, 'hello\n'],
  ];
  try {
    for (const [name, before, follow, rounds, wanted] of cases) {
      const clock = virtualClock(0);
      const path = join(directory, name);
      if (before !== undefined) writeFileSync(path, before);
      const output = new PassThrough();
      let asked = 0;
      const running = async (): Promise<boolean> => {
        if (asked === 1 && rounds) writeFileSync(path, line);
        return ++asked < rounds;
      };
      let ended = false;
      const done = readLog(path, { follow, timestamps: false }, output, running, clock, new AbortController().signal).then(() => {
        ended = true;
        output.end();
      });
      while (!ended) {
        await turn();
        await clock.advance(1000);
      }
      await done;
      assert.equal(await text(output), wanted, name);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('readLog() stops waiting for a log when its reader goes away', async () => {
  const gone = new AbortController();
  const reading = readLog(
    '/nonexistent/log',
    { follow: true, timestamps: false },
    new PassThrough(),
    async () => true,
    virtualClock(0),
    gone.signal,
  );
  await turn();
  gone.abort();
  await reading;
});
