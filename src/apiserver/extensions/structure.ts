/**
 * Gives objects the structure of their schema: unknown fields go, defaults come, metadata has its own type.
 * upstream: apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting,objectmeta}.
 */
import { draft } from '#machinery/meta';
import { StructureError, conform as conformTo } from '../registry/structure.ts';
import { additionalOf, fieldSchemaOf, isObject, itemsOf, propertyOf } from './schema.ts';
import type { JsonObject, Schema } from './schema.ts';

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const metaFields = new Set(['apiVersion', 'kind', 'metadata']);

/** Removes from `value` what its schema does not know; answers the paths of what was removed. */
export function prune(value: JsonObject, schema: Schema): string[] {
  const unknown: string[] = [];
  pruneFields(value, { ...schema, 'x-kubernetes-embedded-resource': true }, '', unknown);
  return unknown.sort();
}

function pruneFields(value: unknown, schema: Schema | undefined, path: string, unknown: string[]): void {
  const keeps = schema?.['x-kubernetes-preserve-unknown-fields'] === true;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    // Below what is kept, only what is described is looked at.
    if (keeps && !items) return;
    for (const [index, item] of value.entries()) {
      if (keeps) pruneFields(item, { ...items!, 'x-kubernetes-preserve-unknown-fields': true }, `${path}[${index}]`, unknown);
      else pruneFields(item, items, `${path}[${index}]`, unknown);
    }
    return;
  }
  if (!isObject(value)) return;
  const embedded = schema?.['x-kubernetes-embedded-resource'] === true;
  for (const key of Object.keys(value)) {
    if (embedded && metaFields.has(key)) continue;
    const at = path ? `${path}.${key}` : key;
    const property = propertyOf(schema, key);
    if (property) pruneFields(value[key], property, at, unknown);
    else if (schema?.additionalProperties !== undefined) pruneFields(value[key], additionalOf(schema), at, unknown);
    else if (!keeps) {
      if (path || !metaFields.has(key)) unknown.push(at);
      delete value[key];
    }
  }
}

const isBareNull = (value: unknown, schema: Schema | undefined): boolean => value === null && schema !== undefined && !schema.nullable;

/** Fills in defaults. A null that may not be is replaced by the default or, without one, goes. */
export function applyDefaults(value: unknown, schema: Schema | undefined): void {
  dropNulls(value, schema);
  fill(value, schema);
}

function dropNulls(value: unknown, schema: Schema | undefined): void {
  if (Array.isArray(value)) for (const item of value) dropNulls(item, itemsOf(schema));
  else if (isObject(value))
    for (const key of Object.keys(value)) {
      const field = fieldSchemaOf(schema, key);
      if (isBareNull(value[key], field) && field!.default === undefined) delete value[key];
      else dropNulls(value[key], field);
    }
}

function fill(value: unknown, schema: Schema | undefined): void {
  if (!schema) return;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    for (const index of value.keys()) {
      if (isBareNull(value[index], items) && items!.default !== undefined) value[index] = draft(items!.default);
      fill(value[index], items);
    }
    return;
  }
  if (!isObject(value)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (property.default === undefined || property.default === null) continue;
    if (!Object.hasOwn(value, name) || isBareNull(value[name], property)) value[name] = draft(property.default);
  }
  const additional = additionalOf(schema);
  for (const key of Object.keys(value)) {
    const property = propertyOf(schema, key);
    if (!property && isBareNull(value[key], additional) && additional!.default !== undefined) value[key] = draft(additional!.default);
    fill(value[key], property ?? additional);
  }
}

/** Brings the metadata of the object and of those embedded in it into the form of their type. Throws a StructureError. */
function conformMetadata(value: unknown, schema: Schema | undefined, path: string, unknown: string[], embedded: boolean): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items)
      for (const [index, item] of value.entries())
        conformMetadata(item, items, `${path}[${index}]`, unknown, items['x-kubernetes-embedded-resource'] === true);
    return;
  }
  if (!isObject(value)) return;
  if (embedded) {
    for (const name of ['apiVersion', 'kind'])
      if (Object.hasOwn(value, name) && typeof value[name] !== 'string')
        throw new StructureError(`${path ? `${path}.` : ''}${name}: Invalid value: ${JSON.stringify(value[name])}: must be a string`);
    if (Object.hasOwn(value, 'metadata')) {
      const at = path ? `${path}.metadata` : 'metadata';
      const made = conformTo(objectMeta, value['metadata'] ?? {});
      unknown.push(...made.unknown.map((field) => `${at}.${field}`));
      value['metadata'] = made.value;
    }
  }
  for (const key of Object.keys(value)) {
    const field = fieldSchemaOf(schema, key);
    if (field) conformMetadata(value[key], field, path ? `${path}.${key}` : key, unknown, field['x-kubernetes-embedded-resource'] === true);
  }
}

/** A private copy of a request's body in the form of its schema, and the paths of what it had too much. */
export function conform(body: unknown, schema: Schema): { value: JsonObject; unknown: string[] } {
  if (!isObject(body)) throw new StructureError('expected an object');
  const value = draft(body);
  const unknown: string[] = [];
  conformMetadata(value, schema, '', unknown, true);
  unknown.push(...prune(value, schema));
  return { value, unknown };
}
