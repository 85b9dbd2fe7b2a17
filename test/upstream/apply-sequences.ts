/** Sequences of applies and updates as structured-merge-diff's tests write them. upstream: structured-merge-diff/internal/fixture/state.go. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Fields, TypeSchema } from '#machinery/apply';
import { deducedSchema } from '#machinery/apply';
import { applySchemaOf } from './apply-schema.ts';
import { fieldsFrom } from './field-paths.ts';
import { evaluated, fieldOf, goVariable } from './go-literal.ts';
import type { Composite, Go } from './go-literal.ts';

export interface Operation {
  does: 'Apply' | 'ForceApply' | 'ExtractApply' | 'Update' | 'ChangeParser';
  manager: string;
  version: string;
  object: object;
  /** Absent: it must not fail, or nobody says how. */
  conflicts: { manager: string; fields: Fields }[];
  /** ChangeParser: what the schema is from now on. */
  parser: string;
}

export interface Sequence {
  name: string;
  operations: Operation[];
  /** The object in the end, in `version`; undefined where it is not looked at. */
  object: object | undefined;
  version: string;
  /** Who has which fields in the end; undefined where it is not looked at. */
  managed: Map<string, { fields: Fields; version: string }> | undefined;
  /** What nobody comes to own, by version. */
  ignored: Map<string, Fields>;
}

const entriesOf = (value: Go | undefined): Composite['entries'] =>
  typeof value === 'object' && value !== null && 'entries' in value ? value.entries : [];
const text = (value: Go | undefined): string => (typeof value === 'string' ? value : '');

/** The first line's tabs are left out of every line. */
function yaml(source: string): object {
  const tabs = /^\n?(\t*)/.exec(source)![1]!;
  return (parse(source.replaceAll(new RegExp(`^${tabs}`, 'gm'), '').replaceAll('\t', '  ')) as object | null) ?? {};
}

function operationOf(value: Go): Operation {
  const { type } = value as Composite;
  const parser = fieldOf(value, 'Parser') as { name: string } | undefined;
  return {
    does: type.replace(/^.*\./, '') as Operation['does'],
    manager: text(fieldOf(value, 'Manager')),
    version: text(fieldOf(value, 'APIVersion')),
    object: yaml(text(fieldOf(value, 'Object'))),
    conflicts: entriesOf(fieldOf(value, 'Conflicts')).map(([, conflict]) => {
      const path = fieldOf(conflict, 'Path')!;
      return { manager: text(fieldOf(conflict, 'Manager')), fields: fieldsFrom({ call: '_NS', parameters: [path] }) };
    }),
    parser: parser?.name ?? '',
  };
}

/** A set of fields, or a filter that leaves one out. */
const setOf = (value: Go): Go =>
  (value as { call: string }).call.endsWith('Filter') ? (value as { parameters: Go[] }).parameters[0]! : value;

/** The tests' sources, all in one. */
export class SequenceSources {
  readonly #text: string;

  /** `directory`: of the module. */
  constructor(directory: string) {
    const files = globSync(join(directory, 'merge/*_test.go')).toSorted();
    this.#text = files.map((file) => readFileSync(file, 'utf8')).join('\n');
  }

  /** The names of all test functions. */
  tests(): string[] {
    return [...this.#text.matchAll(/^func (Test\w+)\(t \*testing\.T\)/gm)].map(([, name]) => name!);
  }

  /** The table of a test function, with its parameters put in. */
  table(test: string, variables: Readonly<Record<string, Go>> = {}): Sequence[] {
    return entriesOf(goVariable(this.#text, 'tests', `\nfunc ${test}(`)).map(([name, found]) => {
      const value = evaluated(found, variables);
      const object = text(fieldOf(value, 'Object'));
      const managed = fieldOf(value, 'Managed');
      return {
        name: name as string,
        operations: entriesOf(fieldOf(value, 'Ops')).map(([, operation]) => operationOf(operation)),
        object: object ? yaml(object) : undefined,
        version: text(fieldOf(value, 'APIVersion')),
        managed:
          managed === undefined
            ? undefined
            : new Map(
                entriesOf(managed).map(([manager, versioned]) => {
                  const [set, version] = (versioned as { parameters: Go[] }).parameters;
                  return [manager as string, { fields: fieldsFrom(set), version: version as string }];
                }),
              ),
        ignored: new Map(
          [...entriesOf(fieldOf(value, 'IgnoreFilter')), ...entriesOf(fieldOf(value, 'IgnoredFields'))].map(([version, set]) => [
            version as string,
            fieldsFrom(setOf(set)),
          ]),
        ),
      };
    });
  }

  /** The schema that a parser has for a version: of one type for all versions, or of a type named like each. */
  schemas(parser: string): (version: string) => TypeSchema {
    if (parser === 'DeducedParser') return () => deducedSchema;
    const start = new RegExp(`var ${parser} = func`).exec(this.#text)?.index;
    if (start === undefined) throw new Error(`Cannot find ${parser}`);
    const [source = ''] = /^[^]*?\n\t?\}\(\)/.exec(this.#text.slice(start)) ?? [];
    const types = /NewParser\(`([^`]*)`\)/.exec(source)![1]!;
    const root = /SameVersionParser\{T: parser\.Type\("(\w+)"\)\}/.exec(source)?.[1];
    const known = new Map<string, TypeSchema>();
    return (version) => {
      const name = root ?? version;
      let schema = known.get(name);
      if (!schema) known.set(name, (schema = applySchemaOf(types, name)));
      return schema;
    };
  }
}
