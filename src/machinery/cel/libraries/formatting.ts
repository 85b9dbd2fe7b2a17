import { CelType } from '../types.ts';
import { List } from '../values/list.ts';
import { MapValue } from '../values/map.ts';
import { CelError, Duration, Timestamp, Uint } from '../values/scalars.ts';
import { isError, Opaque, typeOf } from '../values/value.ts';
import type { Value } from '../values/value.ts';

/** 'text'.format(list). upstream: cel-go ext/formatting.go. */

class FormatError extends Error {}

export function formatText(text: string, args: List): Value {
  let result = '';
  let next = 0;
  try {
    for (let index = 0; index < text.length; index++) {
      if (text[index] !== '%') {
        result += text[index];
        continue;
      }
      index++;
      if (text[index] === '%') {
        result += '%';
        continue;
      }
      let precision = 6;
      if (text[index] === '.') {
        const digits = /^\d+/.exec(text.slice(index + 1))?.[0] ?? '';
        if (index + 1 + digits.length >= text.length) throw new FormatError('could not find end of precision specifier');
        precision = Number(digits || 0);
        index += 1 + digits.length;
      }
      const clause = text[index];
      if (clause === undefined) throw new FormatError('unexpected end of string');
      if (!'sdfexXob'.includes(clause))
        throw new FormatError(`could not parse formatting clause: unrecognized formatting clause "${clause}"`);
      if (next >= args.size) throw new FormatError(`index ${next} out of range`);
      result += clauseText(clause, args.at(next++), precision);
    }
  } catch (error) {
    if (error instanceof FormatError) return new CelError(error.message);
    throw error;
  }
  return result;
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
  const integer = integerOf(value);
  if (integer !== undefined) return Number(integer);
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
  const raised = [...size].map((digit) => superscripts[Number(digit)]).join('');
  return `${digits}×10${Number(power) < 0 ? '⁻' : ''}${raised}`;
}

/** As %s shows it; strings inside of other values are quoted. */
function shown(value: Value, outer: boolean): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return outer ? value : JSON.stringify(value);
  if (typeof value === 'number') return special(value) ?? (outer ? value.toFixed(6) : value.toFixed(6));
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
  if (value instanceof Opaque && value.type.name.startsWith('net.')) return value.toString();
  throw failed(
    `string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, ${given(value)}`,
  );
}
