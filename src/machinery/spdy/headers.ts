/**
 * Header blocks: pairs of strings, compressed by zlib with the protocol's dictionary over one context a connection.
 * What we write are stored blocks: valid zlib without state, so frames can be made synchronously; the few headers of a stream gain nothing by compression.
 */
import { createInflate, constants } from 'node:zlib';
import type { Inflate } from 'node:zlib';
import { dictionary } from './dictionary.ts';

export type SpdyHeaders = Record<string, string>;

function block(headers: SpdyHeaders): Buffer {
  const parts: Buffer[] = [];
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const entries = Object.entries(headers);
  parts.push(number(entries.length));
  for (const entry of entries)
    for (const text of [entry[0].toLowerCase(), entry[1]]) {
      const bytes = Buffer.from(text);
      parts.push(number(bytes.length), bytes);
    }
  return Buffer.concat(parts);
}

/** Compresses (by storing) the header blocks of one connection's sending side. */
export class HeaderWriter {
  #begun = false;

  write(headers: SpdyHeaders): Buffer {
    const content = block(headers);
    const parts: Buffer[] = [];
    if (!this.#begun) parts.push(Buffer.from([0x78, 0x01]));
    this.#begun = true;
    for (let at = 0; at < content.length; at += 0xffff) {
      const piece = content.subarray(at, at + 0xffff);
      const head = Buffer.alloc(5);
      head.writeUInt16LE(piece.length, 1);
      head.writeUInt16LE(~piece.length & 0xffff, 3);
      parts.push(head, piece);
    }
    // The empty block of a sync flush: readers hand out what they have when they meet it.
    parts.push(Buffer.from([0, 0, 0, 0xff, 0xff]));
    return Buffer.concat(parts);
  }
}

/** Decompresses the header blocks of one connection's receiving side; one after the other. */
export class HeaderReader {
  readonly #inflate: Inflate = createInflate({ dictionary, flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH });
  #output: Buffer[] = [];
  #failure: Error | undefined;

  constructor() {
    this.#inflate.on('data', (chunk: Buffer) => this.#output.push(chunk));
    this.#inflate.on('error', (error) => (this.#failure = error));
  }

  read(compressed: Buffer): Promise<SpdyHeaders> {
    return new Promise((resolve, reject) => {
      this.#inflate.once('error', reject);
      this.#inflate.write(compressed, () => {
        this.#inflate.off('error', reject);
        if (this.#failure) return reject(this.#failure);
        const content = Buffer.concat(this.#output.splice(0));
        const headers: SpdyHeaders = {};
        let at = 4;
        const text = (): string => {
          const length = content.readUInt32BE(at);
          at += 4 + length;
          return content.toString('utf8', at - length, at);
        };
        try {
          for (let left = content.readUInt32BE(0); left > 0; left--) {
            const name = text();
            headers[name] = text();
          }
          resolve(headers);
        } catch (error) {
          reject(new Error('Cannot read a SPDY header block: it is cut off', { cause: error }));
        }
      });
    });
  }

  close(): void {
    this.#inflate.close();
  }
}
