import { library } from '../check/declarations.ts';
import { List } from '../values/list.ts';
import { CelError } from '../values/scalars.ts';
import type { Value } from '../values/value.ts';
import { formatText } from './formatting.ts';

/** Strings, counted in code points. upstream: cel-go ext/strings.go. */

const outOfRange = (index: bigint): CelError => new CelError(`index out of range: ${index}`);

function charAt(text: string, index: bigint): Value {
  const characters = Array.from(text);
  if (index < 0n || index > BigInt(characters.length)) return outOfRange(index);
  return characters[Number(index)] ?? '';
}

function indexOf(text: string, part: string, from = 0n): Value {
  if (from < 0n) return outOfRange(from);
  const characters = Array.from(text);
  if (part === '') return from;
  const wanted = Array.from(part);
  for (let index = Number(from); index + wanted.length <= characters.length; index++)
    if (wanted.every((character, offset) => characters[index + offset] === character)) return BigInt(index);
  return -1n;
}

function lastIndexOf(text: string, part: string, from?: bigint): Value {
  const characters = Array.from(text);
  if (from !== undefined && (from < 0n || from > BigInt(characters.length))) return outOfRange(from);
  if (part === '') return from ?? BigInt(characters.length);
  const wanted = Array.from(part);
  const last = Math.min(characters.length - wanted.length, from === undefined ? Infinity : Number(from));
  for (let index = last; index >= 0; index--)
    if (wanted.every((character, offset) => characters[index + offset] === character)) return BigInt(index);
  return -1n;
}

function substring(text: string, start: bigint, end?: bigint): Value {
  const characters = Array.from(text);
  const size = BigInt(characters.length);
  if (end === undefined) return start < 0n || start > size ? outOfRange(start) : characters.slice(Number(start)).join('');
  if (start > end) return new CelError(`invalid substring range. start: ${start}, end: ${end}`);
  if (start < 0n || start > size) return outOfRange(start);
  if (end < 0n || end > size) return outOfRange(end);
  return characters.slice(Number(start), Number(end)).join('');
}

function replace(text: string, from: string, to: string, limit = -1n): Value {
  if (limit === 0n) return text;
  if (limit < 0n) return from === '' ? ['', ...Array.from(text)].map((part) => part + to).join('') : text.replaceAll(from, to);
  const parts = from === '' ? ['', ...Array.from(text)] : text.split(from);
  let result = parts[0]!;
  for (let index = 1; index < parts.length; index++) result += (BigInt(index) <= limit ? to : from) + parts[index]!;
  return result;
}

function split(text: string, separator: string, limit = -1n): Value {
  if (limit === 0n) return new List([]);
  if (limit === 1n) return new List([text]);
  const parts = separator === '' ? Array.from(text) : text.split(separator);
  if (limit < 0n || BigInt(parts.length) <= limit) return new List(parts);
  const kept = parts.slice(0, Number(limit) - 1);
  return new List([...kept, parts.slice(kept.length).join(separator)]);
}

function join(list: List, separator = ''): Value {
  const parts: string[] = [];
  for (const part of list) {
    if (typeof part !== 'string') return new CelError('no such overload: join(list)');
    parts.push(part);
  }
  return parts.join(separator);
}

const escapes: Record<string, string> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

/** The text as a literal, with its quotes. */
export const quote = (text: string): string => `"${text.replace(/[\x07\b\f\n\r\t\v\\"]/g, (character) => escapes[character]!)}"`;

/** Space as Unicode has it. */
const trim = (text: string): string => text.replace(/^[\s\x85]+|[\s\x85]+$/g, '');

export const stringsLibrary = library(
  `
.charAt string_char_at_int(string, int) -> string
.format string_format(string, list(dyn)) -> string
.indexOf string_index_of_string(string, string) -> int
.indexOf string_index_of_string_int(string, string, int) -> int
.join list_join(list(string)) -> string
.join list_join_string(list(string), string) -> string
.lastIndexOf string_last_index_of_string(string, string) -> int
.lastIndexOf string_last_index_of_string_int(string, string, int) -> int
.lowerAscii string_lower_ascii(string) -> string
.replace string_replace_string_string(string, string, string) -> string
.replace string_replace_string_string_int(string, string, string, int) -> string
.split string_split_string(string, string) -> list(string)
.split string_split_string_int(string, string, int) -> list(string)
strings.quote strings_quote(string) -> string
.substring string_substring_int(string, int) -> string
.substring string_substring_int_int(string, int, int) -> string
.trim string_trim(string) -> string
.upperAscii string_upper_ascii(string) -> string
`,
  {
    string_char_at_int: charAt,
    string_index_of_string: indexOf,
    string_index_of_string_int: indexOf,
    string_last_index_of_string: lastIndexOf,
    string_last_index_of_string_int: lastIndexOf,
    string_lower_ascii: (text: string) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
    string_upper_ascii: (text: string) => text.replace(/[a-z]/g, (letter) => letter.toUpperCase()),
    string_replace_string_string: replace,
    string_replace_string_string_int: replace,
    string_split_string: split,
    string_split_string_int: split,
    string_substring_int: substring,
    string_substring_int_int: substring,
    string_trim: trim,
    list_join: join,
    list_join_string: join,
    strings_quote: quote,
    string_format: formatText,
  },
);
