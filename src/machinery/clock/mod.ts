/**
 * Time and randomness as arguments. Nothing else in the tree may call Date.now, setTimeout or Math.random
 * (a lint rule says so): what runs on a Clock runs in virtual time under test, and repeats from a seed.
 * Read first: this file; virtual.ts for tests.
 */
export { systemClock } from './system.ts';
export { virtualClock } from './virtual.ts';
export type { VirtualClock } from './virtual.ts';
export { systemRandom, seededRandom } from './random.ts';
export { sleep, timestamp, timeText, microTimestamp } from './time.ts';

/** A timer that can be cancelled; cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since 1970, as Date.now. */
  now(): number;
  /** Milliseconds since some fixed moment; never goes back. For durations. */
  monotonic(): number;
  /** Calls `run` once after `milliseconds`. Timers never keep the process alive by themselves. */
  setTimeout(run: () => void, milliseconds: number): Timer;
}

export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `length` characters of upstream's name alphabet (bcdfghjklmnpqrstvwxz2456789; upstream: apimachinery/pkg/util/rand). */
  suffix(length: number): string;
  /** A version 4 UUID. */
  uuid(): string;
}
