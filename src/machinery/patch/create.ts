import { equal } from '#machinery/meta';
import { isObject, setField } from './json.ts';
import type { Json, JsonObject } from './json.ts';

/** The JSON merge patch that turns one object into another; undefined where they are the same. Controllers send it instead of an update. */
export function createMergePatch(from: Json, to: Json): JsonObject | undefined {
  const before = isObject(from) ? from : {};
  const after = isObject(to) ? to : {};
  const patch: JsonObject = {};
  for (const key of Object.keys(before))
    if (after[key] === undefined || after[key] === null) if (before[key] !== undefined) setField(patch, key, null);
  for (const key of Object.keys(after)) {
    const value = after[key];
    if (value === undefined || value === null || equal(before[key], value)) continue;
    const inner = isObject(value) && isObject(before[key]) ? createMergePatch(before[key], value) : value;
    if (inner !== undefined) setField(patch, key, inner);
  }
  return Object.keys(patch).length ? patch : undefined;
}
