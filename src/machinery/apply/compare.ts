import { equal } from '#machinery/meta';
import { everyField } from './field-set.ts';
import { leaf, unionNodes } from './fields.ts';
import type { Fields } from './fields.ts';
import { elementOf } from './path-element.ts';
import { asList, asMap, fieldType, fieldValue, isEmptyMap, kindFor } from './schema.ts';
import type { JsonMap, Kind, ListSchema, MapSchema, TypeSchema } from './schema.ts';

/** The fields in which two values differ; absent where there are none. */
export interface Comparison {
  added?: Fields | undefined;
  modified?: Fields | undefined;
  removed?: Fields | undefined;
}

/**
 * What changed from `before` to `after`; undefined where nothing did. Allocates for differences only: most updates change one field of
 * many. upstream: structured-merge-diff/typed/compare.go.
 */
export function compare(before: unknown, after: unknown, schema: TypeSchema): Comparison | undefined {
  if (before === after) return undefined;
  if (before === undefined) return { added: everyField(after, schema) };
  if (after === undefined) return { removed: everyField(before, schema) };
  const left = kindFor(schema, before);
  const right = kindFor(schema, after);
  const changes = compareAs(right, before, after, schema);
  return left === right ? changes : both(compareAs(left, before, after, schema), changes);
}

function both(a: Comparison | undefined, b: Comparison | undefined): Comparison | undefined {
  if (!a || !b) return a ?? b;
  return { added: joined(a.added, b.added), modified: joined(a.modified, b.modified), removed: joined(a.removed, b.removed) };
}

const joined = (a: Fields | undefined, b: Fields | undefined): Fields | undefined => (a && b ? unionNodes(a, b, false) : (a ?? b));

const whole = (before: unknown, after: unknown): Comparison | undefined => (equal(before, after) ? undefined : { modified: leaf });

function compareAs(kind: Kind, before: unknown, after: unknown, schema: TypeSchema): Comparison | undefined {
  if (kind === 'scalar') return whole(before, after);
  if (kind === 'list') {
    const list = schema.list!;
    const left = asList(before);
    const right = asList(after);
    if (list.type === 'atomic' || (!left?.length && !right?.length)) return whole(before, after);
    return compareLists(left ?? [], right ?? [], list);
  }
  const map = schema.map!;
  const left = asMap(before);
  const right = asMap(after);
  if (map.atomic || (isEmptyMap(left, map) && isEmptyMap(right, map)))
    return map.nullIsAbsent && left && right && isEmptyMap(left, map) && isEmptyMap(right, map) ? undefined : whole(before, after);
  return compareMaps(left, right, map);
}

/** Collects the differences of children under their steps. */
class Collector {
  #added: Record<string, Fields> | undefined;
  #modified: Record<string, Fields> | undefined;
  #removed: Record<string, Fields> | undefined;

  add(step: string, changes: Comparison): void {
    if (changes.added) (this.#added ??= {})[step] = changes.added;
    if (changes.modified) (this.#modified ??= {})[step] = changes.modified;
    if (changes.removed) (this.#removed ??= {})[step] = changes.removed;
  }

  get result(): Comparison | undefined {
    if (!this.#added && !this.#modified && !this.#removed) return undefined;
    return { added: this.#added, modified: this.#modified, removed: this.#removed };
  }
}

function compareMaps(left: JsonMap | undefined, right: JsonMap | undefined, map: MapSchema): Comparison | undefined {
  const found = new Collector();
  const visit = (name: string): void => {
    let before = fieldValue(left, name, map);
    let after = fieldValue(right, name, map);
    if (before === after) return;
    if (before === undefined || after === undefined) {
      const unset = map.alwaysPresent?.(name);
      if (before === undefined) before = unset;
      if (after === undefined) after = unset;
      if (before === after) return;
    }
    const changes = compare(before, after, fieldType(map, name));
    if (changes) found.add(`f:${name}`, changes);
  };
  for (const name in left) visit(name);
  for (const name in right) if (left?.[name] === undefined) visit(name);
  return found.result;
}

function compareLists(left: readonly unknown[], right: readonly unknown[], list: ListSchema): Comparison | undefined {
  const found = new Collector();
  // Mostly the same items are in the same places: then no step need be spelled out but for the items that differ.
  if (left.length === right.length && left.every((item, index) => sameItem(item, right[index], list)) && !repeats(left, list)) {
    for (const [index, item] of left.entries()) {
      const changes = compare(item, right[index], list.element);
      if (changes) found.add(elementOf(list, item), changes);
    }
    return found.result;
  }
  const before = byStep(left, list);
  const after = byStep(right, list);
  for (const [step, items] of before) compareItems(found, step, items, after.get(step) ?? [], list);
  for (const [step, items] of after) if (!before.has(step)) compareItems(found, step, [], items, list);
  return found.result;
}

function compareItems(found: Collector, step: string, left: readonly unknown[], right: readonly unknown[], list: ListSchema): void {
  if (left.length <= 1 && right.length <= 1) {
    const changes = compare(left[0], right[0], list.element);
    if (changes) found.add(step, changes);
  } else if (left.length >= 2 && right.length >= 2) {
    if (!equal(left, right)) found.add(step, { modified: leaf });
  } else if (left.length >= 2)
    // What was there twice went; of the one that stays, all is new.
    found.add(step, { removed: leaf, ...(right.length && { added: everyField(right[0], list.element) }) });
  else found.add(step, { added: leaf, ...(left.length && { removed: everyField(left[0], list.element) }) });
}

function sameItem(a: unknown, b: unknown, list: ListSchema): boolean {
  if (list.type === 'set') return a === b;
  const left = asMap(a);
  const right = asMap(b);
  if (!left || !right) return false;
  for (const key of list.keys) if (left[key] !== right[key]) return false;
  return true;
}

function repeats(items: readonly unknown[], list: ListSchema): boolean {
  if (items.length < 2) return false;
  if (list.type === 'set') return new Set(items).size < items.length;
  const [key, ...more] = list.keys;
  const values = new Set(items.map((item) => asMap(item)?.[key!]));
  if (values.size === items.length) return false;
  return more.length === 0 || new Set(items.map((item) => elementOf(list, item))).size < items.length;
}

function byStep(items: readonly unknown[], list: ListSchema): Map<string, unknown[]> {
  const found = new Map<string, unknown[]>();
  for (const item of items) {
    const step = elementOf(list, item);
    const same = found.get(step);
    if (same) same.push(item);
    else found.set(step, [item]);
  }
  return found;
}
