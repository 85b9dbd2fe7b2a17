/**
 * A map in key order: chunks of sorted keys, found by binary search. Insertion and deletion move at most one chunk
 * (256 entries), so a million keys cost what a thousand do; a range touches only the chunks it covers.
 *
 * Worked example, chunks of at most 2: set a, c, e → [a c][e]; set b → [a] [b c] [e]; delete e → [a] [b c].
 * Invariant: no chunk is empty; keys grow inside a chunk and from chunk to chunk.
 */
const limit = 256;

interface Chunk<V> {
  keys: string[];
  values: V[];
}

export class SortedMap<V> {
  #chunks: Chunk<V>[] = [];
  #size = 0;
  /** The place of the key that was asked for last, which is mostly asked for again: read, compared, written. */
  #known: string | undefined;
  #at = 0;
  #index = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    const chunk = this.#find(key);
    return chunk?.keys[this.#index] === key ? chunk.values[this.#index] : undefined;
  }

  set(key: string, value: V): void {
    const chunk = this.#find(key);
    if (!chunk) {
      this.#chunks.push({ keys: [key], values: [value] });
      this.#size = 1;
      return;
    }
    const at = this.#at;
    const index = this.#index;
    if (chunk.keys[index] === key) {
      chunk.values[index] = value;
      return;
    }
    chunk.keys.splice(index, 0, key);
    chunk.values.splice(index, 0, value);
    this.#size++;
    if (chunk.keys.length <= limit) return;
    // Keys often come in ascending order: a chunk that overflows at its end leaves a full one behind.
    this.#known = undefined;
    const cut = index === chunk.keys.length - 1 && at === this.#chunks.length - 1 ? limit : limit >> 1;
    this.#chunks.splice(at + 1, 0, { keys: chunk.keys.splice(cut), values: chunk.values.splice(cut) });
  }

  delete(key: string): boolean {
    const chunk = this.#find(key);
    const at = this.#at;
    const index = this.#index;
    if (chunk?.keys[index] !== key) return false;
    this.#known = undefined;
    this.#size--;
    chunk.keys.splice(index, 1);
    chunk.values.splice(index, 1);
    if (chunk.keys.length === 0) {
      this.#chunks.splice(at, 1);
      return true;
    }
    // A chunk that has become small joins a small neighbour, so that many deletions don't leave crumbs.
    const next = this.#chunks[at + 1];
    if (next && chunk.keys.length + next.keys.length < limit >> 2) {
      chunk.keys.push(...next.keys);
      chunk.values.push(...next.values);
      this.#chunks.splice(at + 1, 1);
    }
    return true;
  }

  /** Fills an empty map from values in ascending order of their keys, each key once: faster than one by one. */
  load(values: readonly V[], keyOf: (value: V) => string): void {
    // Chunks are left with room, or the first insertions would split them all.
    const step = (limit * 3) >> 2;
    this.clear();
    for (let at = 0; at < values.length; at += step) {
      const part = values.slice(at, at + step);
      this.#chunks.push({ keys: part.map(keyOf), values: part });
    }
    this.#size = values.length;
  }

  clear(): void {
    this.#chunks = [];
    this.#size = 0;
    this.#known = undefined;
  }

  /** Calls `visit` for each key in [from, end) in order, until it answers false. No `end`: to the last. The map must not change meanwhile. */
  visit(from: string, end: string | undefined, visit: (value: V, key: string) => boolean | void): void {
    let at = Math.max(0, this.#chunkOf(from));
    const first = this.#chunks[at];
    if (!first) return;
    let index = lowerBound(first.keys, from);
    for (; at < this.#chunks.length; at++, index = 0) {
      const { keys, values } = this.#chunks[at]!;
      const stop = end === undefined || keys[keys.length - 1]! < end ? keys.length : lowerBound(keys, end);
      for (; index < stop; index++) if (visit(values[index]!, keys[index]!) === false) return;
      if (stop < keys.length) return;
    }
  }

  /** The values of the keys in [from, end), in key order, in an array of its own. */
  values(from = '', end?: string): V[] {
    let at = Math.max(0, this.#chunkOf(from));
    const first = this.#chunks[at];
    if (!first) return [];
    const found: V[] = [];
    let index = lowerBound(first.keys, from);
    for (; at < this.#chunks.length; at++, index = 0) {
      const { keys, values } = this.#chunks[at]!;
      const stop = end === undefined || keys[keys.length - 1]! < end ? keys.length : lowerBound(keys, end);
      for (; index < stop; index++) found.push(values[index]!);
      if (stop < keys.length) break;
    }
    return found;
  }

  /** The chunk that `key` is in or would be put into, its place in `#at` and `#index`; undefined where the map is empty. */
  #find(key: string): Chunk<V> | undefined {
    if (key === this.#known) return this.#chunks[this.#at];
    this.#at = Math.max(0, this.#chunkOf(key));
    const chunk = this.#chunks[this.#at];
    if (!chunk) return undefined;
    this.#index = lowerBound(chunk.keys, key);
    this.#known = key;
    return chunk;
  }

  /** The last chunk whose first key is not after `key`; -1 where there is none. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#chunks[middle]!.keys[0]! <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** The first index whose key is not before `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
