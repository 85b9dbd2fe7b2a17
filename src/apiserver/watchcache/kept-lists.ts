/**
 * Lists that were asked for, kept until something under their prefix changes: who lists the same again gets the same array, and with
 * it what others have made of it (selections, encoded and compressed bodies are kept by the array).
 */
import type { CachedObject } from '../contract.ts';

/** More prefixes than that are rarely listed again and again; the oldest goes. */
const most = 64;

export class KeptLists {
  readonly #lists = new Map<string, readonly CachedObject[]>();

  list(prefix: string, make: () => readonly CachedObject[]): readonly CachedObject[] {
    const kept = this.#lists.get(prefix);
    if (kept) return kept;
    const items = make();
    if (this.#lists.size >= most) this.#lists.delete(this.#lists.keys().next().value!);
    this.#lists.set(prefix, items);
    return items;
  }

  /** The object of `key` is another, or gone. */
  changed(key: string): void {
    for (const prefix of this.#lists.keys()) if (key.startsWith(prefix)) this.#lists.delete(prefix);
  }

  clear(): void {
    this.#lists.clear();
  }
}
