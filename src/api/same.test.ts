import assert from 'node:assert/strict';
import { test } from 'node:test';
import { same } from './same.ts';

test('what Go leaves out counts as absent, but for pointers, which say something by being there', () => {
  const table: [name: string, a: unknown, b: unknown, same: boolean][] = [
    ['an empty list', { tolerations: [] }, {}, true],
    ['an empty map', { nodeSelector: {} }, {}, true],
    ['a zero', { containerPort: 0 }, {}, true],
    ['an empty text', { group: '' }, {}, true],
    ['null', { replicas: null }, {}, true],
    ['a pointer to zero', { replicas: 0 }, {}, false],
    ['a pointer to false', { runAsNonRoot: false }, {}, false],
    ['a pointer to an empty struct', { emptyDir: {} }, {}, false],
    ['a selector of all, and none', { namespaceSelector: {} }, { namespaceSelector: null }, false],
    ['empty structs', { emptyDir: {} }, { emptyDir: {} }, true],
    ['lists of other lengths', [1], [1, 2], false],
  ];
  for (const [name, a, b, wanted] of table) {
    assert.equal(same(a, b), wanted, name);
    assert.equal(same(b, a), wanted, name);
  }
});
