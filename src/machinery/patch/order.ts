import type { StatusError } from '#machinery/status';
import { isObject } from './json.ts';
import type { Json, JsonObject } from './json.ts';

/**
 * The order of merged lists: the patch's items keep the patch's order, the others keep the server's, and both are
 * interleaved as the server had them. upstream: strategicpatch normalizeElementOrder, mergeSortedSlice.
 */

/** What an item is recognised by. */
const identity = (item: Json, mergeKey: string): Json => (mergeKey && isObject(item) ? item[mergeKey] : item);

function positions(list: readonly Json[], mergeKey: string): Map<Json, number> {
  const found = new Map<Json, number>();
  for (const [index, item] of list.entries()) {
    const key = identity(item, mergeKey);
    if (!found.has(key)) found.set(key, index);
  }
  return found;
}

/** The items that are in `by`, and those that are not. */
export function partition(
  items: readonly Json[],
  by: readonly Json[],
  mergeKey: string,
  noMergeKey: (item: JsonObject, key: string) => StatusError,
  badKind: (wanted: string, found: Json) => StatusError,
): [inside: Json[], outside: Json[]] {
  const known = positions(by, mergeKey);
  const inside: Json[] = [];
  const outside: Json[] = [];
  for (const item of items) {
    if (mergeKey) {
      if (!isObject(item)) throw badKind('map[string]interface {}', item);
      if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
    }
    (known.has(identity(item, mergeKey)) ? inside : outside).push(item);
  }
  return [inside, outside];
}

/** Sorted as in `order`; items that `order` does not know go to the front, as upstream's comparison has it. */
export function orderedBy(items: readonly Json[], order: readonly Json[], mergeKey: string): Json[] {
  const known = positions(order, mergeKey);
  const place = (item: Json): number => known.get(identity(item, mergeKey)) ?? -1;
  return [...items].sort((a, b) => place(a) - place(b));
}

/** Both lists in one, each in its own order, `others` put where the server had them among `mine`. */
export function interleave(others: readonly Json[], mine: readonly Json[], server: readonly Json[], mergeKey: string): Json[] {
  const known = positions(server, mergeKey);
  const result: Json[] = [];
  let next = 0;
  for (const item of mine) {
    const there = known.get(identity(item, mergeKey));
    while (next < others.length && there !== undefined) {
      const other = known.get(identity(others[next], mergeKey));
      if (other === undefined || other > there) break;
      result.push(others[next++]);
    }
    result.push(item);
  }
  return [...result, ...others.slice(next)];
}
