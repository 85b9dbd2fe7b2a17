import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceSelectorErrors } from './device-expressions.ts';

test('expressions by which devices are chosen are compiled when they are written', () => {
  const domain = 'device.attributes["dra.example.com"]';
  const cases: [expression: string, wanted: RegExp | undefined][] = [
    ['device.driver == "dra.example.com"', undefined],
    [`${domain}.healthy`, undefined],
    [`${domain}.count > 2 && device.capacity["dra.example.com"].memory.isGreaterThan(quantity("1Gi"))`, undefined],
    [`cel.bind(dra, ${domain}, dra.fast && dra.healthy)`, undefined],
    [`cel.bind(1, ${domain}, true)`, /cel\.bind\(\) variable names must be simple identifiers/],
    ['"dra.example.com" in device.attributes', undefined],
    ['device.driver', /^Invalid value: "device.driver": must evaluate to bool or the unknown type, not string$/],
    ['device.nothing', /undefined field 'nothing'/],
    ['', /compilation failed: ERROR: <input>:1:0: Syntax error: mismatched input '<EOF>'/],
    [
      'device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, a + b + c + d == ""))))',
      /too complex, exceeds cost limit/,
    ],
  ];
  for (const [expression, wanted] of cases) {
    const [error] = deviceSelectorErrors('spec.selectors[0].cel.expression', expression);
    if (wanted) assert.match(error?.message ?? 'no error', wanted, expression);
    else assert.equal(error, undefined, `${expression}: ${error?.message}`);
  }
});
