import { CelType, sameType } from '../types.ts';
import { List } from './list.ts';
import { MapValue } from './map.ts';
import { CelError, Duration, Timestamp, Uint } from './scalars.ts';
import { ObjectValue, Opaque, Optional } from './value.ts';
import type { Value } from './value.ts';

/** Equality across all types: never fails, what cannot be equal is not. Numbers compare by amount. upstream: cel-go common/types/util.go. */
export function equals(a: Value, b: Value): boolean {
  if (a === b) return true;
  switch (typeof a) {
    case 'bigint':
      if (typeof b === 'number') return compareBigint(a, b) === 0;
      return b instanceof Uint ? a === b.value : false;
    case 'number':
      if (typeof b === 'bigint') return compareBigint(b, a) === 0;
      return b instanceof Uint ? compareBigint(b.value, a) === 0 : false;
    case 'string':
    case 'boolean':
      return false;
  }
  if (a === null || b === null) return false;
  if (a instanceof List) return b instanceof List && listsEqual(a, b);
  if (a instanceof MapValue) return b instanceof MapValue && mapsEqual(a, b);
  if (a instanceof Uint) {
    if (b instanceof Uint) return a.value === b.value;
    if (typeof b === 'bigint') return a.value === b;
    return typeof b === 'number' && compareBigint(a.value, b) === 0;
  }
  if (a instanceof ObjectValue || a instanceof Opaque) return a.equals(b);
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && compareBytes(a, b) === 0;
  if (a instanceof Optional) {
    if (!(b instanceof Optional)) return false;
    return a.value === undefined || b.value === undefined ? a.value === b.value : equals(a.value, b.value);
  }
  if (a instanceof CelType) return b instanceof CelType && (a.name === b.name || sameType(a, b));
  return false;
}

function listsEqual(a: List, b: List): boolean {
  if (a.semantics) return a.semantics.equal(a, b);
  if (a.size !== b.size) return false;
  for (let index = 0; index < a.size; index++) if (!equals(a.at(index), b.at(index))) return false;
  return true;
}

function mapsEqual(a: MapValue, b: MapValue): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    const other = b.find(key);
    if (other === undefined || !equals(a.find(key)!, other)) return false;
  }
  return true;
}

export function compareBytes(a: Uint8Array, b: Uint8Array): -1 | 0 | 1 {
  const order = Buffer.compare(a, b);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

/** An integer against a double, without rounding; NaN is larger than all (callers look for it before). */
function compareBigint(a: bigint, b: number): -1 | 0 | 1 {
  if (b === Infinity || Number.isNaN(b)) return -1;
  if (b === -Infinity) return 1;
  const whole = BigInt(Math.trunc(b));
  if (a !== whole) return a < whole ? -1 : 1;
  const rest = b - Math.trunc(b);
  return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

const order = (a: bigint | number | boolean, b: bigint | number | boolean): -1 | 0 | 1 => (a < b ? -1 : a > b ? 1 : 0);
const notOrdered = new CelError('NaN values cannot be ordered');
const unordered = new CelError('no such overload');

/** Order of two values of one kind, or of two numbers; a CelError where they have none. */
export function compare(a: Value, b: Value): -1 | 0 | 1 | CelError {
  const x = a instanceof Uint ? a.value : a;
  const y = b instanceof Uint ? b.value : b;
  if (typeof x === 'bigint' && typeof y === 'bigint') return order(x, y);
  if (typeof x === 'number' || typeof y === 'number') {
    if (Number.isNaN(x as number) || Number.isNaN(y as number))
      return typeof x === 'number' || typeof y === 'number' ? notOrdered : unordered;
    if (typeof x === 'number' && typeof y === 'number') return order(x, y);
    if (typeof x === 'bigint') return compareBigint(x, y as number);
    if (typeof y === 'bigint') return flip(compareBigint(y, x as number));
    return unordered;
  }
  if (typeof x === 'string' && typeof y === 'string') return compareTexts(x, y);
  if (typeof x === 'boolean' && typeof y === 'boolean') return order(x, y);
  if (x instanceof Timestamp && y instanceof Timestamp) return order(x.nanos, y.nanos);
  if (x instanceof Duration && y instanceof Duration) return order(x.nanos, y.nanos);
  if (x instanceof Uint8Array && y instanceof Uint8Array) return compareBytes(x, y);
  return unordered;
}

const flip = (order: -1 | 0 | 1): -1 | 0 | 1 => (order === 0 ? 0 : order === 1 ? -1 : 1);

/** By code points, as bytes of UTF-8 are ordered. */
function compareTexts(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  // UTF-16 orders differently only where surrogates meet other high units.
  return /[\ud800-\udfff]/.test(a + b) ? compareBytes(Buffer.from(a), Buffer.from(b)) : a < b ? -1 : 1;
}
