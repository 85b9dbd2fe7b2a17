/** What upstream's own test tables say about patches, apply and YAML, read from the Go modules where they are on this machine. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { parse as parseYaml, parseDocument, stringify } from 'yaml';
import { resources } from '#api/facts';
import { compare, fieldSetOf, mergeApplied } from '#machinery/apply';
import { decodeProtobuf, encodeProtobuf } from '#machinery/codec';
import { strategicMerge, untyped } from '#machinery/patch';
import type { PatchSchema } from '#machinery/patch';
import { removeFields, withoutEmptied } from '../src/machinery/apply/remove.ts';
import { validateApplied } from '../src/machinery/apply/validate.ts';
import { inputFormat } from '../src/apiserver/handlers/media-types.ts';
import { applySchemaOf } from './upstream/apply-schema.ts';
import { check, unless } from './upstream/check.ts';
import { fieldsFrom, pathsIn, pathsOfSet, textOf } from './upstream/field-paths.ts';
import { fieldOf, goVariable, itemsOf } from './upstream/go-literal.ts';
import type { Go } from './upstream/go-literal.ts';
import { moduleDirectory } from './upstream/modules.ts';

const api = moduleDirectory('k8s.io/api@v0.35.4');
const machinery = moduleDirectory('k8s.io/apimachinery@v0.35.4');
const mergeDiff = moduleDirectory('sigs.k8s.io/structured-merge-diff/v6@v6.3.0');
// ---- JSON, YAML, protobuf ----

/** Without the nulls that Go writes and that mean nothing. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, plain(item)]),
  );
}

test('every served kind: upstream YAML is its JSON and its protobuf, read and written', unless(api, 'k8s.io/api'), async () => {
  const served = new Set(resources.map(({ group, version, kind }) => `${group || 'core'}.${version}.${kind}`));
  const { parse } = inputFormat('application/yaml')!;
  const vectors: [string, unknown, unknown, Buffer][] = [];
  for (const path of globSync(join(api!, 'testdata/HEAD/*.yaml'))) {
    const name = basename(path, '.yaml');
    if (!served.has(name)) continue;
    const beside = (extension: string): Buffer => readFileSync(path.replace(/yaml$/, extension));
    vectors.push([name, JSON.parse(beside('json').toString()), (await parse(readFileSync(path), true)).value, beside('pb')]);
  }
  check(
    vectors.map(([name, json, yaml, protobuf]) => [
      name,
      () => {
        const wanted = plain(json);
        assert.deepEqual(plain(yaml), wanted);
        assert.deepEqual(
          plain(parseYaml(stringify(json, { version: '1.1', aliasDuplicateObjects: false, lineWidth: 0 }), { version: '1.1' })),
          wanted,
        );
        assert.deepEqual(plain(decodeProtobuf(protobuf)), wanted);
        assert.deepEqual(plain(decodeProtobuf(encodeProtobuf(yaml as never))), wanted);
      },
    ]),
    50,
  );
});

// ---- strategic merge patch ----

interface MergeCase {
  Description: string;
  Original?: unknown;
  Modified?: unknown;
  Current?: unknown;
  TwoWay?: unknown;
  ThreeWay?: unknown;
  Result?: unknown;
  TwoWayResult?: unknown;
  ExpectedError?: string;
}

/** The Go structs that the tables are about. */
function structs(text: string): (name: string) => PatchSchema {
  const found = new Map<string, PatchSchema>();
  const schemaOf = (name: string): PatchSchema => found.get(name) ?? untyped;
  for (const [, name = '', body = ''] of text.matchAll(/^type (\w+) struct \{\n([^]*?)^\}/gm)) {
    const fields = new Map<string, NonNullable<ReturnType<PatchSchema['field']>>>();
    const line = /^\s*\w+\s+(.+?)\s+`json:"([^",]+)[^"]*"(?: patchStrategy:"([^"]*)")?(?: patchMergeKey:"([^"]*)")?`/gm;
    for (const [, type = '', field = '', strategies, mergeKey = ''] of body.matchAll(line))
      fields.set(field, {
        get schema() {
          return schemaOf(type.replace(/^(\[\]|\*)/, ''));
        },
        strategies: strategies?.split(',') ?? [],
        mergeKey,
      });
    found.set(name, { name, field: (field) => fields.get(field) });
  }
  return schemaOf;
}

function rawCases(text: string, variable: string): MergeCase[] {
  return itemsOf(goVariable(text, variable)).map((item) => {
    const data = fieldOf(item, 'StrategicMergePatchRawTestCaseData');
    const yaml = (name: string): unknown => {
      const source = fieldOf(data, name);
      return typeof source === 'string' ? parseYaml(source) : undefined;
    };
    return {
      Description: fieldOf(item, 'Description') as string,
      ...Object.fromEntries(
        ['Original', 'Modified', 'Current', 'TwoWay', 'ThreeWay', 'Result', 'TwoWayResult'].map((name) => [name, yaml(name)]),
      ),
      ExpectedError: (fieldOf(data, 'ExpectedError') as string | undefined) ?? '',
    };
  });
}

/** The tables in YAML are compared after a sort of the lists that merge. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

function* merges(cases: readonly MergeCase[], schema: PatchSchema, ordered: boolean): Generator<[string, () => void]> {
  const shown = ordered ? (value: unknown): unknown => value : sorted;
  const one = (original: unknown, patch: unknown, wanted: unknown, error = ''): void => {
    const merge = (): unknown => strategicMerge(original ?? {}, patch as never, schema);
    if (error) assert.throws(merge, (thrown: Error) => thrown.message.includes(error));
    else assert.deepEqual(shown(merge()), shown(wanted ?? {}));
  };
  for (const found of cases) {
    const { Description: name, Original, TwoWay, TwoWayResult, Modified, Current, ThreeWay, Result, ExpectedError } = found;
    if (TwoWay) yield [`${name}, two-way`, () => one(Original, TwoWay, TwoWayResult ?? Modified, ExpectedError)];
    if (ThreeWay && Result) yield [`${name}, three-way`, () => one(Current, ThreeWay, Result, ExpectedError)];
  }
}

test('strategic merge patches: upstream tables', unless(machinery, 'k8s.io/apimachinery'), () => {
  const text = readFileSync(join(machinery!, 'pkg/util/strategicpatch/patch_test.go'), 'utf8');
  const item = structs(text)('MergeItem');
  const inYaml = (variable: string): MergeCase[] =>
    (parseYaml(goVariable(text, variable) as string) as { testCases: Record<string, unknown>[] }).testCases.map(
      (found) =>
        Object.fromEntries(Object.entries(found).map(([key, value]) => [key.charAt(0).toUpperCase() + key.slice(1), value])) as never,
    );
  check(
    [
      ...merges(inYaml('customStrategicMergePatchTestCaseData'), item, false),
      ...merges(rawCases(text, 'customStrategicMergePatchRawTestCases'), item, true),
      ...merges(inYaml('createStrategicMergePatchTestCaseData'), item, false),
      ...merges(rawCases(text, 'strategicMergePatchRawTestCases'), item, true),
    ],
    150,
  );
});

// ---- apply ----

interface Table {
  name: string;
  schema: ReturnType<typeof applySchemaOf>;
  items: Go[];
}

function tables(file: string, name: string, items: string, place: number): Table[] {
  const text = readFileSync(join(mergeDiff!, 'typed', file), 'utf8');
  return itemsOf(goVariable(text, name)).map((entry) => ({
    name: fieldOf(entry, 'name', 0) as string,
    schema: applySchemaOf(textOf(text, fieldOf(entry, 'schema', 2)), fieldOf(entry, 'rootTypeName', 1) as string),
    items: itemsOf(fieldOf(entry, items, place)),
  }));
}

function* each(found: readonly Table[], run: (item: Go, schema: Table['schema']) => void): Generator<[string, () => void]> {
  for (const { name, schema, items } of found)
    for (const [index, item] of items.entries()) yield [`${name} ${index}`, () => run(item, schema)];
}

/** Some tables have a bracket too many, which Go's reader does not mind. */
const object = (item: Go, name: string, place: number): unknown => parseDocument(textOf('', fieldOf(item, name, place))).toJS();

test('apply: upstream tables of merges', unless(mergeDiff, 'sigs.k8s.io/structured-merge-diff'), () => {
  const run = (item: Go, schema: Table['schema']): void =>
    assert.deepEqual(mergeApplied(object(item, 'lhs', 0), object(item, 'rhs', 1), schema), object(item, 'out', 2));
  check(each(tables('merge_test.go', 'mergeCases', 'triplets', 3), run), 50);
});

test('apply: upstream tables of differences', unless(mergeDiff, 'sigs.k8s.io/structured-merge-diff'), () => {
  const run = (item: Go, schema: Table['schema']): void => {
    const [left, right] = [object(item, 'lhs', 0), object(item, 'rhs', 1)];
    const [removed, modified, added] = [2, 3, 4].map((place, index) =>
      pathsOfSet(fieldOf(item, ['removed', 'modified', 'added'][index]!, place)),
    );
    const there = compare(left, right, schema);
    const back = compare(right, left, schema);
    const paths = (found: typeof there): unknown => [found?.removed, found?.modified, found?.added].map((set) => pathsIn(set));
    assert.deepEqual(paths(there), [removed, modified, added]);
    assert.deepEqual(paths(back), [added, modified, removed]);
  };
  check(each(tables('symdiff_test.go', 'symdiffCases', 'quints', 3), run), 60);
});

test('apply: upstream tables of the fields that an object names', unless(mergeDiff, 'sigs.k8s.io/structured-merge-diff'), () => {
  const run = (item: Go, schema: Table['schema']): void =>
    assert.deepEqual(pathsIn(fieldSetOf(object(item, 'object', 0), schema)), pathsOfSet(fieldOf(item, 'set', 1)));
  check(each(tables('toset_test.go', 'fieldsetCases', 'pairs', 3), run), 25);
});

test('apply: upstream tables of what is left without some fields', unless(mergeDiff, 'sigs.k8s.io/structured-merge-diff'), () => {
  const run = (item: Go, schema: Table['schema']): void => {
    const wanted = object(item, 'removeOutput', 2);
    if (wanted === 'unparseable') return;
    assert.deepEqual(
      withoutEmptied(removeFields(object(item, 'object', 0), fieldsFrom(fieldOf(item, 'set', 1)), schema), schema) ?? null,
      wanted,
    );
  };
  check(each(tables('remove_test.go', 'removeCases', 'quadruplets', 3), run), 50);
});

test('apply: upstream tables of what fits a schema', unless(mergeDiff, 'sigs.k8s.io/structured-merge-diff'), () => {
  const complaints = (item: Go, schema: Table['schema']): string[] => validateApplied(parseYaml(item as string), schema);
  check(
    [
      ...each(tables('validate_test.go', 'validationCases', 'validObjects', 3), (item, schema) =>
        assert.deepEqual(complaints(item, schema), []),
      ),
      ...each(tables('validate_test.go', 'validationCases', 'invalidObjects', 4), (item, schema) =>
        assert.notDeepEqual(complaints(item, schema), []),
      ),
    ],
    60,
  );
});
