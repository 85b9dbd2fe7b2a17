import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
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

const bundles = join(directory, 'bundles');
const socket = join(directory, 'socket');
const server = createServer().listen(socket);
before(() => once(server, 'listening'));
after(() => server.close());

/** A bundle as containerd makes it, with an address where its shim has been started. */
function bundle(id: string, annotations: Record<string, string>, address?: string): string {
  const folder = join(bundles, id);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ process: { env: ['A="io.kubernetes.cri.sandbox-id":"bb"'] }, annotations }));
  if (address !== undefined) writeFileSync(join(folder, 'address'), address);
  return folder;
}

const [ofSandbox, ofGroup] = ['io.kubernetes.cri.sandbox-id', 'io.containerd.runc.v2.group'];
const address = `unix://${socket}`;
bundle('aa', { [ofSandbox]: 'aa' }, address);
bundle('bb', { [ofSandbox]: 'bb' }, 'unix:///nowhere');
for (const [what, id, annotations, there] of [
  ['a sandbox is started', 'c1', { [ofSandbox]: 'c1' }, false],
  ['a container is in the shim of its sandbox', 'c2', { [ofSandbox]: 'aa' }, true],
  ['whatever group is told', 'c3', { [ofGroup]: 'bb', [ofSandbox]: 'aa' }, true],
  ['a sandbox is in the shim of its group', 'c4', { [ofGroup]: 'aa', [ofSandbox]: 'c4' }, true],
  ['where that is unknown it is started', 'c5', { [ofGroup]: 'ff', [ofSandbox]: 'c5' }, false],
  ['and where that has ended', 'c6', { [ofGroup]: 'bb', [ofSandbox]: 'c6' }, false],
  ['a container that is not of CRI is started', 'c7', {}, false],
] as const)
  test(what, () => {
    const cwd = bundle(id, annotations);
    const parameters = ['-namespace', 'k8s.io', '-address', '/a', '-id', id, 'start'];
    const said = execFileSync(program, parameters, { cwd, encoding: 'latin1' });
    assert.equal(said, there ? address : `real: ${parameters.join(' ')}`);
    assert.equal(existsSync(join(cwd, 'address')), there);
    if (there) assert.equal(readFileSync(join(cwd, 'address'), 'latin1'), address);
  });

test('without a configuration it is started', () =>
  assert.equal(execFileSync(program, ['-id', 'x', 'start'], { cwd: directory, encoding: 'latin1' }), 'real: -id x start'));
