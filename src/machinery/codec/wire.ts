/** The Protocol Buffers wire format: varints, tags, length-delimited fields. Shared by every table-driven codec. */

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Reads one message's bytes. Numbers beyond 2^53 lose precision; nothing in the API reaches that. */
export class WireReader {
  readonly bytes: Buffer;
  at: number;
  end: number;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
    this.end = this.bytes.length;
  }

  get more(): boolean {
    return this.at < this.end;
  }

  #byte(): number {
    if (this.at >= this.end) throw new RangeError('unexpected end of protobuf data');
    return this.bytes[this.at++]!;
  }

  /** An unsigned varint as a number. */
  varint(): number {
    let byte = this.#byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 128;
    for (let count = 1; count < 10; count++) {
      byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new RangeError('a protobuf varint is longer than ten bytes');
  }

  /** A signed 32 or 64 bit varint (two's complement). */
  int(): number {
    return Number(this.exactInt());
  }

  /** The same; a bigint where a number does not hold it exactly. */
  exactInt(): number | bigint {
    const start = this.at;
    const value = this.varint();
    if (value < 2 ** 53) return value;
    // Ten bytes: negative. Read again exactly.
    let big = 0n;
    for (let index = start, shift = 0n; index < this.at; index++, shift += 7n) big |= BigInt(this.bytes[index]! & 0x7f) << shift;
    const signed = BigInt.asIntN(64, big);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  block(): Buffer {
    const length = this.varint();
    const start = this.at;
    if (length > this.end - start) throw new RangeError('a protobuf field is longer than its message');
    this.at = start + length;
    return this.bytes.subarray(start, this.at);
  }

  string(): string {
    const length = this.varint();
    const start = this.at;
    if (length > this.end - start) throw new RangeError('a protobuf field is longer than its message');
    this.at = start + length;
    return this.bytes.toString('utf8', start, this.at);
  }

  double(): number {
    if (this.end - this.at < 8) throw new RangeError('unexpected end of protobuf data');
    this.at += 8;
    return this.bytes.readDoubleLE(this.at - 8);
  }

  float(): number {
    if (this.end - this.at < 4) throw new RangeError('unexpected end of protobuf data');
    this.at += 4;
    return this.bytes.readFloatLE(this.at - 4);
  }

  /** Reads a length and narrows the reader to that block; give the answer to `leave`. */
  enter(): number {
    const length = this.varint();
    if (length > this.end - this.at) throw new RangeError('a protobuf message is longer than its data');
    const outer = this.end;
    this.end = this.at + length;
    return outer;
  }

  leave(outer: number): void {
    this.at = this.end;
    this.end = outer;
  }

  skip(wireType: number): void {
    if (wireType === wireTypes.varint) this.varint();
    else if (wireType === wireTypes.bytes) this.block();
    else if (wireType === wireTypes.fixed64) this.at += 8;
    else if (wireType === wireTypes.fixed32) this.at += 4;
    else throw new RangeError(`unknown protobuf wire type ${wireType}`);
    if (this.at > this.end) throw new RangeError('unexpected end of protobuf data');
  }
}

/** Writes one message. `mark` and `close` write nested messages without a second buffer. */
export class WireWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(capacity = 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  #room(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const next = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + length));
    this.#bytes.copy(next, 0, 0, this.#at);
    this.#bytes = next;
  }

  varint(value: number): this {
    this.#room(10);
    while (value >= 0x80) {
      this.#bytes[this.#at++] = (value % 128) | 0x80;
      value = Math.floor(value / 128);
    }
    this.#bytes[this.#at++] = value;
    return this;
  }

  int(value: number | bigint): this {
    if (typeof value === 'number' && value >= 0) return this.varint(value);
    let big = BigInt.asUintN(64, BigInt(value));
    this.#room(10);
    while (big >= 0x80n) {
      this.#bytes[this.#at++] = Number(big & 0x7fn) | 0x80;
      big >>= 7n;
    }
    this.#bytes[this.#at++] = Number(big);
    return this;
  }

  tag(number: number, wireType: number): this {
    return this.varint(number * 8 + wireType);
  }

  string(value: string): this {
    // Short strings: guess one length byte, write, correct if the guess was wrong.
    this.#room(value.length * 3 + 10);
    const start = this.#at + 1;
    const length = this.#bytes.write(value, start, 'utf8');
    return this.#wrote(start, length);
  }

  /** A string of bytes: each UTF-16 unit is one, 0-255. */
  latin1(value: string): this {
    this.varint(value.length);
    this.#room(value.length);
    this.#at += this.#bytes.write(value, this.#at, 'latin1');
    return this;
  }

  block(value: Uint8Array): this {
    this.varint(value.length);
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  double(value: number): this {
    this.#room(8);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
    return this;
  }

  float(value: number): this {
    this.#room(4);
    this.#at = this.#bytes.writeFloatLE(value, this.#at);
    return this;
  }

  /** Begins a length-delimited block whose length is not known yet. */
  mark(): number {
    this.#room(1);
    return ++this.#at;
  }

  close(start: number): this {
    const length = this.#at - start;
    this.#at = start - 1;
    return this.#wrote(start, length);
  }

  /** `length` bytes stand at `start`, with one byte left free before them for the length: write it, moving the bytes where it needs more. */
  #wrote(start: number, length: number): this {
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      this.#at = start + length;
      return this;
    }
    let extra = 0;
    for (let rest = length; rest >= 0x80; rest = Math.floor(rest / 128)) extra++;
    this.#at = start + length;
    this.#room(extra);
    this.#bytes.copyWithin(start + extra, start, start + length);
    this.#at = start - 1;
    this.varint(length);
    this.#at = start + extra + length;
    return this;
  }

  /** Begins anew, in the same buffer. */
  clear(): void {
    this.#at = 0;
  }

  /** The bytes written; they belong to the writer's buffer, so copy what is kept. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }
}
