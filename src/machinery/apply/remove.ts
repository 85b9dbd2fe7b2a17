import { isEmptyFields } from './fields.ts';
import type { Fields } from './fields.ts';
import { elementOf } from './path-element.ts';
import { asList, asMap, fieldType, isAbsent, kindFor } from './schema.ts';
import type { JsonMap, TypeSchema } from './schema.ts';

/** What is left of a map or list whose contents went: it is still there when objects are compared, and gone from the result. */
const emptiedMap: JsonMap = Object.freeze({});
const emptiedList: readonly unknown[] = Object.freeze([]);

/**
 * A value without the fields of a set; undefined where nothing is left. A map or list of which nothing is left stays as a mark, which
 * `withoutEmptied` takes away. upstream: structured-merge-diff/typed/remove.go (null).
 */
export function removeFields(value: unknown, remove: Fields | undefined, schema: TypeSchema): unknown {
  if (isEmptyFields(remove)) return value;
  switch (kindFor(schema, value)) {
    case 'scalar':
      return value;
    case 'list': {
      const list = schema.list!;
      const items = asList(value);
      if (!items?.length || list.type === 'atomic') return undefined;
      const kept: unknown[] = [];
      for (const item of items) {
        const below = remove![elementOf(list, item)];
        if (below && isMember(below)) continue;
        kept.push(below ? removeFields(item, below, list.element) : item);
      }
      return kept.length ? kept.filter((item) => item !== undefined) : undefined;
    }
    case 'map': {
      const map = schema.map!;
      const object = asMap(value);
      if (!object || map.atomic) return undefined;
      const kept: JsonMap = {};
      let some = false;
      for (const name in object) {
        const below = remove![`f:${name}`];
        if (below && isMember(below)) continue;
        const rest = below ? removeFields(object[name], below, fieldType(map, name)) : object[name];
        kept[name] = rest ?? (rest === null ? null : Array.isArray(object[name]) ? emptiedList : emptiedMap);
        some = true;
      }
      return some ? kept : undefined;
    }
  }
}

/** Without the marks: absent where null says the same, null elsewhere. The value itself where there are none. */
export function withoutEmptied(value: unknown, schema: TypeSchema | undefined): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => withoutEmptied(item, schema?.list?.element));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  const map = schema?.map;
  let copy: JsonMap | undefined;
  const object = value as JsonMap;
  for (const name in object) {
    const item = object[name];
    if (item === emptiedMap || item === emptiedList) {
      copy ??= { ...object };
      if (map && !isAbsent(name, map)) copy[name] = null;
      else delete copy[name];
    } else {
      const next = withoutEmptied(item, map && fieldType(map, name));
      if (next !== item) (copy ??= { ...object })[name] = next;
    }
  }
  return copy ?? value;
}

const isMember = (fields: Fields): boolean => '.' in fields || isEmptyFields(fields);
