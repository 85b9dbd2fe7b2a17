import { isEmptyFields } from './fields.ts';
import type { Fields } from './fields.ts';
import { elementOf } from './path-element.ts';
import { asList, asMap, fieldType, kindFor } from './schema.ts';
import type { JsonMap, TypeSchema } from './schema.ts';

/** A value without the fields of a set; undefined where nothing is left. upstream: structured-merge-diff/typed/remove.go. */
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
        if (rest === undefined) continue;
        kept[name] = rest;
        some = true;
      }
      return some ? kept : undefined;
    }
  }
}

const isMember = (fields: Fields): boolean => '.' in fields || isEmptyFields(fields);
