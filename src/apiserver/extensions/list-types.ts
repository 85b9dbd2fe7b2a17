/** Items of sets and of lists with keys are there once. upstream: apiextensions-apiserver/pkg/apiserver/schema/listtype. */
import { duplicate, invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { additionalOf, childPath, isObject, itemsOf, keyPath, propertyOf } from './schema.ts';
import type { Schema } from './schema.ts';

export function checkListTypes(value: unknown, schema: Schema | undefined, path = ''): FieldError[] {
  if (!schema) return [];
  if (Array.isArray(value)) {
    const errors = checkItems(value, schema, path);
    const items = itemsOf(schema);
    if (items) for (const [index, item] of value.entries()) errors.push(...checkListTypes(item, items, `${path}[${index}]`));
    return errors;
  }
  if (!isObject(value)) return [];
  const errors: FieldError[] = [];
  const additional = additionalOf(schema);
  for (const [key, item] of Object.entries(value)) {
    if (additional) errors.push(...checkListTypes(item, additional, keyPath(path, key)));
    const property = propertyOf(schema, key);
    if (property) errors.push(...checkListTypes(item, property, childPath(path, key)));
  }
  return errors;
}

function checkItems(items: readonly unknown[], schema: Schema, path: string): FieldError[] {
  const type = schema['x-kubernetes-list-type'];
  if (type === 'set') return repeated(items).map((index) => duplicate(`${path}[${index}]`, items[index]));
  if (type !== 'map') return [];
  const odd = items.findIndex((item) => item !== null && !isObject(item));
  if (odd >= 0) return [invalidField(`${path}[${odd}]`, items[odd], 'must be an object for an array of list-type map')];
  const keys = items.map((item) => {
    const key: Record<string, unknown> = {};
    for (const field of schema['x-kubernetes-list-map-keys'] ?? [])
      if (isObject(item) && Object.hasOwn(item, field)) key[field] = item[field];
    return key;
  });
  return repeated(keys).map((index) => duplicate(`${path}[${index}]`, keys[index]));
}

/** Where values are for the second time (not the third). */
function repeated(values: readonly unknown[]): number[] {
  if (values.length < 2) return [];
  const seen = new Map<string, number>();
  const found: number[] = [];
  for (const [index, value] of values.entries()) {
    const text = canonical(value);
    const times = seen.get(text) ?? 0;
    if (times === 1) found.push(index);
    seen.set(text, times + 1);
  }
  return found;
}

/** JSON with sorted fields. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? 'null';
  return `{${Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
    .join(',')}}`;
}
