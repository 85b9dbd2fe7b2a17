/**
 * Reading header blocks. upstream: RFC 7541 (HPACK). Writing needs no table: what we send is constant (frames.ts).
 * Strings are kept as latin1: header fields are bytes.
 */

/** Appendix A. "name=value"; a name alone has no value. */
const staticTable = (
  ':authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|' +
  ':status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|' +
  'accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|' +
  'content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|cookie|' +
  'date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|' +
  'link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|' +
  'strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'
)
  .split('|')
  .map((field): [name: string, value: string] => {
    const [name, value = ''] = field.split('=') as [string, string?];
    return [name, value];
  });

/** Appendix B is a canonical code: how many symbols have a code of so many bits, and the symbols in the order of their codes. */
const lengths = [0, 0, 0, 0, 0, 10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 3];
const symbols = Buffer.from(
  '303132616365696f737420252d2e2f333435363738393d415f62646667686c6d6e7072753a42434445464748494a4b4c4d4e4f505152535455565759' +
    '6a6b71767778797a262a2c3b585a212228293f272b7c233e0024405b5d7e5e7d3c607b5cc3d0808283a2b8c2e0e299a1a7acb0b1b3d1d8d9e3e5e681' +
    '84858688929a9ca0a3a4a9aaadb2b5b9babbbdbec4c6e4e8e90187898a8b8c8d8f93959697989b9d9ea5a6a8aeafb4b6b7bcbfc5e7ef098e9091949f' +
    'abced7e1ecedc7cfeaebc0c1c8c9cacdd2d5dadbeef0f2f3ffcbccd3d4d6dddedff1f4f5f6f7f8fafbfcfdfe020304050607080b0c0e0f1011121314' +
    '151718191a1b1c1d1e1f7fdcf90a0d16',
  'hex',
);
/** For each length: the first code, and where its symbol stands. */
const codes = lengths.map(() => ({ first: 0, place: 0 }));
for (let bits = 1, code = 0, place = 0; bits < lengths.length; bits++) {
  code <<= 1;
  codes[bits] = { first: code, place };
  code += lengths[bits]!;
  place += lengths[bits]!;
}

/** Throws RangeError where it is not a Huffman-coded string. */
export function huffman(bytes: Buffer): string {
  const found: number[] = [];
  let code = 0;
  let length = 0;
  for (const byte of bytes)
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >> bit) & 1);
      length++;
      if (length >= lengths.length) throw new RangeError('a Huffman code is longer than any');
      const offset = code - codes[length]!.first;
      if (offset >= lengths[length]!) continue;
      found.push(symbols[codes[length]!.place + offset]!);
      code = length = 0;
    }
  // What is left is the beginning of the end-of-string code: ones, fewer than eight.
  if (length > 7 || code !== (1 << length) - 1) throw new RangeError('a Huffman-coded string has wrong padding');
  return String.fromCharCode(...found);
}

/** What an entry of the table counts for beside its strings. */
const overhead = 32;

export class HeaderDecoder {
  readonly #capacity: number;
  /** Oldest first. */
  #entries: [name: string, value: string][] = [];
  #size = 0;
  #limit: number;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(capacity = 4096) {
    this.#capacity = this.#limit = capacity;
  }

  /** Throws RangeError where the block is none. */
  decode(block: Buffer): [name: string, value: string][] {
    this.#bytes = block;
    this.#at = 0;
    const fields: [string, string][] = [];
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      if (first & 0x80) fields.push(this.#entry(this.#integer(7)));
      else if (first & 0x40) {
        const field = this.#literal(6);
        fields.push(field);
        this.#add(field);
      } else if (first & 0x20) this.#resize(this.#integer(5));
      else fields.push(this.#literal(4));
    }
    return fields;
  }

  #integer(bits: number): number {
    const mask = (1 << bits) - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (value > 2 ** 31) throw new RangeError('an integer in a header block is too large');
      if (byte < 0x80) return value;
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('a header block ends too soon');
    return byte;
  }

  #literal(bits: number): [string, string] {
    const index = this.#integer(bits);
    const name = index === 0 ? this.#string() : this.#entry(index)[0];
    return [name, this.#string()];
  }

  #string(): string {
    const coded = (this.#bytes[this.#at] ?? 0) & 0x80;
    const length = this.#integer(7);
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('a header block ends too soon');
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return coded ? huffman(bytes) : bytes.toString('latin1');
  }

  #entry(index: number): [string, string] {
    const found = index <= staticTable.length ? staticTable[index - 1] : this.#entries[this.#entries.length - (index - staticTable.length)];
    if (!found) throw new RangeError(`there is no header field ${index}`);
    return found;
  }

  #add(field: [string, string]): void {
    this.#entries.push(field);
    this.#size += field[0].length + field[1].length + overhead;
    this.#evict();
  }

  #resize(limit: number): void {
    if (limit > this.#capacity) throw new RangeError('the header table is asked to grow beyond what was allowed');
    this.#limit = limit;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#limit) {
      const [name, value] = this.#entries.shift()!;
      this.#size -= name.length + value.length + overhead;
    }
  }
}
