import type { Record } from './record.ts';

/** What one write makes durable, all or nothing. */
export interface Batch {
  /** In order of revision. Each has its value. */
  records: readonly Record[];
  /** The store's revision after the batch. */
  revision: number;
  /** In the order they happened. */
  leases: readonly LeaseChange[];
  /** Records that no read can see any more: freed along with it, where there is room for that. */
  superfluous: readonly Record[];
}

/** A lease granted for so many seconds, or revoked. */
export interface LeaseChange {
  id: number;
  ttl: number | undefined;
}

/** Where an MVCC store keeps what must survive the process. Without one it is a memory store. */
export interface Backing {
  /**
   * So many revisions after the last written one may be shown before they are written (deferred transactions). A back end that loses
   * some in a crash goes on after them, so that no revision ever names two things.
   */
  readonly reserve: number;
  /** The values of records that were written before, in their order. Throws StoreError 'corrupt' where one is not what was written. */
  load(records: readonly Record[]): Uint8Array[];
  /**
   * Resolves when all of it is durable; on rejection none of it is there. Never called again before it has settled.
   * Drops a record's value from memory once it can `load` it. Answers whether what was superfluous is, or will be, freed.
   */
  write(batch: Batch): Promise<boolean>;
  /** Makes the compaction durable; what it makes superfluous is named to `drop` later. */
  compact(revision: number): Promise<void>;
  /** Frees the space of records that no read can see any more. Need not be durable. */
  drop(records: readonly Record[]): Promise<void>;
  /** `revision`: the last, for a clean end. */
  close(revision: number): Promise<void>;
}

/** What a back end found when it was opened. */
export interface Recovered {
  revision: number;
  compactRevision: number;
  /** Revisions after `seen` up to `revision` may have been shown and lost: who saw them cannot resume. Equal to `revision` after a clean end. */
  seen: number;
  /** All records, in order of revision, in an array that the store may keep. */
  records: Record[];
  leases: readonly { id: number; ttl: number }[];
}
