/** Heads of requests that are asked again and again: the same bytes mean the same fields while the table of what was sent before stays. */
import type { RequestHead } from './request-head.ts';

/** So many of one table: a client of a few methods has a few. */
const most = 16;
/** Bytes of a block. Those of fields that are all in the table are shorter. */
const longest = 64;

export class KnownHeads {
  #entries: { block: Buffer; head: RequestHead }[] = [];
  /** Of the table that the entries were read with. */
  #changes = 0;

  /** `changes`: the decoder's. */
  find(block: Buffer, changes: number): RequestHead | undefined {
    if (changes !== this.#changes) return undefined;
    for (const entry of this.#entries) if (same(entry.block, block)) return entry.head;
    return undefined;
  }

  /** What was read with the table as it was after `changes`, and left it so. */
  keep(block: Buffer, changes: number, head: RequestHead): void {
    if (changes !== this.#changes) {
      this.#changes = changes;
      this.#entries = [];
    }
    if (block.length <= longest && this.#entries.length < most) this.#entries.push({ block: Buffer.from(block), head });
  }
}

/** Quicker than Buffer.equals for so few bytes. */
function same(a: Buffer, b: Buffer): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
