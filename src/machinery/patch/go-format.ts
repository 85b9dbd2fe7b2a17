import { isObject } from './json.ts';
import type { Json } from './json.ts';

/** A decoded JSON value as Go's %v prints it: map[a:1 b:[x y]]. Some of upstream's messages hold such text. */
export function goFormat(value: Json): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goFormat).join(' ')}]`;
  if (!isObject(value)) return String(value);
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${key}:${goFormat(value[key])}`);
  return `map[${fields.join(' ')}]`;
}
