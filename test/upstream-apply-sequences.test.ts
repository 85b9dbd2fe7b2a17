/** Sequences of applies and updates from upstream's tests, read from the Go module where it is on this machine: objects, owners, conflicts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyPatch, decodeManagedFields, pathsOf, trackUpdate } from '#machinery/apply';
import type { TypeSchema, Versions } from '#machinery/apply';
import { StatusError } from '#machinery/status';
import type { KubeObject } from '#machinery/meta';
import { SequenceSources } from './upstream/apply-sequences.ts';
import type { Operation, Sequence } from './upstream/apply-sequences.ts';
import { check, unless } from './upstream/check.ts';
import { pathsIn } from './upstream/field-paths.ts';
import { moduleDirectory } from './upstream/modules.ts';

const directory = moduleDirectory('sigs.k8s.io/structured-merge-diff/v6@v6.3.0');

type Convert = (object: Record<string, unknown>, from: string, to: string) => Record<string, unknown> | undefined;

/** upstream: renamingConverter. Names end in their version. */
const renaming: Convert = (object, from, to) => renamed(object, (name) => (name.endsWith(from) ? name.slice(0, -from.length) + to : name));
/** upstream: repeatingConverter. Names below the first level are a letter, as often as the version says. */
const repeating: Convert = (object, _from, to) => {
  const count = /^v(\d+)$/.exec(to)?.[1];
  if (!count) return undefined;
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [key, renamed(value, (name) => name.charAt(0).repeat(Number(count)))]),
  );
};
/** upstream: reliantFieldsConverter. */
const reliant: Convert = (object, _from, to) => {
  assert.ok(to !== 'v1' || 'required_field_bar' in object || 'field_foo_rely_on_bar' in object, 'missing required field bar');
  const names: Record<string, string> = {
    [to === 'v1' ? 'required_field_bar' : 'field_foo_rely_on_bar']: to === 'v1' ? 'field_foo_rely_on_bar' : 'required_field_bar',
  };
  return renamed(object, (name) => names[name] ?? name);
};

function renamed<T>(value: T, name: (old: string) => string): T {
  if (Array.isArray(value)) return value.map((item: unknown) => renamed(item, name)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [name(key), renamed(item, name)])) as T;
}

/** The tables, with the parser and the converter that their functions give them. */
const tables: [test: string, parser: string, convert?: Convert][] = [
  ['TestDeduced', 'DeducedParser'],
  ['TestDefaultKeysFlat', 'portListParser'],
  ['TestDefaultKeysNested', 'bookParser'],
  ['TestDuplicates', 'duplicatesParser'],
  ['TestFieldLevelOverrides', 'overrideStructTypeParser'],
  ['TestIgnoreFilter', 'DeducedParser'],
  ['TestIgnoredFields', 'DeducedParser'],
  ['TestUpdateAssociativeLists', 'associativeListParser'],
  ['TestUpdateLeaf', 'leafFieldsParser'],
  ['TestMultipleAppliersSet', 'associativeListParser'],
  ['testMultipleAppliersFieldUnsetting', 'structMultiversionParser', renaming],
  ['TestMultipleAppliersNestedType', 'nestedTypeParser'],
  ['TestMultipleAppliersDeducedType', 'DeducedParser'],
  ['TestMultipleAppliersRealConversion', 'nestedTypeParser', repeating],
  ['testMultipleAppliersFieldRenameConversions', 'structMultiversionParser', renaming],
  ['TestMultipleApplierAtomicMaps', 'atomicMapParser'],
  ['TestMultipleAppliersReliantFieldsConversions', 'multiversionWithReliantFieldsParser', reliant],
  ['TestUpdateNestedType', 'nestedTypeParser'],
  ['TestPreserveUnknownFields', 'preserveUnknownParser'],
  ['TestGranularToAtomicSchemaChanges', 'structParser'],
  ['TestAtomicToGranularSchemaChanges', 'structWithAtomicParser'],
  ['TestAssociativeListSchemaChanges', 'associativeListParserOld'],
  ['TestPromoteFieldToAssociativeListKey', 'associativeListParserPromoteKeyBefore'],
  ['TestUpdateSet', 'setFieldsParser'],
];

/** Tables of what must be refused. */
const refused: typeof tables = [['TestDefaultKeysFlatErrors', 'portListParser']];

/** What there is besides, and why it is not run. */
const leftOut: Record<string, string> = {
  TestExtractApply: 'what a client extracts from an object is its own; to the server it comes as any other apply',
  TestFilteredFieldsUsesVersions: 'what a request never changes (spec, status) has the same name in every version',
  TestConflictsFromManagers: 'of the Go package: its type of conflicts',
  TestNewFromSets: 'of the Go package: its type of conflicts',
  TestToSet: 'of the Go package: its type of conflicts',
  TestObsoleteVersions: 'no table: apply.test.ts has a version that is not served any more',
  TestApplyObsoleteVersion: 'no table: apply.test.ts has a version that is not served any more',
  TestVersionDoesntMatchTypename: 'no table: TestMultipleAppliersReliantFieldsConversions once more',
};

/** An object as the API has it: the type's fields beside its own. */
const wrapped = (object: object, apiVersion: string): KubeObject => ({ ...object, kind: 'Test', apiVersion, metadata: { name: 'test' } });
const bare = ({ kind: _, apiVersion: __, metadata: ___, ...object }: KubeObject): Record<string, unknown> => object;

const text: TypeSchema = { scalar: 'string' };
const metadata: TypeSchema = { map: { atomic: false, field: () => text, nullIsAbsent: false } };
const own: Record<string, TypeSchema> = { kind: text, apiVersion: text, metadata };
function wrappedSchema(schema: TypeSchema): TypeSchema {
  const { map } = schema;
  return { ...schema, map: { ...map!, element: map!.element, field: (name) => own[name] ?? map!.field(name) } };
}

/** The cluster of one object on which a sequence runs. */
class Runner {
  readonly #sources: SequenceSources;
  readonly #convert: Convert | undefined;
  readonly #ignored: Sequence['ignored'];
  #schemas = new Map<string, TypeSchema>();
  #schemaOf: (version: string) => TypeSchema;
  #live: KubeObject | undefined;

  constructor(sources: SequenceSources, parser: string, convert: Convert | undefined, ignored: Sequence['ignored']) {
    this.#sources = sources;
    this.#convert = convert;
    this.#ignored = ignored;
    this.#schemaOf = sources.schemas(parser);
  }

  run(operation: Operation): void {
    const { does, manager, version, object } = operation;
    if (does === 'ChangeParser') {
      this.#schemaOf = this.#sources.schemas(operation.parser);
      this.#schemas = new Map();
      return;
    }
    const options = {
      manager,
      apiVersion: version,
      schema: this.#schema(version),
      now: 0,
      resetFields: this.#ignored.get(version),
      versions: this.#convert && this.#versions,
    };
    const live = this.#live && this.at(version);
    if (does === 'Update') {
      const managedFields = live?.metadata?.managedFields;
      const updated = wrapped(object, version);
      this.#live = trackUpdate({
        ...options,
        live,
        updated: managedFields ? { ...updated, metadata: { ...updated.metadata, managedFields } } : updated,
      });
      return;
    }
    const conflicts = operation.conflicts.map(({ manager: other, fields }) => `${other} ${pathsOf(fields)[0]}`).toSorted();
    try {
      this.#live = applyPatch({ ...options, live, applied: wrapped(object, version), kind: 'Test', force: does === 'ForceApply' });
    } catch (error) {
      assert.ok(error instanceof StatusError && error.status.reason === 'Conflict', error as Error);
      const causes = error.status.details?.causes ?? [];
      const found = causes.map(({ message, field }) => `${/^conflict with "([^"]*)"/.exec(message!)![1]} ${field}`).toSorted();
      assert.deepEqual(found, conflicts);
      return;
    }
    assert.deepEqual([], conflicts, 'conflicts were expected');
  }

  /** The object in a version. */
  at(version: string): KubeObject {
    return this.#versions(this.#live!, version)!.object as KubeObject;
  }

  #versions: Versions = (object, apiVersion) => {
    const { kind, apiVersion: from = '', metadata } = object as KubeObject;
    const fields = bare(object as KubeObject);
    const converted = this.#convert && from !== apiVersion ? this.#convert(fields, from, apiVersion) : fields;
    return converted && { object: { kind, apiVersion, metadata, ...converted }, schema: this.#schema(apiVersion) };
  };

  #schema(version: string): TypeSchema {
    let schema = this.#schemas.get(version);
    if (!schema) this.#schemas.set(version, (schema = wrappedSchema(this.#schemaOf(version))));
    return schema;
  }
}

function run(sources: SequenceSources, parser: string, sequence: Sequence, convert?: Convert): void {
  const runner = new Runner(sources, parser, convert, sequence.ignored);
  for (const [index, operation] of sequence.operations.entries())
    try {
      runner.run(operation);
    } catch (error) {
      throw new Error(`operation ${index}: ${(error as Error).message}`, { cause: error });
    }
  const { object, version, managed } = sequence;
  const last = runner.at(version || sequence.operations.at(-1)!.version);
  if (object) assert.deepEqual(bare(last), object);
  if (!managed) return;
  const found = [...decodeManagedFields(last.metadata?.managedFields)!.values()].map((entry) => [
    entry.manager,
    entry.apiVersion,
    pathsIn(entry.fields),
  ]);
  const wanted = [...managed].map(([manager, entry]) => [manager, entry.version, pathsIn(entry.fields)]);
  const sorted = (entries: unknown[][]): unknown[][] => entries.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  assert.deepEqual(sorted(found), sorted(wanted));
}

function* cases(sources: SequenceSources): Generator<[string, () => void]> {
  const versions = ['v1', 'v2', 'v3'];
  for (const [name, parser, convert] of tables) {
    // Functions with parameters are called with every three versions.
    const calls = name.startsWith('test')
      ? versions.flatMap((v1) => versions.flatMap((v2) => versions.map((v3) => ({ v1, v2, v3 }))))
      : [{}];
    for (const variables of calls)
      for (const sequence of sources.table(name, variables)) {
        const title = [name, ...Object.values(variables), sequence.name].join(' ');
        yield [title, () => run(sources, parser, sequence, convert)];
      }
  }
}

test('apply: upstream sequences of applies and updates', unless(directory, 'sigs.k8s.io/structured-merge-diff'), () => {
  const sources = new SequenceSources(directory!);
  check(cases(sources), 290);
  for (const [name, parser] of refused)
    for (const sequence of sources.table(name)) assert.throws(() => run(sources, parser, sequence), /operation 0: /, sequence.name);
  const named = [...tables, ...refused].map(([name]) => name.replace(/^test/, 'Test'));
  assert.deepEqual(sources.tests().toSorted(), [...named, ...Object.keys(leftOut)].toSorted(), 'no test is forgotten');
});
