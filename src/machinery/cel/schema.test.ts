import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseEnvironment, compile, declareSchema, escapeName, factCelType, factTypes, schemaValue, unescapeName } from '#machinery/cel';
import type { CelSchema } from '#machinery/cel';

const schema: CelSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['replicas'],
      properties: {
        replicas: { type: 'integer' },
        'a-b': { type: 'string', maxLength: 5 },
        namespace: { type: 'string' },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          maxItems: 10,
          items: { type: 'object', properties: { name: { type: 'string' }, port: { type: 'integer' } } },
        },
        tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        limits: { type: 'object', additionalProperties: { 'x-kubernetes-int-or-string': true } },
        ratio: { type: 'number' },
        at: { type: 'string', format: 'date-time' },
        wait: { type: 'string', format: 'duration' },
        maybe: { type: 'string', nullable: true },
        any: { 'x-kubernetes-preserve-unknown-fields': true },
      },
    },
  },
};
const declaration = declareSchema(schema, true, 'selfType')!;
const environment = baseEnvironment.extend({
  variables: { self: declaration.root.type, oldSelf: declaration.root.type },
  types: declaration.types,
});
const object = {
  apiVersion: 'x/v1',
  kind: 'X',
  metadata: { name: 'n', labels: { a: 'b' } },
  spec: {
    replicas: 3,
    'a-b': 'x',
    namespace: 'ns',
    ports: [
      { name: 'a', port: 1 },
      { name: 'b', port: 2 },
    ],
    tags: ['x', 'y'],
    limits: { cpu: 1, memory: '1Gi' },
    ratio: 2,
    at: '2026-01-01T00:00:00Z',
    wait: '90s',
    maybe: null,
    any: { deep: true },
  },
};

test('rules on objects of a schema', () => {
  const cases: [string, unknown][] = [
    ['self.metadata.name == "n" && self.kind == "X"', true],
    ['self.spec.replicas + 1 == 4', true],
    ['self.spec.a__dash__b.size() == 1 && self.spec.__namespace__ == "ns"', true],
    ['self.spec.ports.all(p, p.port > 0)', true],
    ['self.spec.ports == [self.spec.ports[1], self.spec.ports[0]]', true],
    ['(self.spec.ports + self.spec.ports).size()', 2n],
    ['self.spec.tags == ["y", "x"]', true],
    ['(self.spec.tags + ["y", "z"]).size()', 3n],
    ['self.spec.limits.all(k, type(self.spec.limits[k]) == int || k == "memory")', true],
    ['self.spec.ratio > 1.5', true],
    ['self.spec.at.getFullYear() == 2026 && self.spec.wait.getSeconds() == 90', true],
    ['has(self.spec.replicas) && !has(self.metadata.generateName)', true],
    ['self == oldSelf', true],
  ];
  for (const [rule, wanted] of cases) {
    const self = schemaValue(object, { ...schema, 'x-kubernetes-embedded-resource': true });
    assert.equal(compile(rule, environment).evaluate({ self, oldSelf: self }).value, wanted, rule);
  }
});

test('rules that do not fit the schema', () => {
  const cases: [string, RegExp][] = [
    ['self.spec.z == 100', /undefined field 'z'/],
    ['self.spec.any == 1', /undefined field 'any'/],
    ['self.spec.replicas > "1"', /found no matching overload for '_>_' applied to '\(int, string\)'/],
    ['self.metadata.labels.a == "b"', /undefined field 'labels'/],
    ['self.spec > 1', /applied to '\(selfType\.spec, int\)'/],
  ];
  for (const [rule, message] of cases) assert.throws(() => compile(rule, environment), message, rule);
});

test('costs follow the limits of the schema', () => {
  const most = (rule: string): number => compile(rule, environment).estimateCost(declaration.sizes).max;
  assert.equal(most('self.spec.ports.all(p, p.port > 0)'), 3 + 1 + 10 * 6);
  assert.ok(most('self.spec.tags.all(t, t == "string constant")') > 1e6);
  assert.equal(most('self.spec.a__dash__b.contains("x")'), 3 + 2);
  assert.equal(declareSchema({ type: 'integer' }, false)!.maxCardinality, 1572864);
});

test('names are spelled and read again', () => {
  for (const [name, escaped] of [
    ['a', 'a'],
    ['a-b.c/d', 'a__dash__b__dot__c__slash__d'],
    ['namespace', '__namespace__'],
    ['a__b', 'a__underscores__b'],
  ] as const) {
    assert.equal(escapeName(name), escaped);
    assert.equal(unescapeName(escaped), name);
  }
  assert.equal(escapeName('1a'), undefined);
  assert.equal(escapeName('a$'), undefined);
});

test('policies are checked against built-in types', () => {
  const types = baseEnvironment.extend({ variables: { object: factCelType('io.k8s.api.apps.v1.Deployment') }, types: factTypes });
  assert.equal(compile('object.spec.replicas > 1 && object.spec.template.spec.containers.all(c, c.name != "")', types).type.name, 'bool');
  assert.throws(() => compile("object.spec.replicas > '1'", types), /found no matching overload for '_>_' applied to '\(int, string\)'/);
  assert.throws(() => compile('object.spec.maxRetries < 10', types), /undefined field 'maxRetries'/);
});
