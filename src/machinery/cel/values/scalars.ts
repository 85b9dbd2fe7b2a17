import { durationText, timestampText } from './time.ts';

/** Values that JavaScript has no kind for: unsigned integers, moments, spans, optionals, errors. */

/** An unsigned 64-bit integer. (Signed ones are bigint, doubles are number.) */
export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** A moment, in nanoseconds since 1970. */
export class Timestamp {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
  toString(): string {
    return timestampText(this.nanos);
  }
}

/** A span, in nanoseconds. */
export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
  toString(): string {
    return durationText(this.nanos);
  }
}

/** A failure, as a value: && and || may still have an answer. */
export class CelError {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

export const noSuchOverload = new CelError('no such overload');
export const minInt = -(1n << 63n);
export const maxInt = (1n << 63n) - 1n;
export const maxUint = (1n << 64n) - 1n;
export const intOverflow = new CelError('integer overflow');
export const uintOverflow = new CelError('unsigned integer overflow');

export const int = (value: bigint): bigint | CelError => (value < minInt || value > maxInt ? intOverflow : value);
export const uint = (value: bigint): Uint | CelError => (value < 0n || value > maxUint ? uintOverflow : new Uint(value));
