import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '#machinery/clock';
import { kindFact, resources, schema } from '../facts/mod.ts';
import type { FieldFact } from '../facts/mod.ts';
import { allRules, rulesFor } from './mod.ts';

const context = { now: 0, user: { name: 'ann', groups: ['g'] } };
const random = seededRandom(7);
const below = (count: number): number => Math.floor(random.next() * count);
const oneOf = <T>(list: readonly T[]): T => list[below(list.length)]!;

const texts = ['', 'a', 'A b', 'x/y', 'example.com/x', '10.0.0.1', '::1', 'fe80::1/64', '*', '.', '-1', '9'.repeat(70)];
const scalars: Record<string, () => unknown> = {
  boolean: () => oneOf([true, false]),
  int32: () => oneOf([-1, 0, 1, 7, 70_000]),
  int64: () => oneOf([-1, 0, 1, 3600]),
  double: () => oneOf([-0.5, 0, 2]),
  bytes: () => oneOf(['', 'YQ==']),
  any: () => oneOf([{}, { a: 1 }, []]),
  string: () => oneOf(texts),
  object: () => ({}),
};
const special: [ending: string, make: () => unknown][] = [
  ['.Quantity', () => oneOf(['1', '-1', '100m', '1Gi', '0'])],
  ['.IntOrString', () => oneOf([0, -3, 80, '10%', '200%', 'http', ''])],
  ['Time', () => '2026-01-01T00:00:00Z'],
];

/** Whatever a decoder lets through: any field may be there or not. */
function valueOf(fact: FieldFact, depth: number): unknown {
  const one = (): unknown => {
    if (fact.enum && below(2)) return oneOf(fact.enum);
    return typed(fact.type, depth);
  };
  if (fact.repeated) return Array.from({ length: 1 + below(2) }, one);
  if (fact.map) return Object.fromEntries([oneOf(texts), oneOf(texts)].map((key) => [key, one()]));
  return one();
}

function typed(type: string, depth: number): unknown {
  if (type.startsWith('[]')) return [typed(type.slice(2), depth)];
  const scalar = scalars[type];
  if (scalar) return scalar();
  const made = special.find(([ending]) => type.endsWith(ending));
  if (made) return made[1]();
  const fact = schema[type];
  if (depth > 8) return {};
  if (!fact?.fields) return scalars[fact?.scalar ?? 'any']?.() ?? {};
  const object: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fact.fields))
    if (random.next() < (depth < 5 ? 0.7 : 0.15)) object[name] = valueOf(field, depth + 1);
  return object;
}

test('every kind that is served has rules', () => {
  for (const { group, version, kind, verbs } of resources) {
    if (!verbs.includes('list')) continue;
    const rules = allRules.find((each) => each.kind.group === group && each.kind.version === version && each.kind.kind === kind);
    assert.ok(rules, `${group}/${version} ${kind}`);
  }
});

for (const { kind } of allRules)
  test(`${kind.apiVersion} ${kind.kind}: odd objects are refused, not stumbled over`, () => {
    const rules = rulesFor(kind);
    const type = kindFact(kind.group, kind.version, kind.kind)?.type ?? '';
    for (let round = 0; round < 15; round++) {
      const make = () => {
        const made = typed(type, round % 5) as { metadata?: object; apiVersion?: string; kind?: string };
        return { ...made, metadata: { name: 'a', namespace: 'b' }, apiVersion: kind.apiVersion, kind: kind.kind };
      };
      const object = make();
      rules.applyDefaults?.(object);
      const defaulted = structuredClone(object);
      rules.applyDefaults?.(object);
      assert.deepEqual(object, defaulted, 'defaults twice are defaults once');
      rules.prepareForCreate?.(object, context);
      const stored = structuredClone(object);
      const valid = rules.validate?.(object).length === 0;
      assert.deepEqual(object, stored, 'validation changes nothing');
      if (valid) rules.warnings?.(object);
      for (const column of rules.columns ?? []) column.cell(object, 0);
      for (const select of Object.values(rules.selectableFields ?? {})) assert.equal(typeof select(object), 'string');
      const update = make();
      rules.applyDefaults?.(update);
      rules.prepareForUpdate?.(update, stored, context);
      rules.validateUpdate?.(update, stored);
      for (const subresource of ['status', 'approval', 'finalize']) {
        const part = make();
        rules.subresources?.[subresource]?.prepareForUpdate?.(part, stored, context);
        rules.subresources?.[subresource]?.validateUpdate?.(part, stored);
      }
      assert.deepEqual(object, stored, 'what is stored is left alone');
    }
  });
