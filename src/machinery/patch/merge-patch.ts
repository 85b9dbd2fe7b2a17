import { badRequest } from '#machinery/status';
import { isObject, setField } from './json.ts';
import type { Json, JsonObject } from './json.ts';
import { undecodable } from './json-patch.ts';

/** RFC 7386: objects merge, null removes, all else replaces. Throws a StatusError (400) where the patch is no object. */
export function mergePatch<T = Json>(document: T, patch: Json): T {
  if (patch === null || patch === undefined) throw badRequest('Invalid JSON Patch');
  if (!isObject(patch)) throw badRequest(`error decoding patch: ${undecodable(patch, 'map[string]interface {}').message}`);
  return merge(document, patch) as T;
}

function merge(document: Json, patch: Json): Json {
  if (!isObject(patch)) return withoutNulls(patch);
  const base = isObject(document) ? document : {};
  const result: JsonObject = { ...base };
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null || value === undefined) delete result[key];
    else setField(result, key, merge(Object.hasOwn(result, key) ? result[key] : undefined, value));
  }
  return result;
}

/** Fields that are null inside of a new list's objects are dropped too; null items stay. */
function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const key of Object.keys(value))
    if (value[key] !== null && value[key] !== undefined) setField(result, key, withoutNulls(value[key]));
  return result;
}
