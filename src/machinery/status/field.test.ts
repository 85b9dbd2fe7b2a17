import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invalidField } from './field.ts';

test('invalidField() prints values as Go does: structs as they are, maps by their keys', () => {
  const cases: [value: unknown, wanted: string][] = [
    [null, 'null'],
    ['a"b', '"a\\"b"'],
    [3, '3'],
    [{ matchLabels: { b: '1', a: '2' }, matchExpressions: [] }, '{"matchLabels":{"a":"2","b":"1"},"matchExpressions":[]}'],
    [
      { name: 'x', image: 'i', resources: { limits: { memory: '1', cpu: '2' } } },
      '{"name":"x","image":"i","resources":{"limits":{"cpu":"2","memory":"1"}}}',
    ],
  ];
  for (const [value, wanted] of cases) assert.equal(invalidField('f', value, 'no').message, `Invalid value: ${wanted}: no`);
});
