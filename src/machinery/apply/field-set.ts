import { leaf } from './fields.ts';
import type { Fields } from './fields.ts';
import { elementOf } from './path-element.ts';
import { asList, asMap, fieldType, isAbsent, isEmptyMap, kindFor } from './schema.ts';
import type { ListSchema, TypeSchema } from './schema.ts';

/** The fields that a configuration names: who applies it owns them. upstream: structured-merge-diff/typed/tofieldset.go. */
export function fieldSetOf(value: unknown, schema: TypeSchema): Fields | undefined {
  switch (kindFor(schema, value)) {
    case 'scalar':
      return leaf;
    case 'list':
      return ofList(value, schema.list!);
    case 'map': {
      const map = schema.map!;
      if (map.atomic) return leaf;
      const fields: Record<string, Fields> = {};
      const object = asMap(value);
      for (const name in object) {
        const item = object[name];
        if (item === undefined) continue;
        const type = fieldType(map, name);
        const below = fieldSetOf(item, type);
        const itself = item === null || isEmptyObject(item) || map.field(name) === undefined;
        const both = itself ? withSelf(below) : below;
        if (both) fields[`f:${name}`] = both;
      }
      return some(fields);
    }
  }
}

function ofList(value: unknown, list: ListSchema): Fields | undefined {
  if (list.type === 'atomic') return leaf;
  const fields: Record<string, Fields> = {};
  const items = asList(value) ?? [];
  const seen = new Set<string>();
  for (const item of items) {
    const step = elementOf(list, item);
    // Of items that are there twice, only the being there is owned.
    fields[step] = seen.has(step) ? leaf : withSelf(fieldSetOf(item, list.element));
    seen.add(step);
  }
  return some(fields);
}

const isEmptyObject = (value: unknown): boolean => {
  const map = asMap(value);
  if (!map) return false;
  for (const name in map) if (map[name] !== undefined) return false;
  return true;
};

function some(fields: Record<string, Fields>): Fields | undefined {
  for (const _ in fields) return fields;
  return undefined;
}

/** The node as a member too. */
export function withSelf(below: Fields | undefined): Fields {
  if (!below || below === leaf) return leaf;
  return '.' in below ? below : { '.': leaf, ...below };
}

/** Every field of a value, containers included: what came or went with it. */
export function everyField(value: unknown, schema: TypeSchema): Fields {
  const kind = kindFor(schema, value);
  if (kind === 'scalar') return leaf;
  const fields: Record<string, Fields> = { '.': leaf };
  let some = false;
  if (kind === 'list') {
    const list = schema.list!;
    if (list.type === 'atomic') return leaf;
    const seen = new Set<string>();
    for (const item of asList(value) ?? []) {
      const step = elementOf(list, item);
      fields[step] = seen.has(step) ? leaf : everyField(item, list.element);
      seen.add(step);
      some = true;
    }
    return some ? fields : leaf;
  }
  const map = schema.map!;
  const object = asMap(value);
  if (map.atomic || isEmptyMap(object, map)) return leaf;
  for (const name in object) {
    const item = object[name];
    if (item === undefined || (item === null && isAbsent(name, map))) continue;
    fields[`f:${name}`] = everyField(item, fieldType(map, name));
  }
  return fields;
}

/** Declared fields with something below become members: removing what is below may leave nothing of them. upstream: EnsureNamedFieldsAreMembers. */
export function withNamedFields(fields: Fields | undefined, schema: TypeSchema | undefined): Fields | undefined {
  if (!fields) return undefined;
  const result: Record<string, Fields> = {};
  for (const step in fields) {
    const below = fields[step]!;
    if (step === '.') {
      result[step] = leaf;
      continue;
    }
    let type: TypeSchema | undefined;
    let declared = false;
    if (step.startsWith('f:') && schema?.map) {
      const found = schema.map.field(step.slice(2));
      declared = found !== undefined;
      type = found ?? schema.map.element;
    } else if (step.startsWith('k:') && schema?.list) type = schema.list.element;
    const inner = below === leaf ? leaf : (withNamedFields(below, type) ?? leaf);
    result[step] = declared ? withSelf(inner) : inner;
  }
  return result;
}
