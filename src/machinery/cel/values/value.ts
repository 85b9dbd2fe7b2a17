import {
  boolType,
  bytesType,
  CelType,
  doubleType,
  durationType,
  intType,
  listType,
  mapType,
  nullType,
  optionalType,
  stringType,
  timestampType,
  typeType,
  uintType,
} from '../types.ts';
import { List } from './list.ts';
import { MapValue } from './map.ts';
import { CelError, Duration, Timestamp, Uint } from './scalars.ts';

/** Everything an expression can have as its value. */
export type Value =
  | null
  | boolean
  | bigint
  | Uint
  | number
  | string
  | Uint8Array
  | Timestamp
  | Duration
  | CelType
  | List
  | MapValue
  | Optional
  | ObjectValue
  | Opaque
  | CelError;

/** A value that may be absent. */
export class Optional {
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    this.value = value;
  }
}

export const none = new Optional(undefined);

/** Something with named fields. */
export abstract class ObjectValue {
  abstract readonly type: CelType;
  abstract has(field: string): boolean;
  /** A CelError where there is none. */
  abstract get(field: string): Value;
  abstract equals(other: Value): boolean;
}

/** A value of a library's own type. */
export abstract class Opaque {
  abstract readonly type: CelType;
  abstract equals(other: Value): boolean;
  /** What format and error texts show. */
  abstract toString(): string;
  /** What it counts for in costs. */
  get size(): number {
    return 1;
  }
}

export const isError = (value: unknown): value is CelError => value instanceof CelError;

/** The run-time type. */
export function typeOf(value: Value): CelType {
  switch (typeof value) {
    case 'boolean':
      return boolType;
    case 'bigint':
      return intType;
    case 'number':
      return doubleType;
    case 'string':
      return stringType;
  }
  if (value === null) return nullType;
  if (value instanceof List) return listType;
  if (value instanceof MapValue) return mapType;
  if (value instanceof ObjectValue || value instanceof Opaque) return value.type;
  if (value instanceof Uint) return uintType;
  if (value instanceof Timestamp) return timestampType;
  if (value instanceof Duration) return durationType;
  if (value instanceof Optional) return optionalType;
  if (value instanceof CelType) return typeType;
  if (value instanceof Uint8Array) return bytesType;
  return typeType;
}

/** Code points of a text. */
export function textSize(text: string): number {
  let size = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xd800 && unit < 0xdc00) size--;
  }
  return size;
}

/** What size() answers; 1 for what has none. Costs are counted in it. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return textSize(value);
  if (value instanceof List || value instanceof MapValue || value instanceof Opaque) return value.size;
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof Optional && value.value !== undefined) return sizeOf(value.value);
  return 1;
}
