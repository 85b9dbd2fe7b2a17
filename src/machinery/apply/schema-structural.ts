import { atomicSchema, deducedSchema } from './schema.ts';
import type { ListSchema, MapSchema, ScalarKind, TypeSchema } from './schema.ts';
import { factTypeSchema } from './schema-facts.ts';

const unset = Object.freeze({});

/** The part of an OpenAPI v3 schema that apply reads. */
export interface StructuralSchema {
  type?: string | undefined;
  format?: string | undefined;
  properties?: Record<string, StructuralSchema> | undefined;
  additionalProperties?: StructuralSchema | boolean | undefined;
  items?: StructuralSchema | undefined;
  default?: unknown;
  'x-kubernetes-preserve-unknown-fields'?: boolean | undefined;
  'x-kubernetes-embedded-resource'?: boolean | undefined;
  'x-kubernetes-int-or-string'?: boolean | undefined;
  'x-kubernetes-list-type'?: string | undefined;
  'x-kubernetes-list-map-keys'?: readonly string[] | undefined;
  'x-kubernetes-map-type'?: string | undefined;
}

const cache = new WeakMap<StructuralSchema, TypeSchema>();
const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const untypedScalar: TypeSchema = { scalar: 'untyped' };
const text: TypeSchema = { scalar: 'string' };

/**
 * The schema of a custom resource. `root` adds what every object has: apiVersion, kind, metadata.
 * upstream: apiextensions-apiserver builds OpenAPI for it, kube-openapi/pkg/schemaconv converts that.
 */
export function structuralTypeSchema(schema: StructuralSchema, root = false): TypeSchema {
  const known = root ? undefined : cache.get(schema);
  if (known) return known;
  const made = make(schema, root || schema['x-kubernetes-embedded-resource'] === true);
  if (!root) cache.set(schema, made);
  return made;
}

function make(schema: StructuralSchema, isObject: boolean): TypeSchema {
  if (schema['x-kubernetes-int-or-string']) return untypedScalar;
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (isObject || schema.type === 'object') return { map: mapSchema(schema, isObject, preserves) };
  if (schema.type === 'array') return { list: listSchema(schema) };
  if (schema.type === undefined || schema.type === '') return deducedSchema;
  return { scalar: scalarKind(schema) };
}

function scalarKind({ type, format }: StructuralSchema): ScalarKind {
  if (type === 'integer' || type === 'number') return 'numeric';
  if (type === 'boolean') return 'boolean';
  return type === 'string' && (!format || format === 'byte') ? 'string' : 'untyped';
}

function mapSchema(schema: StructuralSchema, isObject: boolean, preserves: boolean): MapSchema {
  const { properties, additionalProperties: more } = schema;
  const fields = new Map<string, TypeSchema>();
  const free = preserves || (!isObject && !properties && !more);
  const element = typeof more === 'object' ? structuralTypeSchema(more) : more === true || free ? deducedSchema : undefined;
  return {
    atomic: schema['x-kubernetes-map-type'] === 'atomic',
    nullIsAbsent: false,
    element,
    field(name) {
      const known = fields.get(name);
      if (known) return known;
      const found = properties && Object.hasOwn(properties, name) ? properties[name] : undefined;
      let type = found && structuralTypeSchema(found);
      if (isObject && name === 'metadata') type = factTypeSchema(objectMeta);
      else if (isObject && (name === 'apiVersion' || name === 'kind')) type = text;
      if (type) fields.set(name, type);
      return type;
    },
    alwaysPresent: (name) => (isObject && name === 'metadata' ? unset : undefined),
  };
}

function listSchema(schema: StructuralSchema): ListSchema {
  const type = schema['x-kubernetes-list-type'];
  const items = schema.items;
  return {
    type: type === 'set' || type === 'map' ? type : 'atomic',
    keys: type === 'map' ? [...(schema['x-kubernetes-list-map-keys'] ?? [])].sort() : [],
    element: items ? structuralTypeSchema(items) : atomicSchema,
    keyDefault: (key) => items?.properties?.[key]?.default,
  };
}
