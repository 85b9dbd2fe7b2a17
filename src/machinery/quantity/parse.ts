/** Reading the text of a quantity. upstream: apimachinery/pkg/api/resource/quantity.go, suffix.go. */

/** How a quantity is written: 12e6, 12Mi, 12M. */
export type QuantityFormat = 'DecimalExponent' | 'BinarySI' | 'DecimalSI';

export class QuantityError extends Error {
  override name = 'QuantityError';
}

const wrongFormat = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const wrongNumber = 'unable to parse numeric part of quantity';
const wrongSuffix = "unable to parse quantity's suffix";

/** Suffix → power of ten. */
export const decimalSuffixes: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);

/** Suffix → power of two. */
export const binarySuffixes: ReadonlyMap<string, number> = new Map([
  ['Ki', 10],
  ['Mi', 20],
  ['Gi', 30],
  ['Ti', 40],
  ['Pi', 50],
  ['Ei', 60],
]);

const pattern = /^([+-]?)(\d*)(?:(\.)(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;
const largest = (1n << 63n) - 1n;
const nanosInOne = 1_000_000_000n;
/** Beyond this many digits a number is an attack, not an amount. */
const longestExponent = 512;

export interface Parsed {
  nanos: bigint;
  format: QuantityFormat;
  /** The text, where upstream keeps it as written instead of making it canonical. */
  text?: string;
}

/** Divides away from zero. */
export function divideUp(dividend: bigint, divisor: bigint): bigint {
  const whole = dividend / divisor;
  if (whole * divisor === dividend) return whole;
  return dividend < 0n ? whole - 1n : whole + 1n;
}

/** Throws a QuantityError with upstream's text. */
export function parseText(text: string): Parsed {
  if (text === '') throw new QuantityError(wrongFormat);
  const match = pattern.exec(text);
  if (!match) throw new QuantityError(wrongFormat);
  const negative = match[1] === '-';
  const whole = match[2]!.replace(/^0+/, '') || '0';
  const fraction = match[4] ?? '';
  const suffix = match[5]!;

  let format: QuantityFormat = 'DecimalSI';
  let ten = decimalSuffixes.get(suffix);
  let two = 0;
  if (ten === undefined) {
    ten = 0;
    const binary = binarySuffixes.get(suffix);
    if (binary !== undefined) {
      two = binary;
      format = 'BinarySI';
    } else if (/^[eE][-+]?\d+$/.test(suffix)) {
      ten = Number(suffix.slice(1));
      format = 'DecimalExponent';
    } else throw new QuantityError(wrongSuffix);
  }
  if (Math.abs(ten) > longestExponent || whole.length + fraction.length > longestExponent) throw new QuantityError(wrongNumber);

  const digits = BigInt(whole + fraction);
  const scale = ten - fraction.length + 9;
  const scaled = digits << BigInt(two);
  let nanos = scale >= 0 ? scaled * 10n ** BigInt(scale) : divideUp(scaled, 10n ** BigInt(-scale));
  if (format === 'BinarySI') {
    if (nanos > largest * nanosInOne) nanos = largest * nanosInOne;
    else if (nanos > 0n && nanos < nanosInOne) format = 'DecimalSI';
  }
  if (negative) nanos = -nanos;
  const parsed: Parsed = { nanos, format };
  if (digits !== 0n && keepsText(whole, fraction, format, ten, two, digits)) parsed.text = text;
  return parsed;
}

/** Upstream's short cut for texts it takes for canonical: it keeps some that are not quite ("1.500", "+5"), and so do we. */
function keepsText(whole: string, fraction: string, format: QuantityFormat, ten: number, two: number, digits: bigint): boolean {
  if (format === 'BinarySI') return fraction === '' && 15 - whole.length - Math.trunc((two * 3) / 10) - 1 >= 0 && (digits & 7n) !== 0n;
  const scale = ten - fraction.length;
  const shifted = whole + fraction;
  return 18 - shifted.length >= 0 && scale >= -9 && scale % 3 === 0 && !shifted.endsWith('000') && !shifted.startsWith('0');
}
