/**
 * Go writes null for a list, map or pointer that nobody set, where its field is always written: servers of upstream's answer
 * `"endpoints":null`. Ours answers `[]`, and whoever reads objects here counts on it: an always written list or map is there, empty or not,
 * and what else is null is not there at all. Custom resources are left alone: their nulls may mean something.
 */
import type { Kind } from '#api';
import { resourceFact, schema } from '#api/facts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

function clean(type: string, object: Json): void {
  const fields = schema[type]?.fields;
  if (!fields) return;
  for (const name of Object.keys(object)) {
    const value = object[name];
    // Most of an object is plain values.
    if (typeof value !== 'object') continue;
    const fact = fields[name];
    if (!fact) continue;
    if (value === null) {
      if (fact.always && fact.repeated) object[name] = [];
      else if (fact.always && fact.map) object[name] = {};
      else delete object[name];
    } else if (fact.repeated) {
      for (const item of value as unknown[]) if (isObject(item)) clean(fact.type, item);
    } else if (fact.map) {
      for (const item of Object.values(value as Json)) if (isObject(item)) clean(fact.type, item);
    } else if (isObject(value)) clean(fact.type, value);
  }
}

/** Does so in place, to what `text` was parsed to: an object of the kind, or a list of them. */
export function withoutNulls(text: string, kind: Kind, parsed: unknown): unknown {
  if (!text.includes(':null') || !isObject(parsed)) return parsed;
  const type = resourceFact(kind.group, kind.version, kind.resource)?.type;
  if (type === undefined) return parsed;
  if (Array.isArray(parsed['items']) && parsed['kind'] !== kind.kind) {
    for (const item of parsed['items'] as unknown[]) if (isObject(item)) clean(type, item);
  } else if (parsed['kind'] === kind.kind) clean(type, parsed);
  return parsed;
}
