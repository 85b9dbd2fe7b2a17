import { binarySuffixes, decimalSuffixes, divideUp, parseText, QuantityError } from './parse.ts';
import type { QuantityFormat } from './parse.ts';

export type { QuantityFormat };

/** A quantity as the API carries it, or parsed. */
export type QuantityLike = string | number | Quantity;

const decimalByPower = new Map([...decimalSuffixes].map(([suffix, power]) => [power, suffix]));
const binaryByPower = new Map([...binarySuffixes].map(([suffix, power]) => [power, suffix]));
const nanosInOne = 1_000_000_000n;
const nanosInMilli = 1_000_000n;

/** An exact amount. Immutable: arithmetic answers a new one. upstream: apimachinery/pkg/api/resource Quantity. */
export class Quantity {
  /** The amount in billionths. */
  readonly nanos: bigint;
  readonly format: QuantityFormat;
  #text: string | undefined;
  #milli: number | undefined;
  #value: number | undefined;

  constructor(nanos: bigint, format: QuantityFormat, text?: string) {
    this.nanos = nanos;
    this.format = format;
    this.#text = text;
  }

  /** Whole units, rounded away from zero. Beyond 2^53 the nearest number. */
  value(): number {
    return (this.#value ??= Number(divideUp(this.nanos, nanosInOne)));
  }

  /** Thousandths, rounded away from zero. Beyond 2^53 the nearest number. */
  milliValue(): number {
    return (this.#milli ??= Number(divideUp(this.nanos, nanosInMilli)));
  }

  /** The nearest number; for averages and scores, not for sums. */
  toNumber(): number {
    return Number(this.nanos) / 1e9;
  }

  isZero(): boolean {
    return this.nanos === 0n;
  }

  /** -1, 0 or 1. */
  sign(): -1 | 0 | 1 {
    return this.nanos === 0n ? 0 : this.nanos < 0n ? -1 : 1;
  }

  /** Below 0 where this is less than `other`, 0 where they are the same amount, above 0 otherwise. */
  compare(other: Quantity): -1 | 0 | 1 {
    return this.nanos === other.nanos ? 0 : this.nanos < other.nanos ? -1 : 1;
  }

  /** Keeps this one's format, unless it is zero: then it takes the other's. */
  add(other: Quantity): Quantity {
    return new Quantity(this.nanos + other.nanos, this.isZero() ? other.format : this.format);
  }

  sub(other: Quantity): Quantity {
    return new Quantity(this.nanos - other.nanos, this.isZero() ? other.format : this.format);
  }

  mul(factor: number): Quantity {
    return new Quantity(this.nanos * BigInt(factor), this.format);
  }

  negate(): Quantity {
    return new Quantity(-this.nanos, this.format);
  }

  /** The canonical text: no fraction, the largest suffix that needs none. */
  toString(): string {
    return (this.#text ??= this.#canonical());
  }

  toJSON(): string {
    return this.toString();
  }

  #canonical(): string {
    if (this.nanos === 0n) return '0';
    if (this.format === 'BinarySI') {
      const whole = this.nanos / nanosInOne;
      const small = whole > -1024n && whole < 1024n;
      // Rather another suffix than a rounded amount.
      if (!small && whole * nanosInOne === this.nanos) return binary(whole);
    }
    return decimal(this.nanos, this.format);
  }
}

function binary(whole: bigint): string {
  let power = 0;
  let number = whole;
  while (power < 60 && (number & 1023n) === 0n) {
    number >>= 10n;
    power += 10;
  }
  return `${number}${binaryByPower.get(power) ?? ''}`;
}

function decimal(nanos: bigint, format: QuantityFormat): string {
  let power = -9;
  let number = nanos;
  const highest = format === 'DecimalExponent' ? Infinity : 18;
  while (power < highest && number % 1000n === 0n) {
    number /= 1000n;
    power += 3;
  }
  if (format === 'DecimalExponent') return power === 0 ? `${number}` : `${number}e${power}`;
  return `${number}${decimalByPower.get(power) ?? ''}`;
}

// Objects repeat the same few amounts: the texts last seen are kept parsed.
const cache = new Map<string, Quantity>();
const cacheSize = 8192;

/** Throws a QuantityError with upstream's text where `quantity` is none. */
export function parseQuantity(quantity: QuantityLike): Quantity {
  if (quantity instanceof Quantity) return quantity;
  const key = typeof quantity === 'string' ? quantity : String(quantity);
  const known = cache.get(key);
  if (known) return known;
  const { nanos, format, text } = parseText(key.trim());
  const parsed = new Quantity(nanos, format, text);
  if (cache.size >= cacheSize) cache.clear();
  cache.set(key, parsed);
  return parsed;
}

/** True where the text can be parsed. */
export function isQuantity(text: unknown): boolean {
  if (typeof text !== 'string' && typeof text !== 'number') return false;
  try {
    parseQuantity(text);
    return true;
  } catch (error) {
    if (error instanceof QuantityError) return false;
    throw error;
  }
}

/** A quantity of whole units. */
export const quantity = (units: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity =>
  new Quantity(BigInt(units) * nanosInOne, format);

/** A quantity of thousandths. */
export const milliQuantity = (milli: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity =>
  new Quantity(BigInt(milli) * nanosInMilli, format);

/** Whole units, rounded up; 0 where there is none. */
export const value = (quantity: QuantityLike | undefined): number => (quantity === undefined ? 0 : parseQuantity(quantity).value());
/** Thousandths, rounded up; 0 where there is none. */
export const milliValue = (quantity: QuantityLike | undefined): number =>
  quantity === undefined ? 0 : parseQuantity(quantity).milliValue();
/** The canonical text. */
export const canonicalize = (quantity: QuantityLike): string => parseQuantity(quantity).toString();
export const compareQuantities = (a: QuantityLike, b: QuantityLike): -1 | 0 | 1 => parseQuantity(a).compare(parseQuantity(b));
/** The canonical text of a + b. */
export const addQuantities = (a: QuantityLike, b: QuantityLike): string => parseQuantity(a).add(parseQuantity(b)).toString();
/** The canonical text of a - b. */
export const subQuantities = (a: QuantityLike, b: QuantityLike): string => parseQuantity(a).sub(parseQuantity(b)).toString();
/** The sum, in the format of the first that is not zero. */
export function sumQuantities(quantities: Iterable<QuantityLike>): Quantity {
  let sum = new Quantity(0n, 'DecimalSI');
  for (const each of quantities) sum = sum.add(parseQuantity(each));
  return sum;
}
