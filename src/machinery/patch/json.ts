/** JSON values. */
export type Json = unknown;
export type JsonObject = Record<string, unknown>;

export const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sets a field even where its name is one that assignment treats apart. */
export function setField(object: JsonObject, key: string, value: Json): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}

/** What Go calls the kind of a decoded JSON value. */
export function kindOf(value: Json): 'nil' | 'map' | 'slice' | 'string' | 'bool' | 'number' {
  if (value === null || value === undefined) return 'nil';
  if (Array.isArray(value)) return 'slice';
  if (typeof value === 'object') return 'map';
  if (typeof value === 'string') return 'string';
  return typeof value === 'boolean' ? 'bool' : 'number';
}
