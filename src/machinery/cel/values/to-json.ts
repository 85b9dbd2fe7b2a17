import { exactInteger } from '#machinery/json';
import { CelType } from '../types.ts';
import { List } from './list.ts';
import { MapValue } from './map.ts';
import { CelError, Duration, Timestamp, Uint } from './scalars.ts';
import { ObjectValue, Opaque, Optional } from './value.ts';
import type { Value } from './value.ts';

/** A value as JSON: what mutating policies write and audit annotations show. */
export function toJson(value: Value): unknown {
  switch (typeof value) {
    case 'bigint':
      return exactInteger(value);
    case 'string':
    case 'boolean':
    case 'number':
      return value;
  }
  if (value === null) return null;
  if (value instanceof List) return value.toArray().map(toJson);
  if (value instanceof MapValue) return Object.fromEntries([...value.keys()].map((key) => [keyOf(key), toJson(value.find(key)!)]));
  if (value instanceof Uint) return exactInteger(value.value);
  if (value instanceof Timestamp || value instanceof Duration || value instanceof Opaque) return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Optional) return value.value === undefined ? null : toJson(value.value);
  if (value instanceof ObjectValue) return 'toJSON' in value ? (value as { toJSON(): unknown }).toJSON() : {};
  if (value instanceof CelType) return value.name;
  throw new Error(`Cannot write a failure as JSON: ${(value as CelError).message}`);
}

const keyOf = (key: Value): string => (key instanceof Uint ? String(key.value) : String(key));
