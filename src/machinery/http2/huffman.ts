/** HPACK's Huffman code. RFC 7541, appendix B: a canonical code, so that the lengths of the code words say all. */

/** Bits of the code word of each byte. */
// prettier-ignore
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/** Not in the code of any string: what only the end-of-string code has. */
const forbidden = -1;

interface Machine {
  /** State × 4 bits → the next state. State 0 is the beginning of a code word. */
  next: Int16Array;
  /** State × 4 bits → the byte whose code word ended, -1 for none: no word is shorter than 5 bits. */
  emitted: Int16Array;
  /** States in which a string may end: at most 7 bits, all ones, into a code word. */
  mayEnd: boolean[];
}

function build(): Machine {
  // Nodes of the code's tree: their two children, a node or the complement of a byte; 0 where there is none.
  const tree: [number, number][] = [[0, 0]];
  const add = (word: number, bits: number, leaf: number): void => {
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const side = ((word >>> bit) & 1) as 0 | 1;
      if (tree[node]![side] === 0) tree[node]![side] = tree.push([0, 0]) - 1;
      node = tree[node]![side];
    }
    tree[node]![(word & 1) as 0 | 1] = leaf;
  };
  let code = 0;
  let length = 0;
  for (const symbol of lengths.map((_, index) => index).sort((a, b) => lengths[a]! - lengths[b]! || a - b)) {
    code <<= lengths[symbol]! - length;
    length = lengths[symbol]!;
    add(code++, length, ~symbol);
  }
  const machine: Machine = { next: new Int16Array(tree.length * 16), emitted: new Int16Array(tree.length * 16), mayEnd: [] };
  for (let node = 0, ones = 0; ones < 8; ones++, node = tree[node]![1]) machine.mayEnd[node] = true;
  for (let state = 0; state < tree.length; state++)
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      let byte = -1;
      for (let bit = 3; bit >= 0 && node !== forbidden; bit--) {
        const child: number = tree[node]![((nibble >> bit) & 1) as 0 | 1];
        if (child < 0) byte = ~child;
        node = child < 0 ? 0 : child === 0 ? forbidden : child;
      }
      machine.next[state * 16 + nibble] = node;
      machine.emitted[state * 16 + nibble] = byte;
    }
  return machine;
}

/** Made for the first string: processes that speak no HTTP/2 do without. */
let machine: Machine | undefined;

/** One for all: a string is decoded in one go. */
let scratch = Buffer.allocUnsafeSlow(4096);

/** Undefined where it is not the code of a string. */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number): string | undefined {
  const { next, emitted, mayEnd } = (machine ??= build());
  // The shortest code word has 5 bits.
  const most = Math.ceil(((end - start) * 8) / 5);
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(most * 2);
  let length = 0;
  let state = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    for (let shift = 4; shift >= 0; shift -= 4) {
      const index = (state << 4) | ((byte >> shift) & 15);
      state = next[index]!;
      if (state === forbidden) return undefined;
      const found = emitted[index]!;
      if (found >= 0) scratch[length++] = found;
    }
  }
  return mayEnd[state] ? scratch.toString('latin1', 0, length) : undefined;
}
