import { compare, equals } from '../values/equality.ts';
import { GrowingList, List } from '../values/list.ts';
import { keyText, MapValue } from '../values/map.ts';
import { CelError, Duration, int, maxInt, minInt, noSuchOverload, Timestamp, Uint, uint } from '../values/scalars.ts';
import type { Value } from '../values/value.ts';

/** Operators by the values they meet. upstream: cel-go common/types, common/stdlib. */

const durationOverflow = new CelError('duration overflow');
const timestampOverflow = new CelError('timestamp overflow');
const divisionByZero = new CelError('division by zero');
const modulusByZero = new CelError('modulus by zero');
const intOverflow = new CelError('integer overflow');

// Years 1 to 9999.
const firstMoment = -62135596800n * 1_000_000_000n;
const lastMoment = 253402300799n * 1_000_000_000n + 999_999_999n;

const duration = (nanos: bigint): Value => (nanos < minInt || nanos > maxInt ? durationOverflow : new Duration(nanos));
const timestamp = (nanos: bigint): Value => (nanos < firstMoment || nanos > lastMoment ? timestampOverflow : new Timestamp(nanos));

export function add(a: Value, b: Value): Value {
  if (typeof a === 'bigint') return typeof b === 'bigint' ? int(a + b) : noSuchOverload;
  if (typeof a === 'string') return typeof b === 'string' ? a + b : noSuchOverload;
  if (typeof a === 'number') return typeof b === 'number' ? a + b : noSuchOverload;
  if (a instanceof List) {
    if (!(b instanceof List)) return noSuchOverload;
    if (a instanceof GrowingList) return a.append(b);
    if (a.semantics) return a.semantics.add(a, b);
    return new List([...a.toArray(), ...b.toArray()]);
  }
  if (a instanceof Uint) return b instanceof Uint ? uint(a.value + b.value) : noSuchOverload;
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? Uint8Array.from([...a, ...b]) : noSuchOverload;
  if (a instanceof Duration) {
    if (b instanceof Duration) return duration(a.nanos + b.nanos);
    return b instanceof Timestamp ? timestamp(a.nanos + b.nanos) : noSuchOverload;
  }
  if (a instanceof Timestamp) return b instanceof Duration ? timestamp(a.nanos + b.nanos) : noSuchOverload;
  return noSuchOverload;
}

export function subtract(a: Value, b: Value): Value {
  if (typeof a === 'bigint') return typeof b === 'bigint' ? int(a - b) : noSuchOverload;
  if (typeof a === 'number') return typeof b === 'number' ? a - b : noSuchOverload;
  if (a instanceof Uint) return b instanceof Uint ? uint(a.value - b.value) : noSuchOverload;
  if (a instanceof Duration) return b instanceof Duration ? duration(a.nanos - b.nanos) : noSuchOverload;
  if (a instanceof Timestamp) {
    if (b instanceof Duration) return timestamp(a.nanos - b.nanos);
    return b instanceof Timestamp ? duration(a.nanos - b.nanos) : noSuchOverload;
  }
  return noSuchOverload;
}

export function multiply(a: Value, b: Value): Value {
  if (typeof a === 'bigint') return typeof b === 'bigint' ? int(a * b) : noSuchOverload;
  if (typeof a === 'number') return typeof b === 'number' ? a * b : noSuchOverload;
  return a instanceof Uint && b instanceof Uint ? uint(a.value * b.value) : noSuchOverload;
}

export function divide(a: Value, b: Value): Value {
  if (typeof a === 'bigint') {
    if (typeof b !== 'bigint') return noSuchOverload;
    return b === 0n ? divisionByZero : int(a / b);
  }
  if (typeof a === 'number') return typeof b === 'number' ? a / b : noSuchOverload;
  if (!(a instanceof Uint) || !(b instanceof Uint)) return noSuchOverload;
  return b.value === 0n ? divisionByZero : new Uint(a.value / b.value);
}

export function modulo(a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    if (b === 0n) return modulusByZero;
    return a === minInt && b === -1n ? intOverflow : a % b;
  }
  if (!(a instanceof Uint) || !(b instanceof Uint)) return noSuchOverload;
  return b.value === 0n ? modulusByZero : new Uint(a.value % b.value);
}

export function negate(a: Value): Value {
  if (typeof a === 'bigint') return int(-a);
  return typeof a === 'number' ? -a : noSuchOverload;
}

export const not = (a: Value): Value => (typeof a === 'boolean' ? !a : noSuchOverload);

const ordered =
  (holds: (order: -1 | 0 | 1) => boolean) =>
  (a: Value, b: Value): Value => {
    const order = compare(a, b);
    return order instanceof CelError ? order : holds(order);
  };

export function contains(item: Value, container: Value): Value {
  if (container instanceof List) {
    for (let index = 0; index < container.size; index++) if (equals(item, container.at(index))) return true;
    return false;
  }
  if (!(container instanceof MapValue)) return noSuchOverload;
  return keyText(item) === undefined ? (typeof item === 'number' ? false : noSuchOverload) : container.has(item);
}

export const binary: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  '_+_': add,
  '_-_': subtract,
  '_*_': multiply,
  '_/_': divide,
  '_%_': modulo,
  '_<_': ordered((order) => order < 0),
  '_<=_': ordered((order) => order <= 0),
  '_>_': ordered((order) => order > 0),
  '_>=_': ordered((order) => order >= 0),
  '@in': contains,
};
