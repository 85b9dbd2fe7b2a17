import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { playCommand } from './exec.ts';

const channels = { stdin: true, stdout: true, stderr: true, tty: false };

test('playCommand() answers what a command plainly says, and nothing that it would have to make up', async () => {
  const cases: [command: string[], wanted: [output: string, code: number] | undefined][] = [
    [['true'], ['', 0]],
    [['/bin/false'], ['', 1]],
    [
      ['echo', 'a', 'b'],
      ['a b\n', 0],
    ],
    [
      ['sh', '-c', 'exit 3'],
      ['', 3],
    ],
    [
      ['sh', '-c', 'echo a  b'],
      ['a b\n', 0],
    ],
    [['sh', '-c', 'echo $HOME'], undefined],
    [['ls'], undefined],
    [['cat', '/etc/hosts'], undefined],
    [[], undefined],
  ];
  for (const [command, wanted] of cases) {
    const played = playCommand(command, channels);
    if (!wanted || !played) {
      assert.equal(played, wanted, command.join(' '));
      continue;
    }
    const [output, code] = wanted;
    assert.equal(await text(played.stdout!), output, command.join(' '));
    const { status, details } = (await played.done) as { status: string; details?: { causes: { message: string }[] } };
    assert.deepEqual([status, details?.causes[0]?.message], code === 0 ? ['Success', undefined] : ['Failure', String(code)]);
  }
});

test('playCommand() gives cat its input back', async () => {
  const played = playCommand(['cat'], channels)!;
  played.stdin!.end('hello');
  assert.equal(await text(played.stdout!), 'hello');
  assert.deepEqual(await played.done, { metadata: {}, status: 'Success' });
});
