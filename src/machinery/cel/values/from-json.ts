import { List } from './list.ts';
import { JsonMap } from './map.ts';
import type { Value } from './value.ts';

/** JSON as values, without a schema: whole numbers are ints. Lists and maps are converted as they are read. */
export function fromJson(json: unknown): Value {
  switch (typeof json) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return json;
    case 'number':
      return Number.isInteger(json) ? BigInt(json) : json;
  }
  if (json === null || json === undefined) return null;
  if (Array.isArray(json)) return new List(json, fromJson);
  return new JsonMap(json as Record<string, unknown>, fromJson);
}
