import type { KeyValue } from '../contract.ts';
import type { Record } from './record.ts';

/** What one write makes durable, all or nothing. */
export interface Batch {
  /** In order of revision. Each has its value. */
  records: readonly Record[];
  /** The store's revision after the batch. */
  revision: number;
  granted: readonly { id: number; ttl: number }[];
  revoked: readonly number[];
}

/** Where an MVCC store keeps what must survive the process. Without one it is a memory store. */
export interface Backing {
  /** Reads the value of a record from a batch that was written before. */
  load(record: Record): Uint8Array;
  /** A record as the key-value callers get. Given so that a back end decides whether it is the record itself or a copy. */
  view(record: Record): KeyValue;
  /** Resolves when all of it is durable; on rejection none of it is there. Never called again before it has settled. */
  write(batch: Batch): Promise<void>;
  /** Makes the compaction durable; what it makes superfluous is named by `drop` later. */
  compact(revision: number): Promise<void>;
  /** Frees the space of records that no read can see any more. Need not be durable. */
  drop(records: readonly Record[]): Promise<void>;
  close(): Promise<void>;
}

/** What a back end found when it was opened. */
export interface Recovered {
  revision: number;
  compactRevision: number;
  /** All records, in order of revision. */
  records: Iterable<Record>;
  leases: readonly { id: number; ttl: number }[];
}
