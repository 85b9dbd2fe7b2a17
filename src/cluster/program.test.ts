import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bundle, bundleProgram } from './program.ts';

const root = join(import.meta.dirname, '../..');
// Where the packages that are not in it are found.
const caches = join(root, 'node_modules/.cache');
mkdirSync(caches, { recursive: true });
const directory = mkdtempSync(join(caches, 'bundle-'));
after(() => rmSync(directory, { recursive: true }));
const cache = join(directory, 'cache');
const version = (command: string): string =>
  execFileSync(process.execPath, ['--no-warnings', command, 'version'], {
    encoding: 'utf8',
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });

test('a release is one file that runs', async () => {
  const command = join(directory, 'release.mjs');
  await bundle(root, command);
  assert.match(version(command), /^coxswain \d/);
});

test('what up runs keeps its compiled code', async () => {
  const command = join(directory, 'coxswain.mjs');
  const program = await bundleProgram(root, command);
  const said = version(command);
  assert.match(said, /^coxswain \d/);
  const kept = readdirSync(cache, { recursive: true }).filter((file) => file.toString().endsWith(`${program}-version`));
  assert.equal(kept.length, 1);
  assert.equal(version(command), said);
});
