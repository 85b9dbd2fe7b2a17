import { schema as facts } from '../../api/facts/schema.ts';
import type { FieldFact } from '../../api/facts/schema.ts';
import { atomicSchema, deducedSchema } from './schema.ts';
import type { ListSchema, MapSchema, ScalarKind, TypeSchema } from './schema.ts';

/** Schemas of built-in types, from the tables. upstream: client-go/applyconfigurations/internal, kube-openapi/pkg/schemaconv. */

/** Defaults of keys, which the published API description leaves out. upstream: api/core/v1/types.go. */
const keyDefaults: Record<string, Record<string, unknown>> = {
  'io.k8s.api.core.v1.ContainerPort': { protocol: 'TCP' },
  'io.k8s.api.core.v1.ServicePort': { protocol: 'TCP' },
};

const nothing = Object.freeze({});

const scalars: Record<string, ScalarKind> = {
  string: 'string',
  bytes: 'string',
  int32: 'numeric',
  int64: 'numeric',
  double: 'numeric',
  boolean: 'boolean',
};
const scalarSchemas = new Map<string, TypeSchema>();
const untypedScalar: TypeSchema = { scalar: 'untyped' };
const freeForm: TypeSchema = { map: { atomic: false, field: () => undefined, element: deducedSchema, nullIsAbsent: false } };
const zeros: Record<string, unknown> = { string: '', int32: 0, int64: 0, boolean: false };

const cache = new Map<string, TypeSchema>();

/** The schema of a type by its published name ("io.k8s.api.core.v1.Pod"); for names that no table has, everything is deduced. */
export function factTypeSchema(name: string): TypeSchema {
  const known = cache.get(name);
  if (known) return known;
  const made = make(name);
  cache.set(name, made);
  return made;
}

function make(name: string): TypeSchema {
  if (name.startsWith('[]')) return { list: { ...atomicList, element: factTypeSchema(name.slice(2)) } };
  const scalar = scalars[name];
  if (scalar) {
    let schema = scalarSchemas.get(scalar);
    if (!schema) scalarSchemas.set(scalar, (schema = { scalar }));
    return schema;
  }
  const fact = facts[name];
  if (name.endsWith('.RawExtension')) return atomicSchema;
  if (!fact || fact.scalar === 'any') return deducedSchema;
  if (fact.scalar === 'object') return freeForm;
  if (fact.scalar || !fact.fields) return untypedScalar;
  const fields = fact.fields;
  const types = new Map<string, TypeSchema>();
  const map: MapSchema = {
    atomic: fact.mapType === 'atomic',
    nullIsAbsent: true,
    field(field) {
      const known = types.get(field);
      if (known) return known;
      const found = Object.hasOwn(fields, field) ? fields[field] : undefined;
      if (!found) return undefined;
      const type = fieldSchema(found);
      types.set(field, type);
      return type;
    },
    alwaysPresent(field) {
      const found = fields[field];
      if (!found?.always) return undefined;
      if (found.repeated || found.map || found.pointer) return null;
      if (found.type in scalars) return undefined;
      return facts[found.type]?.fields ? nothing : null;
    },
  };
  return { map };
}

const atomicList: Omit<ListSchema, 'element'> = { type: 'atomic', keys: [], keyDefault: () => undefined };

function fieldSchema(field: FieldFact): TypeSchema {
  if (field.repeated) return { list: listSchema(field) };
  if (field.map) return { map: mapSchema(field) };
  if (field.type === 'string' && field.format) return untypedScalar;
  const type = factTypeSchema(field.type);
  // A field may be owned as a whole where its type by itself is not.
  if (field.mapType && type.map && type.map.atomic !== (field.mapType === 'atomic'))
    return { ...type, map: withAtomic(type.map, field.mapType === 'atomic') };
  return type;
}

const withAtomic = (map: MapSchema, atomic: boolean): MapSchema => ({
  atomic,
  element: map.element,
  nullIsAbsent: map.nullIsAbsent,
  field: (name) => map.field(name),
  alwaysPresent: (name) => map.alwaysPresent?.(name),
});

function mapSchema(field: FieldFact): MapSchema {
  return {
    atomic: field.mapType === 'atomic',
    field: () => undefined,
    get element() {
      return factTypeSchema(field.type);
    },
    nullIsAbsent: false,
  };
}

function listSchema(field: FieldFact): ListSchema {
  const merges = field.patchStrategy?.split(',').includes('merge') ?? false;
  const type = field.listType ?? (merges ? (field.patchMergeKey ? 'map' : 'set') : 'atomic');
  const keys = type === 'map' ? [...(field.listMapKeys ?? [field.patchMergeKey!])].sort() : [];
  return {
    type,
    keys,
    get element() {
      return field.type === 'any' ? atomicSchema : factTypeSchema(field.type);
    },
    keyDefault(key) {
      const fact = facts[field.type]?.fields?.[key];
      const given = keyDefaults[field.type]?.[key] ?? fact?.default;
      return given ?? (fact?.required ? zeros[fact.type] : undefined);
    },
  };
}
