/** Ranges of sizes and costs, from the least to the most. Numbers stop at the largest of 64 bits. upstream: cel-go checker/cost.go. */

export const largest = 2 ** 64;

export interface Range {
  readonly min: number;
  readonly max: number;
}

const cap = (value: number): number => (value >= largest ? largest : value);

export const fixed = (value: number): Range => ({ min: value, max: value });
export const unknown: Range = { min: 0, max: largest };
export const plus = (...ranges: readonly Range[]): Range =>
  ranges.reduce((a, b) => ({ min: cap(a.min + b.min), max: cap(a.max + b.max) }), fixed(0));
export const times = (a: Range, b: Range): Range => ({ min: cap(a.min * b.min), max: cap(a.max * b.max) });
/** Rounded up. */
export const factor = (a: Range, by: number): Range => ({ min: cap(Math.ceil(a.min * by)), max: cap(Math.ceil(a.max * by)) });
export const either = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });
