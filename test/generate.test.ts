/** Generating the API facts again changes nothing, where the Go modules are on this machine. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
function missing(): string | false {
  try {
    const cache = execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim();
    return existsSync(join(cache, 'k8s.io/kubernetes@v1.35.4')) ? false : 'the Go module k8s.io/kubernetes is not on this machine';
  } catch {
    return 'Go is not on this machine';
  }
}

test('npm run generate changes nothing', { skip: missing() }, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', 'scripts/generate/main.ts', '--check'], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout + stderr);
});
