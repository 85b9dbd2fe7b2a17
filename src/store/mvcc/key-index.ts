/**
 * Every key with its records, oldest first. upstream: etcd server/storage/mvcc/key_index.go, index.go.
 *
 * Worked example: put k at 2, put k at 5, delete k at 7, put k at 9:
 *   k → [2 v1] [5 v2] [7 tombstone] [9 v1]
 * Read at 6 gives [5 v2]; at 8 nothing. compact(7) keeps what 7 and later can see: [7 tombstone] [9 v1]; compact(8) drops the tombstone too.
 * Invariant: the records of a key are in order of modRevision, no two have the same; a key without records is not in the index.
 */
import { SortedMap } from '../sorted-map.ts';
import type { Record } from './record.ts';

export interface KeyEntry {
  readonly key: string;
  readonly records: Record[];
}

export class KeyIndex {
  readonly #entries = new SortedMap<KeyEntry>();

  get size(): number {
    return this.#entries.size;
  }

  /** Fills an empty index. */
  load(entries: ReadonlyMap<string, KeyEntry>): void {
    const keys = [...entries.keys()].sort();
    this.#entries.load(
      keys,
      keys.map((key) => entries.get(key)!),
    );
  }

  entry(key: string): KeyEntry | undefined {
    return this.#entries.get(key);
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
    if (entry) entry.records.push(record);
    else this.#entries.set(record.key, { key: record.key, records: [record] });
  }

  /** Takes back the newest record of its key. */
  remove(record: Record): void {
    const entry = this.#entries.get(record.key);
    if (entry?.records.at(-1) !== record)
      throw new Error(`Cannot take back ${record.key}@${record.modRevision}: it is not the newest record`);
    entry.records.pop();
    if (entry.records.length === 0) this.#entries.delete(record.key);
  }

  /** The record before `record` under the same key, where it was alive. */
  before(record: Record): Record | undefined {
    const entry = this.#entries.get(record.key);
    const found = entry && alive(entry, record.modRevision - 1);
    return found;
  }

  /** Drops what no read at `revision` or later can see; returns what was dropped. */
  compact(key: string, revision: number): Record[] {
    const entry = this.#entries.get(key);
    if (!entry) return [];
    let keep = entry.records.length;
    while (keep > 0 && entry.records[keep - 1]!.modRevision > revision) keep--;
    // records[keep - 1] is what a read at `revision` sees; a tombstone of an earlier revision shows nothing.
    const seen = entry.records[keep - 1];
    if (!seen) return [];
    const drop = seen.version === 0 && seen.modRevision < revision ? keep : keep - 1;
    if (drop === 0) return [];
    const dropped = entry.records.splice(0, drop);
    if (entry.records.length === 0) this.#entries.delete(key);
    return dropped;
  }
}

function alive(entry: KeyEntry, revision: number): Record | undefined {
  const { records } = entry;
  let index = records.length - 1;
  if (records[index]!.modRevision > revision) {
    let low = 0;
    while (low < index) {
      const middle = (low + index) >>> 1;
      if (records[middle]!.modRevision > revision) index = middle;
      else low = middle + 1;
    }
    index--;
    if (index < 0) return undefined;
  }
  const record = records[index]!;
  return record.version === 0 ? undefined : record;
}
