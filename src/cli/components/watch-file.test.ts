import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { watchFiles } from './watch-file.ts';

test('files are followed when they are written, replaced, and reached by a link that changes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'watch-'));
  const [plain, linked] = [join(folder, 'plain'), join(folder, 'linked')];
  writeFileSync(plain, 'one');
  for (const version of ['a', 'b']) {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, 'file'), version);
  }
  symlinkSync(join(folder, 'a'), join(folder, 'data'));
  symlinkSync(join('data', 'file'), linked);
  let times = 0;
  let told: (() => void) | undefined;
  const watching = watchFiles([plain, linked], { clock: systemClock, log: silentLog }, () => {
    times++;
    told?.();
  });
  const change = async (make: () => void): Promise<void> => {
    const changed = new Promise<void>((resolve) => (told = resolve));
    make();
    await changed;
  };
  await change(() => writeFileSync(plain, 'two'));
  await change(() => {
    writeFileSync(`${plain}.new`, 'three');
    renameSync(`${plain}.new`, plain);
  });
  // As a mounted Secret is renewed.
  await change(() => {
    symlinkSync(join(folder, 'b'), join(folder, 'data.new'));
    renameSync(join(folder, 'data.new'), join(folder, 'data'));
  });
  assert.equal(times, 3);
  watching[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});
