/**
 * What apply must know about a type: for each JSON kind a value may have, how it is owned. A type that allows several kinds is decided
 * by the value. upstream: structured-merge-diff/schema Atom.
 */
export interface TypeSchema {
  readonly scalar?: ScalarKind | undefined;
  readonly list?: ListSchema | undefined;
  readonly map?: MapSchema | undefined;
}

export type ScalarKind = 'string' | 'numeric' | 'boolean' | 'untyped';

export interface ListSchema {
  /** Atomic: owned as a whole. Set: by value. Map: by the values of `keys`. */
  readonly type: 'atomic' | 'set' | 'map';
  /** Sorted. */
  readonly keys: readonly string[];
  readonly element: TypeSchema;
  /** The value of a key that an item leaves out; undefined where it has none. */
  keyDefault(key: string): unknown;
}

export interface MapSchema {
  readonly atomic: boolean;
  /** A declared field. */
  field(name: string): TypeSchema | undefined;
  /** The type of all other fields; undefined where there may be none. */
  readonly element?: TypeSchema | undefined;
  /** True where null is the same as absent (types with declared fields, as Go decodes them). */
  readonly nullIsAbsent: boolean;
  /** What upstream's encoding has for a field that nobody set: {} or null; undefined where it has nothing. Nobody owns its being there. */
  alwaysPresent?(name: string): JsonMap | null | undefined;
}

const noKeys: readonly string[] = [];

/** Free-form, owned as a whole. */
export const atomicSchema: TypeSchema = {
  scalar: 'untyped',
  get list(): ListSchema {
    return { type: 'atomic', keys: noKeys, element: atomicSchema, keyDefault: () => undefined };
  },
  get map(): MapSchema {
    return { atomic: true, field: () => undefined, element: atomicSchema, nullIsAbsent: false };
  },
};

const deducedList: ListSchema = { type: 'atomic', keys: noKeys, element: atomicSchema, keyDefault: () => undefined };
const deducedMap: MapSchema = {
  atomic: false,
  field: () => undefined,
  get element(): TypeSchema {
    return deducedSchema;
  },
  nullIsAbsent: false,
};

/** Free-form, deduced from the value: maps by field, lists as a whole. For custom resources without a schema. */
export const deducedSchema: TypeSchema = { scalar: 'untyped', list: deducedList, map: deducedMap };

export type Kind = 'scalar' | 'list' | 'map';

/** As what a value is treated. */
export function kindFor(schema: TypeSchema, value: unknown): Kind {
  if (Array.isArray(value)) {
    if (schema.list) return 'list';
  } else if (typeof value === 'object' && value !== null) {
    if (schema.map) return 'map';
  } else if (value !== null && value !== undefined && schema.scalar) return 'scalar';
  return schema.map ? 'map' : schema.scalar ? 'scalar' : 'list';
}

export type JsonMap = Record<string, unknown>;

export const asMap = (value: unknown): JsonMap | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonMap) : undefined;
export const asList = (value: unknown): readonly unknown[] | undefined => (Array.isArray(value) ? (value as unknown[]) : undefined);

/** Whether null in a field says that it is not there. */
export const isAbsent = (name: string, schema: MapSchema): boolean => schema.nullIsAbsent && schema.alwaysPresent?.(name) === undefined;

/** A field's value as the schema sees it. */
export function fieldValue(map: JsonMap | undefined, name: string, schema: MapSchema): unknown {
  const value = map?.[name];
  return value === null && isAbsent(name, schema) ? undefined : value;
}

export const fieldType = (schema: MapSchema, name: string): TypeSchema => schema.field(name) ?? schema.element ?? deducedSchema;

/** True where no field has a value. */
export function isEmptyMap(map: JsonMap | undefined, schema: MapSchema): boolean {
  for (const name in map) if (fieldValue(map, name, schema) !== undefined) return false;
  return true;
}
