/** Header blocks as they come: HPACK with its table of what was sent before. RFC 7541. */
import { huffmanDecode } from './huffman.ts';
import { staticTable } from './static-table.ts';

/** What each entry of the table costs beyond its characters. */
const overhead = 32;

/** The other side broke the compression: the connection cannot go on. */
export class CompressionError extends Error {}

export class HeaderDecoder {
  /** What we allow the other side (our SETTINGS_HEADER_TABLE_SIZE, the protocol's default). */
  readonly #limit = 4096;
  #size = 0;
  #maxSize = 4096;
  /** Newest last. */
  #names: string[] = [];
  #values: string[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** How often the table has changed: until it does again, a block of nothing but numbers of it means the same. */
  changes = 0;

  /** Calls `visit` for every field of a whole header block, in order. Throws CompressionError. */
  decode(block: Buffer, visit: (name: string, value: string) => void): void {
    this.#bytes = block;
    this.#at = 0;
    let fields = 0;
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      if (first & 0x80) {
        const index = this.#integer(7);
        visit(this.#name(index), this.#value(index));
      } else if ((first & 0xe0) === 0x20) {
        if (fields > 0) throw new CompressionError('a table size after fields');
        this.#resize(this.#integer(5));
        continue;
      } else {
        const indexed = (first & 0xc0) === 0x40;
        const index = this.#integer(indexed ? 6 : 4);
        const name = index === 0 ? this.#string() : this.#name(index);
        const value = this.#string();
        if (indexed) this.#add(name, value);
        visit(name, value);
      }
      fields++;
    }
  }

  #name(index: number): string {
    if (index >= 1 && index <= staticTable.length) return staticTable[index - 1]![0];
    const name = this.#names[this.#names.length - (index - staticTable.length)];
    if (name === undefined) throw new CompressionError(`no field ${index}`);
    return name;
  }

  #value(index: number): string {
    if (index <= staticTable.length) return staticTable[index - 1]![1];
    return this.#values[this.#values.length - (index - staticTable.length)]!;
  }

  #add(name: string, value: string): void {
    this.changes++;
    this.#names.push(name);
    this.#values.push(value);
    this.#size += name.length + value.length + overhead;
    this.#evict();
  }

  #resize(size: number): void {
    if (size > this.#limit) throw new CompressionError(`a table of ${size}`);
    this.changes++;
    this.#maxSize = size;
    this.#evict();
  }

  #evict(): void {
    let count = 0;
    while (this.#size > this.#maxSize) {
      this.#size -= this.#names[count]!.length + this.#values[count]!.length + overhead;
      count++;
    }
    if (count === 0) return;
    this.#names = this.#names.slice(count);
    this.#values = this.#values.slice(count);
  }

  #integer(prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = this.#bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || shift > 21) throw new CompressionError('an integer without end');
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  #string(): string {
    const bytes = this.#bytes;
    const coded = (bytes[this.#at] ?? 0) & 0x80;
    if (this.#at >= bytes.length) throw new CompressionError('a string that is cut off');
    const length = this.#integer(7);
    const start = this.#at;
    this.#at += length;
    if (this.#at > bytes.length) throw new CompressionError('a string that is cut off');
    if (!coded) return bytes.toString('latin1', start, this.#at);
    const text = huffmanDecode(bytes, start, this.#at);
    if (text === undefined) throw new CompressionError('not a Huffman code');
    return text;
  }
}
