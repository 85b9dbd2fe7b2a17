/**
 * Gives a decoded request body the structure of its type: checks every value's JSON type, drops null and unknown fields, brings
 * quantities and times into the form they are stored in. What a typed decoder does in Go, done by the schema table.
 * upstream: sigs.k8s.io/json (texts), apimachinery/pkg/runtime/serializer/json.
 */
import { schema } from '#api/facts';
import type { FieldFact } from '#api/facts';
import { decodeProtobuf, protobufType } from '#machinery/codec';
import { canonicalize } from '#machinery/quantity';
import { nearestNumber } from '#machinery/json';
import { conversionText, goKind } from './conversion-text.ts';
import type { GoKind } from './conversion-text.ts';

/** The body does not have its type's structure; the message is upstream's decoder's. */
export class StructureError extends Error {
  /** The same as told where maps are made into a type; undefined where that says the same. */
  readonly converted: string | undefined;
  /** Go's decoder goes on after it, and tells it where nothing worse follows: a text that its type itself reads and refuses. */
  readonly goesOn: boolean;
  constructor(message: string, converted?: string, goesOn = false) {
    super(message);
    this.name = 'StructureError';
    this.converted = converted;
    this.goesOn = goesOn;
  }
}

type Reader = (value: unknown, at: Place, walk: Walk) => unknown;

/** Where a value sits, for messages: made only when a message is written. */
interface Place {
  parent: Place | undefined;
  segment: string | number;
  /** The Go struct that has the field. */
  struct: string;
  /** A struct in that one which Go embeds and the field is in. */
  embedded?: string | undefined;
}

interface Walk {
  unknown: string[];
  /** Fields of a wrong type are passed over. */
  goesOn: boolean;
}

interface Struct {
  name: string;
  fields: Map<string, Reader>;
  /** Field → the embedded struct it is in. */
  embedded: Map<string, string>;
  /** Fields that are written even when nobody set them. */
  absent: [name: string, zero: () => unknown][];
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const extensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.';
const structs = new Map<string, Struct>();

/** The dotted path as Go's decoder tells it: no list indexes, no map keys. */
function goPath(place: Place | undefined): string {
  const parts: string[] = [];
  for (let at = place; at; at = at.parent) if (at.struct) parts.unshift(at.embedded ? `${at.embedded}.${at.segment}` : String(at.segment));
  return parts.join('.');
}

/** The path with indexes, as strict decoding tells it. */
function strictPath(place: Place | undefined, field: string): string {
  let text = '';
  const parts: (string | number)[] = [field];
  for (let at = place; at; at = at.parent) parts.unshift(at.segment);
  for (const part of parts) text += typeof part === 'number' ? `[${part}]` : text ? `.${part}` : part;
  return text;
}

export function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  const type = typeof value;
  return type === 'boolean' ? 'bool' : type === 'bigint' ? 'number' : type;
}

function mismatch(value: unknown, place: Place, goType: string, shown = jsonType(value), kind: GoKind = goKind(goType)): StructureError {
  let owner: Place | undefined = place;
  while (owner && !owner.struct) owner = owner.parent;
  const path = goPath(place);
  return new StructureError(
    path
      ? `json: cannot unmarshal ${shown} into Go struct field ${owner?.struct ?? ''}.${path} of type ${goType}`
      : `json: cannot unmarshal ${shown} into Go value of type ${goType}`,
    conversionText(value, goType, kind),
    true,
  );
}

const ranges = { int32: [-(2 ** 31), 2 ** 31 - 1], int64: [-(2 ** 63), 2 ** 63] } as const;

const integer =
  (type: 'int32' | 'int64'): Reader =>
  (found, at) => {
    const value = typeof found === 'bigint' && type === 'int64' ? nearestNumber(found) : found;
    if (typeof value !== 'number' && typeof value !== 'bigint') throw mismatch(value, at, type);
    if (!Number.isInteger(value) || value < ranges[type][0] || value > ranges[type][1]) throw mismatch(value, at, type, `number ${value}`);
    return value;
  };

const scalars: Record<string, Reader> = {
  string: (value, at) => {
    if (typeof value !== 'string') throw mismatch(value, at, 'string');
    return value;
  },
  boolean: (value, at) => {
    if (typeof value !== 'boolean') throw mismatch(value, at, 'bool');
    return value;
  },
  double: (value, at) => {
    if (typeof value === 'bigint') return Number(value);
    if (typeof value !== 'number') throw mismatch(value, at, 'float64');
    return value;
  },
  int32: integer('int32'),
  int64: integer('int64'),
  bytes: (value, at) => {
    if (typeof value !== 'string') throw mismatch(value, at, '[]uint8');
    return base64(value);
  },
  any: (value) => copy(value),
};

/** Checks base64 as Go's decoder does: line breaks are ignored, padding is wanted. */
function base64(text: string): string {
  const clean = text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, '') : text;
  const illegal = (what: string): StructureError => new StructureError(what, `error decoding from json: ${what}`, true);
  const bad = clean.search(/[^A-Za-z0-9+/=]/);
  if (bad >= 0) throw illegal(`illegal base64 data at input byte ${bad}`);
  const equals = clean.indexOf('=');
  if (equals >= 0 && (clean.length % 4 !== 0 || equals < clean.length - 2 || /[^=]/.test(clean.slice(equals))))
    throw illegal(`illegal base64 data at input byte ${equals}`);
  if (clean.length % 4 !== 0) throw illegal(`illegal base64 data at input byte ${clean.length - (clean.length % 4)}`);
  return clean;
}

/** A copy of free-form JSON. */
function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copy);
  const out: Record<string, unknown> = {};
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (item !== undefined) define(out, key, copy(item));
  }
  return out;
}

/** Plain assignment, but "__proto__" stays a field like any other. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}

const wholeSeconds = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function time(value: unknown, micro: boolean, place: Place): string {
  // A type that reads its own JSON is asked in both cases, and does not know where it is.
  if (typeof value !== 'string')
    throw new StructureError(
      mismatch(value, place, 'string').message,
      `json: cannot unmarshal ${jsonType(value)} into Go value of type string`,
    );
  if (!micro && wholeSeconds.test(value) && !Number.isNaN(Date.parse(value))) return value;
  const match = rfc3339.exec(value);
  const at = match ? Date.parse(value) : Number.NaN;
  if (!match || Number.isNaN(at)) {
    const layout = micro ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00';
    throw new StructureError(`parsing time ${JSON.stringify(value)} as "${layout}": cannot parse ${JSON.stringify(value)} as "2006"`);
  }
  const seconds = new Date(at).toISOString().slice(0, 19);
  return micro ? `${seconds}.${(match[1] ?? '.').slice(1).padEnd(6, '0').slice(0, 6)}Z` : `${seconds}Z`;
}

const quantityText = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const special: Record<string, Reader> = {
  [`${meta}Time`]: (value, at) => time(value, false, at),
  [`${meta}MicroTime`]: (value, at) => time(value, true, at),
  [`${meta}FieldsV1`]: (value) => copy(value),
  [`${meta}Patch`]: (value) => copy(value),
  'io.k8s.apimachinery.pkg.runtime.RawExtension': (value) => copy(value),
  'io.k8s.apimachinery.pkg.api.resource.Quantity': (value) => {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') throw new StructureError(quantityText);
    try {
      return canonicalize(typeof value === 'bigint' ? String(value) : value);
    } catch (error) {
      throw new StructureError(error instanceof Error ? error.message : quantityText);
    }
  },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': (value) => {
    if (typeof value === 'string') return value;
    if (typeof value === 'number' && Number.isInteger(value)) return value;
    const shown = typeof value === 'bigint' ? `number ${value}` : jsonType(value);
    throw new StructureError(`json: cannot unmarshal ${shown} into Go value of type int32`);
  },
  [`${extensions}JSON`]: (value) => copy(value),
  [`${extensions}CustomResourceSubresourceStatus`]: (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw mismatch(value, at, 'v1.CustomResourceSubresourceStatus');
    return {};
  },
  [`${extensions}JSONSchemaPropsOrArray`]: (value, at, walk) =>
    Array.isArray(value)
      ? value.map((item, index) => schemaProps(item, { parent: at, segment: index, struct: '' }, walk))
      : schemaProps(value, at, walk),
  [`${extensions}JSONSchemaPropsOrBool`]: (value, at, walk) => (typeof value === 'boolean' ? value : schemaProps(value, at, walk)),
  [`${extensions}JSONSchemaPropsOrStringArray`]: (value, at, walk) =>
    Array.isArray(value)
      ? value.map((item, index) => scalars['string']!(item, { parent: at, segment: index, struct: '' }, walk))
      : schemaProps(value, at, walk),
};
const schemaProps: Reader = (value, at, walk) => readStruct(structOf(`${extensions}JSONSchemaProps`), value, at, walk);

const goName = (type: string): string => {
  const scalar = { string: 'string', boolean: 'bool', double: 'float64', int32: 'int32', int64: 'int64', bytes: '[]uint8' }[type];
  if (scalar) return scalar;
  if (type === 'any') return 'interface {}';
  if (type.startsWith('[]')) return `[]${goName(type.slice(2))}`;
  return type.split('.').slice(-2).join('.');
};

/** A string or number of a type with a name of its own: what does not fit is told with that name. */
const namedReader =
  (named: string, type: 'string' | 'boolean' | 'int32' | 'int64' | 'double'): Reader =>
  (value, at) => {
    if (typeof value !== scalarTypes[type]) throw mismatch(value, at, named, jsonType(value), goName(type) as GoKind);
    return value;
  };
const scalarTypes = { string: 'string', boolean: 'boolean', int32: 'number', int64: 'number', double: 'number' } as const;

/** Lists that mean something else when they are empty than when they are absent, though Go writes neither. */
const tellingLists = new Set(['io.k8s.api.autoscaling.v2.HPAScalingRules.policies']);

/** upstream: api/resource/v1/types.go. */
const qualified = /\.api\.resource\.v\d\w*\.Device(?:Attribute|Capacity)$/;
const keysOf = ({ type }: FieldFact): string => (qualified.test(type) ? 'v1.QualifiedName' : 'string');

/** Fields without omitempty upstream: an empty list or map in them is kept. Others are left out where Go would leave out their zero. */
function readerOf(fact: FieldFact, telling = false): Reader {
  const element = fact.go && /^(\[\]|map\[string\])*(.*)$/.exec(fact.go)![2]!;
  const wholeNamed = element !== undefined && (fact.repeated || fact.map) && fact.go === element;
  const one = element && !wholeNamed && fact.type in scalarTypes ? namedReader(element, fact.type as never) : valueReader(fact.type);
  const keepEmpty = fact.always === true || telling;
  if (fact.repeated) {
    const goType = wholeNamed ? fact.go! : `[]${element ?? goName(fact.type)}`;
    const zero = zeroOf(fact.type);
    return (value, at, walk) => {
      if (!Array.isArray(value)) throw mismatch(value, at, goType, jsonType(value), 'slice');
      if (value.length === 0) return keepEmpty ? [] : undefined;
      // Go decodes a null item as the zero value.
      return value.map((item, index) =>
        item === null || item === undefined ? zero() : one(item, { parent: at, segment: index, struct: '' }, walk),
      );
    };
  }
  if (fact.map) {
    const goType = wholeNamed ? fact.go! : `map[${keysOf(fact)}]${element ?? goName(fact.type)}`;
    const zero = zeroOf(fact.type);
    return (value, at, walk) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch(value, at, goType, jsonType(value), 'map');
      const out: Record<string, unknown> = {};
      let any = false;
      for (const key in value) {
        const item = (value as Record<string, unknown>)[key];
        if (item === undefined) continue;
        any = true;
        define(out, key, item === null ? zero() : one(item, { parent: at, segment: key, struct: '' }, walk));
      }
      return any || keepEmpty ? out : undefined;
    };
  }
  if (fact.always || (fact.pointer && fact.type !== 'bytes') || !isScalar(fact.type)) return one;
  return (value, at, walk) => one(value, at, walk) || undefined;
}

const isScalar = (type: string): boolean => type in scalarTypes || type === 'bytes';

/** What Go writes for a field that nobody set; undefined where it writes nothing. */
function absent(fact: FieldFact): (() => unknown) | undefined {
  if (!fact.always) return undefined;
  // Go writes null for a list that nobody set; an empty list says the same and is one for all who read it here.
  if (fact.repeated) return () => [];
  if (fact.map) return () => ({});
  if (fact.pointer) return () => null;
  const { type } = fact;
  if (type.endsWith('.IntOrString')) return () => 0;
  if (special[type] || type === 'bytes') return type.endsWith('.Quantity') ? () => '0' : () => null;
  if (isScalar(type) || type === 'any') return zeroOf(type);
  return () => {
    const out: Record<string, unknown> = {};
    for (const [name, zero] of structOf(type).absent) out[name] = zero();
    return out;
  };
}

const zeroOf = (type: string): (() => unknown) => {
  if (type === 'string' || type === 'bytes') return () => '';
  if (type === 'boolean') return () => false;
  if (type === 'int32' || type === 'int64' || type === 'double') return () => 0;
  if (type.endsWith('.Quantity')) return () => '0';
  if (type === 'any' || type.endsWith('.JSON') || type.endsWith('.RawExtension')) return () => null;
  if (type.startsWith('[]')) return () => [];
  return special[type] ? () => ({}) : () => readStruct(structOf(type), {}, undefined, { unknown: [], goesOn: false });
};

function valueReader(type: string): Reader {
  const known = scalars[type] ?? special[type];
  if (known) return known;
  if (type.startsWith('[]')) return readerOf({ type: type.slice(2), repeated: true, required: true });
  return (value, at, walk) => readStruct(structOf(type), value, at, walk);
}

function structOf(type: string): Struct {
  let struct = structs.get(type);
  if (!struct) {
    const fact = schema[type];
    if (!fact?.fields) throw new Error(`Cannot read type ${type}: it has no fields in the schema`);
    struct = { name: goName(type), fields: new Map(), embedded: new Map(), absent: [] };
    structs.set(type, struct);
    for (const [name, field] of Object.entries(fact.fields)) {
      struct.fields.set(name, readerOf(field, tellingLists.has(`${type}.${name}`)));
      if (field.embedded) struct.embedded.set(name, field.embedded);
      const zero = absent(field);
      if (zero) struct.absent.push([name, zero]);
    }
  }
  return struct;
}

function readStruct(struct: Struct, value: unknown, at: Place | undefined, walk: Walk): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw at
      ? mismatch(value, at, struct.name)
      : new StructureError(`json: cannot unmarshal ${jsonType(value)} into Go value of type ${struct.name}`);
  const out: Record<string, unknown> = {};
  const name = struct.name.slice(struct.name.indexOf('.') + 1);
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    const reader = struct.fields.get(key);
    if (!reader) {
      if (item !== undefined) walk.unknown.push(strictPath(at, key));
      continue;
    }
    if (item === null || item === undefined) continue;
    const place = { parent: at, segment: key, struct: name, embedded: struct.embedded.get(key) };
    const read = walk.goesOn ? goingOn(reader, item, place, walk) : reader(item, place, walk);
    if (read !== undefined) out[key] = read;
  }
  for (const [key, zero] of struct.absent) if (out[key] === undefined) out[key] = zero();
  return out;
}

function goingOn(reader: Reader, item: unknown, place: Place, walk: Walk): unknown {
  try {
    return reader(item, place, walk);
  } catch (error) {
    if (error instanceof StructureError && error.goesOn) return undefined;
    throw error;
  }
}

/** `object` (changed) with what Go writes of a field's own fields that nobody set. */
export function fillField(type: string, object: Record<string, unknown>, field: string): void {
  const zero = structOf(type).absent.find(([name]) => name === field)?.[1]();
  if (zero !== undefined) object[field] = { ...(zero as object), ...(object[field] as object | undefined) };
}

/** A private copy of `value` with the structure of `type`, and the paths of the fields it had too many. Throws a StructureError. */
export function conform(type: string, value: unknown): { value: Record<string, unknown>; unknown: string[] } {
  const walk: Walk = { unknown: [], goesOn: false };
  const struct = structOf(type);
  try {
    return { value: readStruct(struct, value, undefined, walk) as Record<string, unknown>, unknown: walk.unknown };
  } catch (error) {
    // What comes later may end the reading at once, and is told then.
    if (error instanceof StructureError && error.goesOn) readStruct(struct, value, undefined, { unknown: [], goesOn: true });
    throw error;
  }
}

/** Kinds that upstream serves in one version and still stores in an older one of the same form. upstream: kubeapiserver/default_storage_factory_builder.go. */
const storedIn = new Map<string, [stored: string, served: string]>([
  ['VolumeAttributesClass', ['storage.k8s.io/v1beta1', 'storage.k8s.io/v1']],
]);

/** The version that is served of what is stored. */
export function servedVersion(apiVersion: string, kind: string): string {
  const known = storedIn.get(kind);
  return known?.[0] === apiVersion ? known[1] : apiVersion;
}

/** An object that another server has stored as protobuf, as Go writes it in JSON. Throws RangeError where its kind is not known. */
export function readProtobuf(bytes: Uint8Array): Record<string, unknown> {
  const object = decodeProtobuf(bytes, servedVersion);
  return conform(protobufType(object['apiVersion'] as string, object['kind'] as string)!, object).value;
}
