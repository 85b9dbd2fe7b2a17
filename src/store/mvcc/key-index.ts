/**
 * Every key with its records, oldest first. upstream: etcd server/storage/mvcc/key_index.go, index.go.
 *
 * Worked example: put k at 2, put k at 5, delete k at 7, put k at 9:
 *   k → [2 v1] [5 v2] [7 tombstone] [9 v1]
 * Read at 6 gives [5 v2]; at 8 nothing. compact(7) keeps what 7 and later can see: [7 tombstone] [9 v1]; compact(8) drops the tombstone too.
 * A key that has but one record is that record in the index, without a list: of a million keys, most are.
 * Invariant: the records of a key are in order of modRevision, no two have the same; a key without records is not in the index; a list
 * has two at least.
 */
import { SortedMap } from '../sorted-map.ts';
import type { Record } from './record.ts';

type KeyEntry = Record | Record[];

export class KeyIndex {
  readonly #entries = new SortedMap<KeyEntry>();

  get size(): number {
    return this.#entries.size;
  }

  /** Fills an empty index. `records` are in order of modRevision. */
  load(records: readonly Record[]): void {
    // A stable sort keeps the records of a key in their order.
    const entries: KeyEntry[] = records.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    // In place, for a store may be large: the lists move to the front.
    let count = 0;
    for (const record of entries as Record[]) {
      const entry = count > 0 ? entries[count - 1]! : undefined;
      if (entry === undefined || keyOf(entry) !== record.key) entries[count++] = record;
      else if (Array.isArray(entry)) entry.push(record);
      else entries[count - 1] = [entry, record];
    }
    entries.length = count;
    this.#entries.load(entries, keyOf);
  }

  /** Calls `visit` with the newest record of every key, be it a tombstone, and whether there are older ones. */
  newest(visit: (record: Record, older: boolean) => void): void {
    this.#entries.visit('', undefined, (entry) => {
      if (Array.isArray(entry)) visit(entry[entry.length - 1]!, true);
      else visit(entry, false);
    });
  }

  /** The live record of a key as of `revision`. */
  at(key: string, revision: number): Record | undefined {
    const entry = this.#entries.get(key);
    return entry && alive(entry, revision);
  }

  /** The live records of the keys in [from, to) as of `revision`, in key order, until `visit` answers false. */
  visit(from: string, to: string | undefined, revision: number, visit: (record: Record) => boolean | void): void {
    this.#entries.visit(from, to, (entry) => {
      const record = alive(entry, revision);
      return record ? visit(record) : undefined;
    });
  }

  append(record: Record): void {
    const entry = this.#entries.get(record.key);
    if (Array.isArray(entry)) entry.push(record);
    else this.#entries.set(record.key, entry ? [entry, record] : record);
  }

  /** Takes back the newest record of its key. */
  remove(record: Record): void {
    const entry = this.#entries.get(record.key);
    if ((Array.isArray(entry) ? entry.at(-1) : entry) !== record)
      throw new Error(`Cannot take back ${record.key}@${record.modRevision}: it is not the newest record`);
    if (!Array.isArray(entry)) this.#entries.delete(record.key);
    else if (entry.length > 2) entry.pop();
    else this.#entries.set(record.key, entry[0]!);
  }

  /** The record before `record` under the same key, where it was alive. */
  before(record: Record): Record | undefined {
    const entry = this.#entries.get(record.key);
    return entry && alive(entry, record.modRevision - 1);
  }

  /** Drops what no read at `revision` or later can see; returns what was dropped. */
  compact(key: string, revision: number): Record[] {
    const entry = this.#entries.get(key);
    if (!entry) return [];
    if (!Array.isArray(entry)) {
      if (entry.version > 0 || entry.modRevision >= revision) return [];
      this.#entries.delete(key);
      return [entry];
    }
    let keep = entry.length;
    while (keep > 0 && entry[keep - 1]!.modRevision > revision) keep--;
    // entry[keep - 1] is what a read at `revision` sees; a tombstone of an earlier revision shows nothing.
    const seen = entry[keep - 1];
    if (!seen) return [];
    const drop = seen.version === 0 && seen.modRevision < revision ? keep : keep - 1;
    if (drop === 0) return [];
    const dropped = entry.splice(0, drop);
    if (entry.length === 0) this.#entries.delete(key);
    else if (entry.length === 1) this.#entries.set(key, entry[0]!);
    return dropped;
  }
}

const keyOf = (entry: KeyEntry): string => (Array.isArray(entry) ? entry[0]!.key : entry.key);

function alive(entry: KeyEntry, revision: number): Record | undefined {
  if (!Array.isArray(entry)) return entry.version === 0 || entry.modRevision > revision ? undefined : entry;
  let index = entry.length - 1;
  if (entry[index]!.modRevision > revision) {
    let low = 0;
    while (low < index) {
      const middle = (low + index) >>> 1;
      if (entry[middle]!.modRevision > revision) index = middle;
      else low = middle + 1;
    }
    index--;
    if (index < 0) return undefined;
  }
  const record = entry[index]!;
  return record.version === 0 ? undefined : record;
}
