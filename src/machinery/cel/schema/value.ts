import { equal } from '#machinery/meta';
import { equals } from '../values/equality.ts';
import { List } from '../values/list.ts';
import type { ListSemantics } from '../values/list.ts';
import { MapValue } from '../values/map.ts';
import { CelError, Duration, Timestamp } from '../values/scalars.ts';
import { parseDuration, parseTimestamp } from '../values/time.ts';
import { Opaque } from '../values/value.ts';
import type { Value } from '../values/value.ts';
import { struct } from '../types.ts';
import { toJson } from '../values/to-json.ts';
import { escapeName, unescapeName } from './escaping.ts';
import { withObjectMeta } from './schema.ts';
import type { CelSchema } from './schema.ts';

/** JSON as values, as its schema has it; converted as it is read. upstream: apiserver/pkg/cel/common/valuesunstructured.go. */
export function schemaValue(json: unknown, schema: CelSchema): Value {
  if (json === null || json === undefined)
    return schema.nullable ? null : new CelError('invalid data, got null for schema with nullable=false');
  if (schema['x-kubernetes-int-or-string']) {
    if (typeof json === 'string') return json;
    if (typeof json === 'bigint') return json;
    if (typeof json === 'number' && Number.isInteger(json)) return BigInt(json);
    return new CelError('invalid data, expected XIntOrString value to be either a string or integer');
  }
  switch (schema.type) {
    case 'object':
      return object(json, schema);
    case 'array':
      return array(json, schema);
    case 'string':
      return typeof json === 'string' ? string(json, schema.format) : unexpected('string', json);
    case 'number':
      return typeof json === 'number' ? json : typeof json === 'bigint' ? Number(json) : unexpected('float', json);
    case 'integer':
      if (typeof json === 'bigint') return json;
      return typeof json === 'number' && Number.isInteger(json) ? BigInt(json) : unexpected('int', json);
    case 'boolean':
      return typeof json === 'boolean' ? json : unexpected('bool', json);
  }
  if (schema['x-kubernetes-preserve-unknown-fields']) return new Preserved(json);
  return new CelError(
    `invalid type, expected object, array, number, integer, boolean or string, or no type with x-kubernetes-int-or-string or x-kubernetes-preserve-unknown-fields is true, got ${schema.type ?? ''}`,
  );
}

function goType(json: unknown): string {
  if (json === null || json === undefined) return '<nil>';
  if (Array.isArray(json)) return '[]interface {}';
  if (typeof json === 'boolean') return 'bool';
  if (typeof json === 'number') return Number.isInteger(json) ? 'int64' : 'float64';
  return typeof json === 'string' ? 'string' : 'map[string]interface {}';
}

const unexpected = (wanted: string, json: unknown): CelError => new CelError(`invalid data, expected ${wanted}, got ${goType(json)}`);

function string(text: string, format: string | undefined): Value {
  switch (format) {
    case 'duration': {
      const nanos = parseDuration(text);
      return nanos === undefined ? new CelError(`Invalid duration ${text}: unable to parse ${text} as duration`) : new Duration(nanos);
    }
    case 'date':
    case 'date-time': {
      const nanos = parseTimestamp(format === 'date' ? `${text}T00:00:00Z` : text);
      return nanos === undefined
        ? new CelError(`Invalid ${format} formatted string ${text}: parsing time ${JSON.stringify(text)}: cannot parse it`)
        : new Timestamp(nanos);
    }
    case 'byte': {
      if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text))
        return new CelError(`Invalid byte formatted string ${text}: illegal base64 data`);
      return Uint8Array.from(Buffer.from(text, 'base64'));
    }
    default:
      return text;
  }
}

/** What a schema keeps without knowing it: it can be compared, and nothing else. */
class Preserved extends Opaque {
  readonly type = struct('unknown');
  readonly json: unknown;
  constructor(json: unknown) {
    super();
    this.json = json;
  }
  equals(other: Value): boolean {
    return other instanceof Preserved ? equal(this.json, other.json) : equal(this.json, toJson(other));
  }
  toString(): string {
    return JSON.stringify(this.json);
  }
  toJSON(): unknown {
    return this.json;
  }
}

/** A JSON object: with declared properties its fields have the names that CEL can spell, as a map its keys are what they are. */
class SchemaMap extends MapValue {
  readonly #json: Readonly<Record<string, unknown>>;
  readonly #schemaOf: (key: string) => CelSchema | undefined;
  readonly #isObject: boolean;
  readonly #known = new Map<string, Value>();

  constructor(json: Readonly<Record<string, unknown>>, isObject: boolean, schemaOf: (key: string) => CelSchema | undefined) {
    super();
    this.#json = json;
    this.#isObject = isObject;
    this.#schemaOf = schemaOf;
  }

  get size(): number {
    return Object.keys(this.#json).length;
  }

  find(key: Value): Value | undefined {
    if (typeof key !== 'string') return undefined;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const name = this.#isObject ? unescapeName(key) : key;
    if (name === undefined || !Object.hasOwn(this.#json, name) || this.#json[name] === undefined) return undefined;
    // A declared field that is null counts as absent, even where it may be null.
    if (this.#isObject && this.#json[name] === null) return undefined;
    const schema = this.#schemaOf(name);
    if (!schema) return undefined;
    const value = schemaValue(this.#json[name], schema);
    this.#known.set(key, value);
    return value;
  }

  *keys(): Generator<Value> {
    for (const name of Object.keys(this.#json)) {
      if (!this.#schemaOf(name)) continue;
      const key = this.#isObject ? escapeName(name) : name;
      if (key !== undefined) yield key;
    }
  }
}

function object(json: unknown, schema: CelSchema): Value {
  if (typeof json !== 'object' || Array.isArray(json))
    return new CelError('invalid data, expected a map for the provided schema with type=object');
  const fields = json as Record<string, unknown>;
  const whole = schema['x-kubernetes-embedded-resource'] ? withObjectMeta(schema) : schema;
  const { properties, additionalProperties } = whole;
  if (properties) return new SchemaMap(fields, true, (key) => (Object.hasOwn(properties, key) ? properties[key] : undefined));
  if (typeof additionalProperties === 'object') return new SchemaMap(fields, false, () => additionalProperties);
  return new SchemaMap(fields, true, () => undefined);
}

function array(json: unknown, schema: CelSchema): Value {
  if (!Array.isArray(json)) return new CelError('invalid data, expected an array for the provided schema with type=array');
  const { items } = schema;
  if (!items) return new CelError('invalid array type, expected Items with a non-empty Schema');
  const convert = (item: unknown): Value => schemaValue(item, items);
  switch (schema['x-kubernetes-list-type']) {
    case 'set':
      return new List(json, convert, setSemantics);
    case 'map':
      return new List(json, convert, mapSemantics(schema['x-kubernetes-list-map-keys'] ?? []));
    default:
      return new List(json, convert);
  }
}

/** Sets: the order says nothing, and nothing is in twice. */
const setSemantics: ListSemantics = {
  equal: (a, b) => a.size === b.size && b.toArray().every((item) => a.toArray().some((other) => equals(other, item))),
  add(a, b) {
    const items = [...a.toArray()];
    for (const item of b) if (!items.some((other) => equals(other, item))) items.push(item);
    return new List(items, undefined, setSemantics);
  },
};

/** Lists with keys: the order says nothing; adding an item with a known key puts it in the other's place. */
function mapSemantics(keys: readonly string[]): ListSemantics {
  const names = keys.map((key) => escapeName(key) ?? key);
  const keyOf = (item: Value): string =>
    JSON.stringify(names.map((name) => (item instanceof MapValue ? toJson(item.find(name) ?? null) : null)));
  const semantics: ListSemantics = {
    equal(a, b) {
      if (a.size !== b.size) return false;
      const known = new Map(a.toArray().map((item) => [keyOf(item), item]));
      return b.toArray().every((item) => {
        const other = known.get(keyOf(item));
        return other !== undefined && equals(other, item);
      });
    },
    add(a, b) {
      const items = new Map(a.toArray().map((item) => [keyOf(item), item]));
      for (const item of b) items.set(keyOf(item), item);
      return new List([...items.values()], undefined, semantics);
    },
  };
  return semantics;
}
