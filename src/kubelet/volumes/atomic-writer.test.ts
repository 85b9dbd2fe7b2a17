import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, readlink, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { writeAtomically } from './atomic-writer.ts';

const payload = (files: Record<string, string>, mode = 0o644) =>
  new Map(Object.entries(files).map(([name, text]) => [name, { data: Buffer.from(text), mode }]));

test('files appear, change and go all at once', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'atomic-'));
  try {
    assert.equal(await writeAtomically(directory, payload({ a: '1', 'sub/b': '2' }, 0o400), { now: 0 }), true);
    assert.equal(await readFile(path.join(directory, 'a'), 'utf8'), '1');
    assert.equal(await readFile(path.join(directory, 'sub/b'), 'utf8'), '2');
    assert.equal((await stat(path.join(directory, 'a'))).mode & 0o777, 0o400);
    const first = await readlink(path.join(directory, '..data'));
    assert.equal(await writeAtomically(directory, payload({ a: '1', 'sub/b': '2' }, 0o400), { now: 0 }), false);
    assert.equal(await readlink(path.join(directory, '..data')), first);
    assert.equal(await writeAtomically(directory, payload({ a: '3' }), { now: 1000 }), true);
    assert.equal(await readFile(path.join(directory, 'a'), 'utf8'), '3');
    const names = await readdir(directory);
    assert.ok(!names.includes('sub') && !names.includes(first) && names.length === 3);
  } finally {
    await rm(directory, { recursive: true });
  }
});

for (const name of ['../x', '/x', 'a/../../x', '..hidden', ''])
  test(`${JSON.stringify(name)} is no path inside a volume`, async () => {
    await assert.rejects(writeAtomically('/nowhere', payload({ [name]: '' }), { now: 0 }), /invalid path/);
  });
