import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundle } from './program.ts';

test('bundle() makes a command that runs, and keeps its compiled code', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'bundle-'));
  try {
    const outfile = join(directory, 'coxswain.mjs');
    const { program } = await bundle(join(import.meta.dirname, '../..'), outfile);
    const cache = join(directory, 'cache');
    const version = (): string =>
      execFileSync(process.execPath, ['--no-warnings', outfile, 'version'], {
        encoding: 'utf8',
        env: { ...process.env, NODE_COMPILE_CACHE: cache },
      });
    const said = version();
    assert.match(said, /^coxswain \d/);
    const kept = readdirSync(cache, { recursive: true }).filter((file) => file.toString().endsWith(`${program}-version`));
    assert.equal(kept.length, 1);
    assert.equal(version(), said);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
