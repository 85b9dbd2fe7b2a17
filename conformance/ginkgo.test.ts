import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomeReader } from './ginkgo.ts';
import { remaining } from './progress.ts';

const cases: [name: string, chunks: string[], passed: number, failed: number][] = [
  ['dots on a line without end', ['Running\n••', '•', '••'], 5, 0],
  ['skipped tests are none', ['•S•SS•\n'], 3, 0],
  ['a failure on a line of its own', ['••\n---\n• [FAILED] [1.2 seconds]\n[sig-node] x • y\n---\n•'], 3, 1],
  ['a failure behind dots', ['••• [FAILED] [1.2 seconds]\n'], 2, 1],
  ['a failure whose line comes in pieces', ['•', ' [FAILED] [1.2 sec', 'onds]\n'], 0, 1],
  ['a slow one that passed', ['• [65.1 seconds]\n'], 1, 0],
];
for (const [name, chunks, passed, failed] of cases)
  test(`outcomes: ${name}`, () => {
    const sum = { passed: 0, failed: 0 };
    const read = outcomeReader((more, lost) => {
      sum.passed += more;
      sum.failed += lost;
    });
    chunks.forEach(read);
    assert.deepEqual(sum, { passed, failed });
  });

test('remaining() goes by upstream at first and by the pace at the end', () => {
  const upstream = Array.from({ length: 100 }, () => 8);
  assert.equal(Math.round(remaining(upstream, 4, 0, 0)), 204);
  assert.equal(Math.round(remaining(upstream, 4, 50, 200)), 102);
  assert.equal(remaining(upstream, 4, 100, 400), 0);
});
