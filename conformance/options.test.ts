import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOptions } from './options.ts';
import { partsOf, sampled, testsOf } from './sets.ts';

const refused: [parameters: string[], message: string][] = [
  [['--procs', '0'], 'Cannot use --procs 0: it must be a whole number of at least 1'],
  [['--store', 'redis'], 'Cannot use --store redis: it must be lmdb, memory, etcd'],
  [['--attach', 'k', '--upstream'], 'Cannot use --attach with --upstream: the one brings a cluster, the other makes one'],
];
for (const [parameters, message] of refused)
  test(`the command line ${parameters.join(' ')} is refused`, () => assert.throws(() => readOptions(parameters), { message }));

test('--sample takes from the tests that passed', () => assert.equal(readOptions(['--sample', '3'])!.set, 'passing'));

test('the set all runs what must be alone after the rest', () => {
  const parts = partsOf(readOptions(['--set', 'all'])!);
  assert.deepEqual(
    parts.map(({ procs }) => procs),
    [4, 1],
  );
  const known = ['[sig-node] A [Conformance]', '[sig-node] B [Serial] [Conformance]', '[sig-node] C'];
  assert.deepEqual(
    parts.map((part) => testsOf(part, known)),
    [[known[0]], [known[1]]],
  );
});

test('a set that is not there is refused', () =>
  assert.throws(() => partsOf(readOptions(['--set', 'most'])!), /^Error: Cannot run the set most: sets are/));

test('a sample is the same for the same seed', () => {
  const names = Array.from({ length: 50 }, (_, index) => `t${index}`);
  assert.deepEqual(sampled(names, 5, 7), sampled(names, 5, 7));
  assert.notDeepEqual(sampled(names, 5, 7), sampled(names, 5, 8));
});
