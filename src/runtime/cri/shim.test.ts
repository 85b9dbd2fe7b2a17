import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathWithShim, shimProgram } from './shim.ts';

const directory = mkdtempSync(join(tmpdir(), "shim's "));
after(() => rmSync(directory, { recursive: true }));
const [real, program, state] = ['real', 'program', 'state'].map((name) => join(directory, name)) as [string, string, string];
writeFileSync(real, '#!/bin/sh\nprintf "real: %s" "$*"\n', { mode: 0o755 });
writeFileSync(program, shimProgram(real, state), { mode: 0o755 });
mkdirSync(join(state, 'k8s.io/there'), { recursive: true });

const gone = '\x10\x89\x01';
for (const [what, parameters, wanted] of [
  ['starting is left to the real one', '-namespace k8s.io -id gone start', 'real: -namespace k8s.io -id gone start'],
  [
    'so is deleting what is still there',
    '-namespace k8s.io -id there -bundle /b delete',
    'real: -namespace k8s.io -id there -bundle /b delete',
  ],
  ['what is gone needs no deleting', '-namespace k8s.io -address /a -id gone -bundle /b delete', gone],
  ['another namespace has other containers', '-namespace other -id there delete', gone],
  ['without an id the real one complains', '-namespace k8s.io delete', 'real: -namespace k8s.io delete'],
] as const)
  test(what, () => assert.equal(execFileSync(program, parameters.split(' '), { encoding: 'latin1' }), wanted));

test('the PATH stays as it is where there is no shim', () => {
  assert.equal(pathWithShim(join(directory, 'programs'), join(directory, 'nowhere')), join(directory, 'nowhere'));
});
