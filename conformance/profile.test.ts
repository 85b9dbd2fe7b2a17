import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuCalls, flameGraph, heapCalls, hottest } from './profile.ts';

const frame = (functionName: string) => ({ functionName, url: '/home/x/src/a.ts', lineNumber: 4 });

test('CPU profiles: self time is what the samples say, idle time is none', () => {
  const root = cpuCalls({
    nodes: [
      { id: 1, callFrame: { functionName: '(root)', url: '', lineNumber: -1 }, children: [2, 3] },
      { id: 2, callFrame: frame('busy') },
      { id: 3, callFrame: { functionName: '(idle)', url: '', lineNumber: -1 } },
    ],
    samples: [2, 3, 2],
    timeDeltas: [10, 500, 30],
  });
  assert.equal(root.total, 40);
  assert.deepEqual(hottest(root), [{ name: 'busy src/a.ts:5', share: 1 }]);
});

test('heap profiles: sizes add up', () => {
  const root = heapCalls({
    head: { callFrame: frame('a'), selfSize: 1, children: [{ callFrame: frame('b'), selfSize: 3, children: [] }] },
  });
  assert.equal(root.total, 4);
  assert.equal(hottest(root)[0]!.name, 'b src/a.ts:5');
});

test('a flame graph holds its data and nothing that ends its script early', () => {
  const page = flameGraph({ name: '</script>', self: 1, total: 1, children: [] }, 'x', 'bytes');
  assert.equal(page.match(/<\/script>/g)?.length, 1);
});
