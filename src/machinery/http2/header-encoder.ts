/**
 * Header blocks as we send them: fields of the static table by number, the rest spelled out. Nothing enters the other side's table, so that
 * a block's bytes depend on nothing that was sent before. RFC 7541, sections 6.1 and 6.2.2.
 */
import { staticTable } from './static-table.ts';

const nameIndex = new Map<string, number>();
const statusIndex = new Map<string, number>();
for (const [index, [name, value]] of staticTable.entries()) {
  if (!nameIndex.has(name)) nameIndex.set(name, index + 1);
  if (name === ':status') statusIndex.set(value, index + 1);
}

/** Grows as needed; one for all, since a block is written in one go. */
let scratch = Buffer.allocUnsafeSlow(8192);
let at = 0;

function room(bytes: number): void {
  if (at + bytes <= scratch.length) return;
  const bigger = Buffer.allocUnsafeSlow(Math.max(scratch.length * 2, at + bytes));
  scratch.copy(bigger, 0, 0, at);
  scratch = bigger;
}

function integer(value: number, prefix: number, flags: number): void {
  const mask = (1 << prefix) - 1;
  if (value < mask) {
    scratch[at++] = flags | value;
    return;
  }
  scratch[at++] = flags | mask;
  for (value -= mask; value >= 128; value >>>= 7) scratch[at++] = (value & 127) | 128;
  scratch[at++] = value;
}

function text(value: string): void {
  room(value.length + 16);
  integer(value.length, 7, 0);
  at += scratch.write(value, at, 'latin1');
}

function field(name: string, value: string): void {
  room(16);
  const index = nameIndex.get(name);
  integer(index ?? 0, 4, 0);
  if (index === undefined) text(name);
  text(value);
}

/** Values may be several, and undefined ones are left out. Names are in lower case. */
export type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** With `date` and `length` where they are given. The bytes are good until the next call. */
export function encodeHeaders(status: number, headers: Fields, date?: string, length?: number): Uint8Array {
  at = 0;
  const known = statusIndex.get(String(status));
  if (known !== undefined) integer(known, 7, 0x80);
  else field(':status', String(status));
  fields(headers);
  if (date !== undefined) field('date', date);
  if (length !== undefined) field('content-length', String(length));
  return scratch.subarray(0, at);
}

/** A head that is sent again and again, for `Stream.answer`. */
export const headBlock = (status: number, headers: Fields): Uint8Array => Uint8Array.from(encodeHeaders(status, headers));
/** Trailers that are. */
export const trailersBlock = (trailers: Fields): Uint8Array => Uint8Array.from(encodeTrailers(trailers));

/** Fields behind a body. The bytes are good until the next call. */
export function encodeTrailers(trailers: Fields): Uint8Array {
  at = 0;
  fields(trailers);
  return scratch.subarray(0, at);
}

function fields(all: Fields): void {
  for (const name in all) {
    const value = all[name];
    if (typeof value === 'string') field(name, value);
    else if (value !== undefined) for (const item of value) field(name, item);
  }
}
