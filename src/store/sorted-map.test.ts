import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { covers, prefixEnd } from './key-range.ts';
import { SortedMap } from './sorted-map.ts';

test('SortedMap is a Map in order', () => {
  // Few distinct keys and many steps, so that chunks split, empty and join.
  const step = fc.tuple(fc.boolean(), fc.nat(3000));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 4000, size: 'max' }), fc.nat(3000), fc.nat(3000), (steps, a, b) => {
      const sorted = new SortedMap<number>();
      const model = new Map<string, number>();
      const name = (number: number): string => String(number).padStart(4, '0');
      for (const [index, [put, number]] of steps.entries()) {
        if (index % 3 > 0) assert.equal(sorted.get(name(number)), model.get(name(number)));
        if (put) {
          sorted.set(name(number), index);
          model.set(name(number), index);
        } else assert.equal(sorted.delete(name(number)), model.delete(name(number)));
        if (index % 2 > 0) assert.equal(sorted.get(name(number)), model.get(name(number)));
      }
      const loaded = new SortedMap<number>();
      const keys = [...model.keys()].sort();
      const nameOf = new Map([...model].map(([key, value]) => [value, key]));
      loaded.load(
        keys.map((key) => model.get(key)!),
        (value) => nameOf.get(value)!,
      );
      loaded.set('x', 1);
      assert(loaded.delete('x'));
      assert.deepEqual([loaded.values(), loaded.size], [sorted.values(), sorted.size]);
      const [from, to] = [name(Math.min(a, b)), name(Math.max(a, b))];
      const wanted = [...model].sort(([x], [y]) => (x < y ? -1 : 1));
      const inside = wanted.filter(([key]) => key >= from && key < to);
      assert.equal(sorted.size, model.size);
      assert.deepEqual(
        sorted.values(),
        wanted.map(([, value]) => value),
      );
      assert.deepEqual(
        sorted.values(from, to),
        inside.map(([, value]) => value),
      );
      const visited: [string, number][] = [];
      sorted.visit(from, to, (value, key) => visited.push([key, value]) < 5);
      assert.deepEqual(visited, inside.slice(0, 5));
      assert.equal(sorted.get(from), model.get(from));
    }),
    { numRuns: 40 },
  );
});

test('prefixEnd() ends every key with the prefix, and no other', () => {
  const table: [string, string][] = [
    ['/registry/pods/', '/registry/pods0'],
    ['a', 'b'],
    ['aÿ', 'b'],
    ['ÿÿ', '\0'],
  ];
  for (const [prefix, end] of table) {
    assert.equal(prefixEnd(prefix), end);
    const range = { key: prefix, end };
    for (const key of [prefix, `${prefix}x`, `${prefix}ÿÿ`]) assert(covers(range, key), key);
  }
  assert(!covers({ key: 'a', end: 'b' }, 'b'));
});
