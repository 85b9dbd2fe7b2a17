/**
 * Reads JSON as Go's encoding/json reads it into structs, which is not how request bodies are read: names match in any case, unknown ones
 * are passed over, null leaves a field as it was, and one value of a wrong type spoils the whole.
 */
import { canonicalize, isQuantity } from '#machinery/quantity';

export interface Form<T> {
  /** Throws a Misfit. */
  read(value: unknown): T;
  /** What nobody has set. */
  zero(): T;
}

export class Misfit extends Error {}

/** A number as it is written: Go reads no 1.0 as an integer. */
class Digits {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export const text: Form<string> = {
  read(value) {
    if (typeof value !== 'string') throw new Misfit('no text');
    return value;
  },
  zero: () => '',
};

const highest = 2 ** 31;

export const int32: Form<number> = {
  read(value) {
    if (!(value instanceof Digits) || !/^-?\d+$/.test(value.text)) throw new Misfit('no integer');
    const number = Number(value.text);
    if (number < -highest || number >= highest) throw new Misfit('more than 32 bits');
    return number;
  },
  zero: () => 0,
};

export const quantity: Form<string> = {
  read(value) {
    const amount = value instanceof Digits ? value.text : value;
    if (typeof amount !== 'string' || !isQuantity(amount)) throw new Misfit('no quantity');
    return canonicalize(amount);
  },
  zero: () => '0',
};

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** Undefined is the time that nobody has set. */
export const time: Form<string | undefined> = {
  read(value) {
    const at = typeof value === 'string' && rfc3339.test(value) ? Date.parse(value.replace(',', '.')) : Number.NaN;
    if (Number.isNaN(at)) throw new Misfit('no time');
    return `${new Date(at).toISOString().slice(0, 19)}Z`;
  },
  zero: () => undefined,
};

/** A pointer. */
export const optional = <T>(form: Form<T>): Form<T | undefined> => ({ read: (value) => form.read(value), zero: () => undefined });

export const list = <T>(form: Form<T>): Form<T[] | undefined> => ({
  read(value) {
    if (!Array.isArray(value)) throw new Misfit('no list');
    return value.map((item) => (item === null ? form.zero() : form.read(item)));
  },
  zero: () => undefined,
});

export const textMap: Form<Record<string, string> | undefined> = {
  read: (value) => Object.fromEntries(Object.entries(fieldsOf(value)).map(([key, item]) => [key, item === null ? '' : text.read(item)])),
  zero: () => undefined,
};

export function struct<T extends object>(fields: { [K in keyof T]-?: Form<T[K]> }): Form<T> {
  const names = new Map(Object.keys(fields).map((name) => [name.toLowerCase(), name as keyof T]));
  const zero = (): T => Object.fromEntries(Object.entries<Form<unknown>>(fields).map(([name, form]) => [name, form.zero()])) as T;
  return {
    read(value) {
      const result = zero();
      for (const [key, item] of Object.entries(fieldsOf(value))) {
        const name = names.get(key.toLowerCase());
        if (name !== undefined && item !== null) result[name] = fields[name].read(item);
      }
      return result;
    },
    zero,
  };
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Digits) throw new Misfit('no object');
  return value as Record<string, unknown>;
}

const digits = (_key: string, value: unknown, context?: { source?: string }): unknown =>
  typeof value === 'number' ? new Digits(context?.source ?? String(value)) : value;

/** Undefined where the text is not of this form. */
export function readJson<T>(form: Form<T>, json: string): T | undefined {
  try {
    const value: unknown = JSON.parse(json, digits);
    return value === null ? form.zero() : form.read(value);
  } catch (error) {
    if (error instanceof Misfit || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Go writes JSON that HTML may hold. */
const unsafe = /[<>&\u2028\u2029]/g;

export const writeJson = (value: unknown): string =>
  JSON.stringify(value).replace(unsafe, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
