/**
 * What a connection sends: frames are written one after the other into one buffer, which goes to the socket once a turn of the loop, so that
 * many small answers are one write (and one TLS record).
 */
import type { Duplex } from 'node:stream';
import { flag, frame, headSize } from './protocol.ts';

/** Nine TLS records: with their heads about what a TLS socket hands to its own in one go, ten pieces of 16 KiB. */
const bufferSize = 9 * 16 * 1024;
/** Buffers that the socket is done with, so many as one batch to many watchers takes. */
const spare: Buffer[] = [];
const mostSpare = 20;

export class Output {
  readonly #socket: Duplex;
  readonly #drained: () => void;
  #buffer: Buffer | undefined;
  #length = 0;
  #scheduled = false;
  /** Buffers that wait for the socket: given one at a time, since it copies those that it is given while it is busy. */
  readonly #full: { buffer: Buffer; length: number }[] = [];
  #writing = 0;
  /** The last buffer is to be sent as well, though it is not full. */
  #due = false;
  /** Bytes that the socket has not taken yet. */
  #pending = 0;

  /** `drained` is called when the socket has taken a write. */
  constructor(socket: Duplex, drained: () => void) {
    this.#socket = socket;
    this.#drained = drained;
  }

  /** Bytes that have not left yet. */
  get backlog(): number {
    return this.#pending + this.#length;
  }

  frame(type: number, flags: number, id: number, payload: Uint8Array): void {
    this.#head(payload.length, type, flags, id);
    this.#bytes(payload, 0, payload.length);
  }

  /** A DATA frame with bytes [from, to). */
  data(id: number, bytes: Uint8Array, from: number, to: number, last: boolean): void {
    this.#head(to - from, frame.data, last ? flag.endStream : 0, id);
    this.#bytes(bytes, from, to);
  }

  /** A DATA frame of several parts, `size` bytes in all. */
  joined(id: number, parts: readonly Uint8Array[], size: number): void {
    this.#head(size, frame.data, 0, id);
    for (const part of parts) this.#bytes(part, 0, part.length);
  }

  /** A frame of one or two 32-bit numbers. */
  numbers(type: number, id: number, first: number, second?: number): void {
    this.#head(second === undefined ? 4 : 8, type, 0, id);
    const buffer = this.#room(8);
    buffer.writeUInt32BE(first >>> 0, this.#length);
    this.#length += 4;
    if (second === undefined) return;
    buffer.writeUInt32BE(second >>> 0, this.#length);
    this.#length += 4;
  }

  /** Sends what there is; where the socket is busy, as soon as it is done. */
  flush(): void {
    this.#due = true;
    if (this.#writing === 0) this.#write();
  }

  /** Hands all of it to the socket, which may then be ended. */
  finish(): void {
    do this.#due = true;
    while (this.#write());
  }

  /** One buffer to the socket. */
  #write(): boolean {
    if (this.#full.length === 0 && this.#due) this.#close();
    const next = this.#full.shift();
    if (!next || this.#socket.destroyed || !this.#socket.writable) return false;
    const { buffer, length } = next;
    this.#writing++;
    this.#socket.write(buffer.subarray(0, length), () => {
      this.#writing--;
      this.#pending -= length;
      if (spare.length < mostSpare) spare.push(buffer);
      this.#drained();
      if (this.#writing === 0) this.#write();
    });
    return true;
  }

  /** What comes from now on goes to another buffer. */
  #close(): void {
    const buffer = this.#buffer;
    const length = this.#length;
    this.#due = false;
    if (!buffer || length === 0) return;
    this.#buffer = undefined;
    this.#length = 0;
    this.#pending += length;
    this.#full.push({ buffer, length });
  }

  #head(length: number, type: number, flags: number, id: number): void {
    const buffer = this.#room(headSize);
    let at = this.#length;
    buffer[at++] = length >>> 16;
    buffer[at++] = length >>> 8;
    buffer[at++] = length;
    buffer[at++] = type;
    buffer[at++] = flags;
    buffer[at++] = id >>> 24;
    buffer[at++] = id >>> 16;
    buffer[at++] = id >>> 8;
    buffer[at++] = id;
    this.#length = at;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  #room(size: number): Buffer {
    if (this.#buffer && this.#length + size > bufferSize) {
      this.#close();
      if (this.#writing === 0) this.#write();
    }
    return (this.#buffer ??= spare.pop() ?? Buffer.allocUnsafeSlow(bufferSize));
  }

  #bytes(bytes: Uint8Array, from: number, to: number): void {
    while (from < to) {
      const buffer = this.#room(1);
      const size = Math.min(to - from, bufferSize - this.#length);
      if (from === 0 && size === bytes.length) buffer.set(bytes, this.#length);
      else buffer.set(bytes.subarray(from, from + size), this.#length);
      this.#length += size;
      from += size;
    }
  }
}
