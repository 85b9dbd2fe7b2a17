/**
 * What a connection sends: frames are written one after the other into one buffer, which goes to the socket once a turn of the loop, so that
 * many small answers are one write (and one TLS record).
 */
import type { Duplex } from 'node:stream';
import { flag, frame, headSize } from './protocol.ts';

const bufferSize = 64 * 1024;
/** Buffers that the socket is done with, so many as one batch to many watchers takes. */
const spare: Buffer[] = [];
const mostSpare = 48;

export class Output {
  readonly #socket: Duplex;
  readonly #drained: () => void;
  #buffer: Buffer | undefined;
  #length = 0;
  #scheduled = false;
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

  flush(): void {
    const buffer = this.#buffer;
    const length = this.#length;
    if (!buffer || length === 0) return;
    this.#buffer = undefined;
    this.#length = 0;
    if (this.#socket.destroyed || !this.#socket.writable) return;
    this.#pending += length;
    this.#socket.write(buffer.subarray(0, length), () => {
      this.#pending -= length;
      if (spare.length < mostSpare) spare.push(buffer);
      this.#drained();
    });
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
    if (this.#buffer && this.#length + size > bufferSize) this.flush();
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
