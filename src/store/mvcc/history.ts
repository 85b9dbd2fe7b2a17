/**
 * The records in the order of their revisions, from the last compaction on: what a watch of the past is answered from.
 * Invariant: modRevision never falls from one record to the next; no record is from before `compactRevision`.
 */
import type { Record } from './record.ts';

export class History {
  #records: Record[] = [];
  #start = 0;

  append(record: Record): void {
    this.#records.push(record);
  }

  /** Fills an empty history with those from `revision` on. The array is its own from then on. */
  load(records: Record[], revision: number): void {
    this.#records = records;
    this.drop(revision, records.length);
  }

  /** Takes back the newest. */
  remove(record: Record): void {
    if (this.#records.at(-1) !== record)
      throw new Error(`Cannot take back ${record.key}@${record.modRevision}: it is not the newest record`);
    this.#records.pop();
  }

  /** The place of the first record at or after `revision`; places go stale when something is dropped or taken back. */
  place(revision: number): number {
    let low = this.#start;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#records[middle]!.modRevision < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** There are records from before `revision`. */
  reaches(revision: number): boolean {
    const oldest = this.#records[this.#start];
    return oldest !== undefined && oldest.modRevision < revision;
  }

  get(place: number): Record | undefined {
    return this.#records[place];
  }

  /** The records of one revision. */
  of(revision: number): Record[] {
    const found: Record[] = [];
    for (let place = this.place(revision); this.#records[place]?.modRevision === revision; place++) found.push(this.#records[place]!);
    return found;
  }

  /** Drops up to `limit` records from before `revision` and returns them. */
  drop(revision: number, limit: number): Record[] {
    const end = Math.min(this.place(revision), this.#start + limit);
    const dropped = this.#records.slice(this.#start, end);
    this.#start = end;
    if (this.#start > 1024 && this.#start * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#start);
      this.#start = 0;
    }
    return dropped;
  }
}
