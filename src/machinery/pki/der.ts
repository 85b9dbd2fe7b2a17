/** As much of DER (X.690) as X.509 needs: a writer of nested values and a reader that walks them. */

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  nothing: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printable: 0x13,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

export function tlv(tag: number, ...contents: Uint8Array[]): Buffer {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  let head: number[];
  if (length < 0x80) head = [tag, length];
  else if (length < 0x100) head = [tag, 0x81, length];
  else if (length < 0x10000) head = [tag, 0x82, length >> 8, length & 0xff];
  else head = [tag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
  return Buffer.concat([Buffer.from(head), ...contents]);
}

export const sequence = (...parts: Uint8Array[]): Buffer => tlv(tags.sequence, ...parts);
export const set = (...parts: Uint8Array[]): Buffer => tlv(tags.set, ...parts);
/** [number] EXPLICIT or constructed IMPLICIT. */
export const tagged = (number: number, ...parts: Uint8Array[]): Buffer => tlv(0xa0 | number, ...parts);
/** [number] IMPLICIT of a primitive value. */
export const implicit = (number: number, value: Uint8Array): Buffer => tlv(0x80 | number, value);
export const octetString = (value: Uint8Array): Buffer => tlv(tags.octetString, value);
export const bitString = (value: Uint8Array, unused = 0): Buffer => tlv(tags.bitString, Buffer.from([unused]), value);
export const boolean = (value: boolean): Buffer => tlv(tags.boolean, Buffer.from([value ? 0xff : 0]));
export const nothing = (): Buffer => tlv(tags.nothing);

/** A non-negative integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  return (trimmed[0] ?? 0) & 0x80 ? tlv(tags.integer, Buffer.from([0]), trimmed) : tlv(tags.integer, trimmed);
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes: number[] = [];
  for (const number of [first * 40 + second, ...rest]) {
    const groups = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tlv(tags.oid, Buffer.from(bytes));
}

/** PrintableString where the text allows it, as Go writes names; UTF8String otherwise. */
export const text = (value: string): Buffer =>
  tlv(/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value) ? tags.printable : tags.utf8, Buffer.from(value, 'utf8'));

/** UTCTime up to 2049, GeneralizedTime after (RFC 5280, 4.1.2.5). Whole seconds. */
export function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '');
  return Number(digits.slice(0, 4)) < 2050
    ? tlv(tags.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : tlv(tags.generalizedTime, Buffer.from(`${digits}Z`));
}

/** One value read: its tag, its content, and itself with header (signatures cover that). */
export interface Value {
  tag: number;
  content: Buffer;
  raw: Buffer;
}

/** Reads the value that starts at `offset`. Throws where the bytes end too early or the length is not DER. */
export function read(bytes: Uint8Array, offset = 0): Value {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = buffer[offset];
  let length = buffer[offset + 1];
  if (tag === undefined || length === undefined) throw new Error('Cannot read DER: it ends early');
  let start = offset + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4) throw new Error('Cannot read DER: its length is not definite');
    if (start + count > buffer.length) throw new Error('Cannot read DER: it ends early');
    length = buffer.readUIntBE(start, count);
    start += count;
  }
  if (start + length > buffer.length) throw new Error('Cannot read DER: it ends early');
  return { tag, content: buffer.subarray(start, start + length), raw: buffer.subarray(offset, start + length) };
}

/** The values inside a constructed value's content. */
export function children(content: Uint8Array): Value[] {
  const values: Value[] = [];
  for (let offset = 0; offset < content.length;) {
    const value = read(content, offset);
    values.push(value);
    offset += value.raw.length;
  }
  return values;
}

export function readOid(content: Uint8Array): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of content) {
    number = number * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(number / 40));
      numbers.push(first, number - first * 40);
    } else numbers.push(number);
    number = 0;
  }
  return numbers.join('.');
}

/** Milliseconds since 1970. */
export function readTime({ tag, content }: Value): number {
  const digits = content.toString('latin1');
  const full = tag === tags.utcTime ? `${Number(digits.slice(0, 2)) < 50 ? '20' : '19'}${digits}` : digits;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z$/.exec(full);
  if (!match) throw new Error(`Cannot read DER: ${digits} is not a time`);
  return Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]), Number(match[4]), Number(match[5]), Number(match[6] ?? 0));
}

export const readText = ({ tag, content }: Value): string =>
  tag === 0x1e ? Buffer.from(content).swap16().toString('utf16le') : content.toString(tag === tags.utf8 ? 'utf8' : 'latin1');
