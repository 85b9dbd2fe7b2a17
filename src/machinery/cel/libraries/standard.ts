import { library } from '../check/declarations.ts';
import { CelError, Duration, int, maxInt, minInt, Timestamp, Uint, uint } from '../values/scalars.ts';
import { durationText, parseDuration, parseTimestamp } from '../values/time.ts';
import { sizeOf } from '../values/value.ts';
import type { Value } from '../values/value.ts';
import { doubleText } from './format-double.ts';
import { matchesPattern } from './regex.ts';

/** Sizes, tests of strings, conversions. upstream: cel-go common/stdlib/standard.go. */

const size = (value: Value): Value => BigInt(sizeOf(value));
const same = (value: Value): Value => value;
const wrong = (from: string, to: string): CelError => new CelError(`type conversion error from '${from}' to '${to}'`);
const overflow = new CelError('integer overflow');
const unsignedOverflow = new CelError('unsigned integer overflow');
const billion = 1_000_000_000n;

function doubleToInt(value: number): Value {
  if (Number.isNaN(value) || value <= Number(minInt) || value >= Number(maxInt)) return overflow;
  return BigInt(Math.trunc(value));
}

function doubleToUint(value: number): Value {
  return Number.isNaN(value) || value < 0 || value >= 2 ** 64 ? unsignedOverflow : new Uint(BigInt(Math.trunc(value)));
}

function stringToInt(text: string): Value {
  if (!/^[+-]?[0-9]+$/.test(text)) return wrong('string', 'int');
  const value = BigInt(text.replace(/^\+/, ''));
  return value < minInt || value > maxInt ? wrong('string', 'int') : value;
}

function stringToUint(text: string): Value {
  if (!/^[0-9]+$/.test(text)) return wrong('string', 'uint');
  const value = uint(BigInt(text));
  return value instanceof Uint ? value : wrong('string', 'uint');
}

function stringToDouble(text: string): Value {
  if (/^[+-]?(?:inf|infinity)$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : wrong('string', 'double');
}

const truths: Record<string, boolean> = {
  ...Object.fromEntries(['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true])),
  ...Object.fromEntries(['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false])),
};

function bytesToString(bytes: Uint8Array): Value {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return new CelError('invalid UTF-8 in bytes, cannot convert to string');
  }
}

function stringToDuration(text: string): Value {
  const nanos = parseDuration(text);
  return nanos === undefined ? wrong('string', 'google.protobuf.Duration') : new Duration(nanos);
}

function stringToTimestamp(text: string): Value {
  const nanos = parseTimestamp(text);
  return nanos === undefined ? wrong('string', 'google.protobuf.Timestamp') : new Timestamp(nanos);
}

const floorDivide = (a: bigint, b: bigint): bigint => (a < 0n && a % b !== 0n ? a / b - 1n : a / b);

export const standardLibrary = library(
  `
bool bool_to_bool(bool) -> bool
bool string_to_bool(string) -> bool
bytes bytes_to_bytes(bytes) -> bytes
bytes string_to_bytes(string) -> bytes
.contains contains_string(string, string) -> bool
double double_to_double(double) -> double
double int64_to_double(int) -> double
double string_to_double(string) -> double
double uint64_to_double(uint) -> double
duration duration_to_duration(duration) -> duration
duration int64_to_duration(int) -> duration
duration string_to_duration(string) -> duration
.endsWith ends_with_string(string, string) -> bool
int int64_to_int64(int) -> int
int double_to_int64(double) -> int
int duration_to_int64(duration) -> int
int string_to_int64(string) -> int
int timestamp_to_int64(timestamp) -> int
int uint64_to_int64(uint) -> int
matches matches(string, string) -> bool
.matches matches_string(string, string) -> bool
size size_bytes(bytes) -> int
.size bytes_size(bytes) -> int
size size_list(list(A)) -> int
.size list_size(list(A)) -> int
size size_map(map(A, B)) -> int
.size map_size(map(A, B)) -> int
size size_string(string) -> int
.size string_size(string) -> int
.startsWith starts_with_string(string, string) -> bool
string string_to_string(string) -> string
string bool_to_string(bool) -> string
string bytes_to_string(bytes) -> string
string double_to_string(double) -> string
string duration_to_string(duration) -> string
string int64_to_string(int) -> string
string timestamp_to_string(timestamp) -> string
string uint64_to_string(uint) -> string
timestamp timestamp_to_timestamp(timestamp) -> timestamp
timestamp int64_to_timestamp(int) -> timestamp
timestamp string_to_timestamp(string) -> timestamp
uint uint64_to_uint64(uint) -> uint
uint double_to_uint64(double) -> uint
uint int64_to_uint64(int) -> uint
uint string_to_uint64(string) -> uint
`,
  {
    size_bytes: size,
    bytes_size: size,
    size_list: size,
    list_size: size,
    size_map: size,
    map_size: size,
    size_string: size,
    string_size: size,
    contains_string: (text: string, part: string) => text.includes(part),
    starts_with_string: (text: string, part: string) => text.startsWith(part),
    ends_with_string: (text: string, part: string) => text.endsWith(part),
    matches: matchesPattern,
    matches_string: matchesPattern,
    bool_to_bool: same,
    string_to_bool: (text: string) => (Object.hasOwn(truths, text) ? truths[text]! : wrong('string', 'bool')),
    bytes_to_bytes: same,
    string_to_bytes: (text: string) => Uint8Array.from(Buffer.from(text)),
    double_to_double: same,
    int64_to_double: (value: bigint) => Number(value),
    uint64_to_double: (value: Uint) => Number(value.value),
    string_to_double: stringToDouble,
    duration_to_duration: same,
    int64_to_duration: (nanos: bigint) => new Duration(nanos),
    string_to_duration: stringToDuration,
    int64_to_int64: same,
    double_to_int64: doubleToInt,
    duration_to_int64: (value: Duration) => value.nanos,
    string_to_int64: stringToInt,
    timestamp_to_int64: (value: Timestamp) => floorDivide(value.nanos, billion),
    uint64_to_int64: (value: Uint) => int(value.value),
    string_to_string: same,
    bool_to_string: (value: boolean) => String(value),
    bytes_to_string: bytesToString,
    double_to_string: doubleText,
    duration_to_string: (value: Duration) => durationText(value.nanos),
    int64_to_string: (value: bigint) => String(value),
    timestamp_to_string: (value: Timestamp) => value.toString(),
    uint64_to_string: (value: Uint) => String(value.value),
    timestamp_to_timestamp: same,
    int64_to_timestamp: (seconds: bigint) => new Timestamp(seconds * billion),
    string_to_timestamp: stringToTimestamp,
    uint64_to_uint64: same,
    double_to_uint64: doubleToUint,
    int64_to_uint64: (value: bigint) => uint(value),
    string_to_uint64: stringToUint,
  },
);
