/** Cuts what comes into frames, whatever pieces it comes in. */
import { ConnectionError, code, headSize, preface } from './protocol.ts';

export type FrameHandler = (type: number, flags: number, id: number, payload: Buffer) => void;

export class Input {
  readonly #maxFrame: number;
  readonly #handle: FrameHandler;
  #begun = false;
  /** Pieces of what is not whole yet. */
  #parts: Buffer[] = [];
  #size = 0;
  /** Nothing can be done before that much is there. */
  #needed = preface.length;

  constructor(maxFrame: number, handle: FrameHandler) {
    this.#maxFrame = maxFrame;
    this.#handle = handle;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** Throws ConnectionError. */
  push(chunk: Buffer): void {
    if (this.#size > 0) {
      this.#parts.push(chunk);
      this.#size += chunk.length;
      if (this.#size < this.#needed) return;
      chunk = Buffer.concat(this.#parts, this.#size);
      this.#parts = [];
      this.#size = 0;
    }
    let at = 0;
    if (!this.#begun) {
      if (chunk.length < preface.length) return this.#keep(chunk, preface.length);
      if (!chunk.subarray(0, preface.length).equals(preface)) throw new ConnectionError(code.protocolError, 'not a preface');
      this.#begun = true;
      at = preface.length;
    }
    while (at < chunk.length) {
      if (chunk.length - at < headSize) return this.#keep(chunk.subarray(at), headSize);
      const length = (chunk[at]! << 16) | (chunk[at + 1]! << 8) | chunk[at + 2]!;
      if (length > this.#maxFrame) throw new ConnectionError(code.frameSizeError, `a frame of ${length} bytes`);
      const end = at + headSize + length;
      if (end > chunk.length) return this.#keep(chunk.subarray(at), headSize + length);
      this.#handle(chunk[at + 3]!, chunk[at + 4]!, chunk.readUInt32BE(at + 5) & 0x7fffffff, chunk.subarray(at + headSize, end));
      at = end;
    }
  }

  #keep(rest: Buffer, needed: number): void {
    this.#parts.push(rest);
    this.#size = rest.length;
    this.#needed = needed;
  }
}
