import { CelType } from '../types.ts';
import { List } from '../values/list.ts';
import { MapValue } from '../values/map.ts';
import { CelError, Duration, Timestamp, Uint } from '../values/scalars.ts';
import { isError, typeOf } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** 'text'.format(list). upstream: cel-go ext/formatting.go. */

class FormatError extends Error {}

export function formatText(text: string, args: List): Value {
  let result = '';
  let next = 0;
  try {
    for (const piece of pieces(text)) {
      if (typeof piece === 'string') {
        result += piece;
        continue;
      }
      if (next >= args.size) throw new FormatError(`index ${next} out of range`);
      result += clauseText(piece.clause, args.at(next++), piece.precision);
    }
  } catch (error) {
    if (error instanceof FormatError) return new CelError(error.message);
    throw error;
  }
  return result;
}

interface Clause {
  clause: string;
  precision: number;
}

/** Text and clauses in their order. Throws a FormatError at what is neither. */
function* pieces(text: string): Generator<string | Clause> {
  for (let index = 0; index < text.length; index++) {
    if (text[index] !== '%') {
      yield text[index]!;
      continue;
    }
    index++;
    if (text[index] === '%') {
      yield '%';
      continue;
    }
    if (index >= text.length) throw new FormatError('unexpected end of string');
    let precision = 6;
    if (text[index] === '.') {
      const digits = /^\d*/.exec(text.slice(index + 1))![0];
      const unread = (reason: string): FormatError =>
        new FormatError(`could not parse formatting clause: error while parsing precision: ${reason}`);
      if (index + 1 + digits.length >= text.length) throw unread('could not find end of precision specifier');
      if (digits === '') throw unread('error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax');
      precision = Number(digits);
      index += 1 + digits.length;
    }
    const clause = text[index]!;
    if (!'sdfexXob'.includes(clause))
      throw new FormatError(`could not parse formatting clause: unrecognized formatting clause "${clause}"`);
    yield { clause, precision };
  }
}

const kindsOf: Readonly<Record<string, readonly string[]>> = {
  d: ['int', 'uint'],
  o: ['int', 'uint'],
  b: ['int', 'uint', 'bool'],
  x: ['int', 'uint', 'string', 'bytes'],
  X: ['int', 'uint', 'string', 'bytes'],
  f: ['double', 'string'],
  e: ['double', 'string'],
  s: ['string', 'bool', 'bytes', 'int', 'uint', 'double', 'map', 'list', 'type', 'duration', 'timestamp', 'null'],
};

/** What is wrong with a constant text and arguments of these types; `index` is of the argument that it is about. upstream: cel-go ext/formatting.go. */
export function formatIssue(text: string, types: readonly CelType[]): { message: string; index?: number } | undefined {
  let next = 0;
  try {
    for (const piece of pieces(text)) {
      if (typeof piece === 'string') continue;
      if (next >= types.length) return { message: `index ${next} out of range` };
      const type = types[next]!;
      if (!['dyn', 'error', 'param'].includes(type.kind) && !kindsOf[piece.clause]!.includes(type.kind))
        return { message: complaint(piece.clause, type.name), index: next };
      next++;
    }
  } catch (error) {
    if (error instanceof FormatError) return { message: error.message };
    throw error;
  }
  return next < types.length
    ? { message: `too many arguments supplied to string.format (expected ${next}, got ${types.length})` }
    : undefined;
}

function complaint(clause: string, type: string): string {
  const wrong = (text: string): string => `error during formatting: ${text}, was given ${type}`;
  switch (clause) {
    case 'd':
      return wrong('decimal clause can only be used on integers');
    case 'o':
      return wrong('octal clause can only be used on integers');
    case 'b':
      return wrong('only integers and bools can be formatted as binary');
    case 'x':
    case 'X':
      return wrong('only integers, byte buffers, and strings can be formatted as hex');
    case 'f':
      return wrong('fixed-point clause can only be used on doubles');
    case 'e':
      return wrong('scientific clause can only be used on doubles');
    default:
      return wrong('string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps');
  }
}

function clauseText(clause: string, value: Value, precision: number): string {
  if (isError(value)) throw new FormatError(value.message);
  switch (clause) {
    case 's':
      return shown(value, true);
    case 'd':
      return whole(value, 'decimal clause', 10, false);
    case 'o':
      return whole(value, 'octal clause', 8, false);
    case 'b':
      return typeof value === 'boolean' ? (value ? '1' : '0') : whole(value, 'only integers and bools can be formatted as binary', 2, true);
    case 'x':
      return hexadecimal(value);
    case 'X':
      return hexadecimal(value).toUpperCase();
    case 'f':
      return special(number(value, 'fixed-point clause')) ?? number(value, 'fixed-point clause').toFixed(precision);
    default:
      return scientific(number(value, 'scientific clause'), precision);
  }
}

const failed = (text: string): FormatError => new FormatError(`error during formatting: ${text}`);
const given = (value: Value): string => `was given ${typeOf(value).name}`;

function integerOf(value: Value): bigint | undefined {
  if (typeof value === 'bigint') return value;
  return value instanceof Uint ? value.value : undefined;
}

function whole(value: Value, clause: string, base: number, complete: boolean): string {
  const number = integerOf(value);
  if (number !== undefined) return number.toString(base);
  if (typeof value === 'number' && base === 10 && !Number.isFinite(value)) return special(value)!;
  throw failed(complete ? `${clause}, ${given(value)}` : `${clause} can only be used on integers, ${given(value)}`);
}

function hexadecimal(value: Value): string {
  const number = integerOf(value);
  if (number !== undefined) return number.toString(16);
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  throw failed(`only integers, byte buffers, and strings can be formatted as hex, ${given(value)}`);
}

function number(value: Value, clause: string): number {
  if (typeof value === 'number') return value;
  throw failed(`${clause} can only be used on doubles, ${given(value)}`);
}

const special = (value: number): string | undefined => {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? undefined : value > 0 ? '∞' : '-∞';
};

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

function scientific(value: number, precision: number): string {
  const name = special(value);
  if (name) return name;
  const [digits = '', power = '0'] = value.toExponential(precision).split('e');
  const size = Math.abs(Number(power)).toString().padStart(2, '0');
  const raised = Array.from(size, (digit) => superscripts[Number(digit)]).join('');
  return `${digits}×10${Number(power) < 0 ? '⁻' : ''}${raised}`;
}

/** As %s shows it; strings inside of other values are quoted. */
function shown(value: Value, outer: boolean): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return outer ? value : JSON.stringify(value);
  if (typeof value === 'number') return special(value) ?? value.toFixed(6);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return outer ? Buffer.from(value).toString() : `b"${Buffer.from(value).toString()}"`;
  if (value instanceof Duration) return outer ? value.toString() : `duration("${value.toString()}")`;
  if (value instanceof Timestamp) return outer ? value.toString() : `timestamp("${value.toString()}")`;
  if (value instanceof CelType) return value.name;
  if (value instanceof List) return `[${[...value].map((item) => shown(item, false)).join(', ')}]`;
  if (value instanceof MapValue) {
    const entries = [...value.keys()].map((key) => [shown(key, false), shown(value.find(key)!, false)] as const);
    return `{${entries
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${key}:${item}`)
      .join(', ')}}`;
  }
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  throw failed(
    `string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, ${given(value)}`,
  );
}
