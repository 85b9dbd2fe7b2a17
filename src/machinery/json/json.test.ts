import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exactInteger, nearestNumber, parseJson } from './mod.ts';

test('integers keep their digits as far as int64 goes', () => {
  for (const text of [
    '{"a":9007199254740993,"b":[-9223372036854775808,9223372036854775807,{"c":1764325123456789012}]}',
    '[9007199254740991,0,-1,"9007199254740993"]',
    '{"12345678901234567890":"\\u0041","x":null}'.replace('\\u0041', 'A'),
  ])
    assert.equal(JSON.stringify(parseJson(text)), text);
  assert.deepEqual(parseJson('[9007199254740993,1.2345678901234567,1e20,12345678901234567890123]'), [
    9007199254740993n,
    1.2345678901234567,
    1e20,
    Number('12345678901234567890123'),
  ]);
  assert.deepEqual(
    parseJson('{"__proto__":9007199254740993}'),
    JSON.parse('{"__proto__":1}', (_, value) => (value === 1 ? 9007199254740993n : value)),
  );
  assert.throws(() => parseJson('{"a":9007199254740993'), SyntaxError);
  assert.equal(exactInteger(5n), 5);
  // What is written for a known type's field can be read by Go.
  assert.equal(JSON.stringify(nearestNumber(2n ** 63n - 1n)), '9223372036854775000');
  assert(BigInt(JSON.stringify(nearestNumber(2n ** 63n - 1n))) < 2n ** 63n);
  assert(BigInt(JSON.stringify(nearestNumber(-(2n ** 63n)))) >= -(2n ** 63n));
});
