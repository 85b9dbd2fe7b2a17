import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AuthorizerValue,
  authorizerType,
  baseEnvironment,
  CelCompileError,
  CelType,
  compile,
  Duration,
  fromJson,
  isError,
  List,
  MapValue,
  Optional,
  Timestamp,
  toJson,
  types,
  Uint,
  unboundedCost,
} from '#machinery/cel';
import type { Value } from '#machinery/cel';
import vectors from './vectors.json' with { type: 'json' };

const { dynType, intType, listOf, mapOf, stringType, doubleType, boolType } = types;
const environment = baseEnvironment.extend({
  variables: {
    self: dynType,
    x: intType,
    l: listOf(intType),
    s: stringType,
    m: mapOf(stringType, intType),
    d: doubleType,
    t: boolType,
    ls: listOf(stringType),
    mm: mapOf(stringType, stringType),
  },
});
const variables: Record<string, Value> = {
  self: fromJson({ a: 1, b: [1, 2], s: 'xyz', m: { k: 'v' } }),
  x: 5n,
  l: fromJson([1, 2, 3]),
  s: 'hello',
  m: fromJson({ k: 1 }),
  d: 1.5,
  t: true,
  ls: fromJson(['b', 'a']),
  mm: fromJson({ a: 'x', b: 'y' }),
};

/** As cel-go's Format shows a value. */
function shown(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return Number.isInteger(value) ? `${value}.0` : String(value);
  if (value instanceof Uint) return `${value.value}u`;
  if (value instanceof Optional) return value.value === undefined ? 'optional.none()' : `optional(${shown(value.value)})`;
  if (value instanceof List) return `[${value.toArray().map(shown).join(', ')}]`;
  if (value instanceof MapValue) {
    const entries = [...value.keys()].map((key) => `${shown(key)}: ${shown(value.find(key)!)}`);
    return `{${entries.sort().join(', ')}}`;
  }
  if (value instanceof Duration) return `duration("${value.toString()}")`;
  if (value instanceof Timestamp) return `timestamp("${value.toString()}")`;
  if (value instanceof CelType) return value.name;
  if (value instanceof Uint8Array) return `b"${[...value].map(byte).join('')}"`;
  return String(value);
}
const byte = (code: number): string => (code >= 32 && code < 127 ? String.fromCharCode(code) : `\\${code.toString(8).padStart(3, '0')}`);

test('values, costs and estimates are upstream’s', () => {
  for (const [expression, value, error, cost, min, max] of vectors.values as [
    string,
    string | null,
    string | null,
    number,
    number,
    number,
  ][]) {
    const program = compile(expression, environment);
    const result = program.run((name) => variables[name]);
    if (error === null) assert.equal(isError(result.value) ? result.value.message : shown(result.value), value, expression);
    else assert.equal(isError(result.value) && result.value.message, error, expression);
    assert.equal(result.cost, cost, `cost of ${expression}`);
    const estimate = program.estimateCost();
    assert.equal(estimate.min, min, `least cost of ${expression}`);
    assert.ok(Math.abs(Math.min(estimate.max, unboundedCost) - max) <= max * 1e-9, `most cost of ${expression}: ${estimate.max}`);
  }
});

test('what does not compile says so in upstream’s words', () => {
  for (const [expression, message] of vectors.issues as [string, string][])
    assert.throws(
      () => compile(expression, environment),
      (error) => {
        assert.ok(error instanceof CelCompileError, String(error));
        assert.equal(error.message, message);
        return true;
      },
      expression,
    );
});

test('a cost limit stops an evaluation', () => {
  const program = compile('l.all(i, i > 0)', environment);
  assert.throws(() => program.evaluate(variables, 10), { message: 'operation cancelled: actual cost limit exceeded' });
  assert.equal(program.evaluate(variables, 17).cost, 17);
});

test('lists grow in linear time', () => {
  const items = fromJson(Array.from({ length: 20_000 }, (_, index) => index));
  const program = compile('l.map(i, i + 1).filter(i, i % 2 == 0).size()', environment);
  assert.equal(program.evaluate({ l: items }, Infinity).value, 10_000n);
});

test('long chains and deep nesting', () => {
  assert.equal(compile(Array.from({ length: 2000 }, () => 't').join(' && '), environment).evaluate(variables).value, true);
  assert.throws(() => compile('('.repeat(300) + '1' + ')'.repeat(300), environment), /recursion limit exceeded: 250/);
  assert.throws(
    () => compile(`'${'x'.repeat(100_001)}'`, environment),
    /expression code point size exceeds limit: size: 100003, limit 100000/,
  );
});

test('the authorizer answers at once', () => {
  const asked: unknown[] = [];
  const authorizer = new AuthorizerValue(
    (query) => {
      asked.push(query);
      return { allowed: query.verb === 'get', reason: 'because' };
    },
    { name: 'ann', groups: [] },
  );
  const program = compile(
    "authorizer.group('apps').resource('deployments').namespace('n').check('get').allowed() && !authorizer.serviceAccount('n', 'sa').path('/x').check('post').allowed()",
    baseEnvironment.extend({ variables: { authorizer: authorizerType } }),
  );
  const { value, cost } = program.evaluate({ authorizer });
  assert.equal(value, true);
  assert.ok(cost > 700_000);
  assert.deepEqual(asked, [
    { user: { name: 'ann', groups: [] }, group: 'apps', resource: 'deployments', subresource: '', namespace: 'n', name: '', verb: 'get' },
    {
      user: {
        name: 'system:serviceaccount:n:sa',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:n', 'system:authenticated'],
      },
      verb: 'post',
      path: '/x',
    },
  ]);
});

test('values become JSON again', () => {
  const { value } = compile(
    "{'a': dyn([1, 2]), 'b': dyn(duration('90s')), 'c': s}",
    baseEnvironment.extend({ variables: { s: dynType } }),
  ).evaluate({ s: fromJson({ deep: [true] }) });
  assert.deepEqual(toJson(value), { a: [1, 2], b: '90s', c: { deep: [true] } });
});
