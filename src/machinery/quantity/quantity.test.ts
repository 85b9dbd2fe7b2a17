import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addQuantities, canonicalize, compareQuantities, milliValue, parseQuantity, subQuantities, value } from '#machinery/quantity';

const regularExpression = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

test('canonical texts', () => {
  const cases: [string | number, string][] = [
    ['0', '0'],
    ['0n', '0'],
    ['-0', '0'],
    ['.', '0'],
    ['1', '1'],
    ['1.5', '1500m'],
    ['1.5Gi', '1536Mi'],
    ['0.5Gi', '512Mi'],
    ['1Ki', '1Ki'],
    ['8Ki', '8Ki'],
    ['1024', '1024'],
    ['1024Mi', '1Gi'],
    ['0.1Ki', '102400m'],
    ['1000', '1k'],
    ['1000m', '1'],
    ['100000m', '100'],
    ['1e3', '1e3'],
    ['12e6', '12e6'],
    ['1E3', '1E3'],
    ['0.001', '1m'],
    ['0.0000001n', '1n'],
    ['1.1', '1100m'],
    ['1.500', '1.500'],
    ['100Ei', '9223372036854775807'],
    ['-1.5', '-1500m'],
    ['-1Gi', '-1Gi'],
    ['0.3Mi', '314572800m'],
    ['128974848', '128974848'],
    ['129M', '129M'],
    ['128974848000m', '128974848'],
    ['123Mi', '123Mi'],
    [1.5, '1500m'],
    [2, '2'],
    [1e21, '1e+21'],
  ];
  for (const [text, wanted] of cases) assert.equal(canonicalize(text), wanted, String(text));
});

test('texts that are no quantities', () => {
  const cases: [string, string][] = [
    ['', regularExpression],
    ['1.1.M', regularExpression],
    ['1+1.0M', regularExpression],
    ['0.1mi', "unable to parse quantity's suffix"],
    ['0.1am', regularExpression],
    ['aoeu', regularExpression],
    ['.5i', "unable to parse quantity's suffix"],
    ['1i', "unable to parse quantity's suffix"],
    ['-3.01i', "unable to parse quantity's suffix"],
    ['1e', "unable to parse quantity's suffix"],
    ['10 Mi', regularExpression],
  ];
  for (const [text, message] of cases) assert.throws(() => parseQuantity(text), { name: 'QuantityError', message }, text);
});

test('values are rounded up', () => {
  assert.equal(milliValue('1'), 1000);
  assert.equal(milliValue('1u'), 1);
  assert.equal(milliValue('100n'), 1);
  assert.equal(value('1m'), 1);
  assert.equal(value('1001m'), 2);
  assert.equal(value('-1001m'), -2);
  assert.equal(value('1Gi'), 1073741824);
  assert.equal(value(undefined), 0);
});

test('arithmetic keeps the format of the first that is not zero', () => {
  assert.equal(addQuantities('0', '1Gi'), '1Gi');
  assert.equal(addQuantities('512Mi', '0.5Gi'), '1Gi');
  assert.equal(addQuantities('500m', '1'), '1500m');
  assert.equal(subQuantities('1', '1'), '0');
  assert.equal(subQuantities('0', '1Ki'), '-1Ki');
  assert.equal(compareQuantities('1', '1000m'), 0);
  assert.equal(compareQuantities('1Ki', '1k'), 1);
  assert.equal(compareQuantities('1m', '2m'), -1);
});
