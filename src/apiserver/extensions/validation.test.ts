import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkListTypes } from './list-types.ts';
import { jsonPath } from './json-path.ts';
import type { Schema } from './schema.ts';
import { applyDefaults, prune } from './structure.ts';
import { validateSchema } from './validation.ts';

const object = (properties: Record<string, Schema>, more: Schema = {}): Schema => ({ type: 'object', properties, ...more });

test('values against their schema, with the texts clients know', () => {
  const cases: [value: unknown, schema: Schema, errors: string[]][] = [
    [{ a: 1 }, object({ a: { type: 'integer' } }), []],
    [{ a: 'x' }, object({ a: { type: 'integer' } }), ['a: Invalid value: "string": a in body must be of type integer: "string"']],
    [{ a: 1.5 }, object({ a: { type: 'integer' } }), ['a: Invalid value: "number": a in body must be of type integer: "number"']],
    [{ a: null }, object({ a: { type: 'string' } }), ['a: Invalid value: "null": a in body must be of type string: "null"']],
    [{ a: null }, object({ a: { type: 'string', nullable: true } }), []],
    [{}, object({}, { required: ['a'] }), ['a: Required value']],
    [{ a: {} }, object({ a: object({}, { required: ['b'] }) }), ['a.b: Required value']],
    [{ a: 'z' }, object({ a: { type: 'string', enum: ['x', 'y'] } }), ['a: Unsupported value: "z": supported values: "x", "y"']],
    [{ a: 'abc' }, object({ a: { type: 'string', maxLength: 2 } }), ['a: Too long: may not be more than 2 bytes']],
    [{ a: 'abc' }, object({ a: { type: 'string', pattern: '^x' } }), ['a: Invalid value: "abc": a in body should match \'^x\'']],
    [
      { a: [1, 2] },
      object({ a: { type: 'array', maxItems: 1, items: { type: 'integer' } } }),
      ['a: Too many: 2: must have at most 1 items'],
    ],
    [
      { a: '1.2.3' },
      object({ a: { type: 'string', format: 'ipv4' } }),
      ['a: Invalid value: "1.2.3": a in body must be of type ipv4: "1.2.3"'],
    ],
    [{ a: '1' }, object({ a: { 'x-kubernetes-int-or-string': true } }), []],
    [
      { a: {} },
      object({ a: { type: 'object', oneOf: [{ required: ['b'] }, { required: ['c'] }] } }),
      ['<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found none valid', 'a.b: Required value'],
    ],
  ];
  for (const [value, schema, errors] of cases)
    assert.deepEqual(
      validateSchema(value, schema).map(({ field, message }) => `${field}: ${message}`),
      errors,
    );
});

test('what an update leaves alone may stay wrong', () => {
  const schema = object({ a: { type: 'integer', minimum: 5 }, b: { type: 'integer', minimum: 5 } });
  const fields = (value: unknown, before: unknown): string[] =>
    validateSchema(value, schema, '', { value: before }).map(({ field }) => field);
  assert.deepEqual(fields({ a: 1, b: 1 }, { a: 1, b: 6 }), ['b']);
  assert.deepEqual(fields({ a: 1, b: 7 }, { a: 1, b: 6 }), []);
});

test('pruning takes what no schema knows, defaults fill what is missing', () => {
  const schema = object({
    spec: object({
      known: { type: 'string', default: 'x' },
      free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      map: { type: 'object', additionalProperties: object({ a: { type: 'integer' } }) },
    }),
  });
  const value = {
    apiVersion: 'g/v1',
    kind: 'K',
    metadata: { odd: 1 },
    spec: { free: { any: [1] }, map: { k: { a: 1, b: 2 } }, known: null, odd: 1 },
    odd: 1,
  };
  assert.deepEqual(prune(value, schema), ['odd', 'spec.map.k.b', 'spec.odd']);
  applyDefaults(value, schema);
  assert.deepEqual(value, {
    apiVersion: 'g/v1',
    kind: 'K',
    metadata: { odd: 1 },
    spec: { free: { any: [1] }, map: { k: { a: 1 } }, known: 'x' },
  });
});

test('items of sets and keyed lists are there once', () => {
  const set: Schema = { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' };
  const map: Schema = {
    type: 'array',
    items: object({ k: { type: 'string' } }),
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
  };
  const errors = checkListTypes({ s: ['a', 'b', 'a', 'a'], m: [{ k: 'x' }, { k: 'x', v: 1 }] }, object({ s: set, m: map }));
  assert.deepEqual(
    errors.map(({ field, message }) => `${field} ${message}`),
    ['s[2] Duplicate value: "a"', 'm[1] Duplicate value: {"k":"x"}'],
  );
});

test('JSONPath finds fields, items and what a filter wants', () => {
  const value = {
    spec: {
      list: [
        { type: 'A', n: 1 },
        { type: 'Ready', n: 2 },
      ],
      'a.b': 3,
      map: { x: 1, y: 2 },
    },
  };
  const cases: [string, unknown[]][] = [
    ['.spec.list[0].n', [1]],
    ['.spec.list[-1].n', [2]],
    ['.spec.list[*].n', [1, 2]],
    ['.spec.list[?(@.type=="Ready")].n', [2]],
    ['.spec.a\\.b', [3]],
    [".spec['a.b']", [3]],
    ['.spec.map.*', [1, 2]],
    ['.spec.gone.deeper', []],
    ['..n', [1, 2]],
  ];
  for (const [path, found] of cases) assert.deepEqual(jsonPath(path)(value), found, path);
});
