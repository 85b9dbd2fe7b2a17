/**
 * JSON whose integers keep all their digits: what a double cannot hold, and Go's int64 can, is a bigint, and is written as it was read.
 * Custom resources and other free JSON have such numbers (nanoseconds, hashes); fields of known types never do, see registry/structure.ts.
 * upstream: apimachinery/pkg/util/json (int64 where it fits, else float64).
 */
const [least, most] = [-(2n ** 63n), 2n ** 63n - 1n];
/** There may be a number that a double gets wrong. */
export const hasLongNumber = (text: string): boolean => /\d{16}/.test(text);

// JSON.stringify knows no bigints, but asks them.
Object.defineProperty(BigInt.prototype, 'toJSON', {
  value(this: bigint): unknown {
    return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(this.toString());
  },
  writable: true,
  configurable: true,
});

/** Throws SyntaxError, as JSON.parse does. */
export function parseJson(text: string): unknown {
  return hasLongNumber(text) ? (JSON.parse(text, exact) as unknown) : (JSON.parse(text) as unknown);
}

function exact(_key: string, value: unknown, { source }: { source?: string } = {}): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined || !/^-?\d+$/.test(source)) return value;
  return exactInteger(BigInt(source));
}

/** A number where it is exact, or where int64 ends. */
export function exactInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) || value < least || value > most ? number : value;
}

/** The last double before int64 ends. */
const bound = 2 ** 63 - 1024;

/** The nearest number that is an int64 too. */
export const nearestNumber = (value: number | bigint): number => Math.max(-bound, Math.min(Number(value), bound));
