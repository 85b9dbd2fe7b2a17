/**
 * The store's contract: etcd v3's semantics and nothing more (upstream: etcd api/v3 rpc.proto, server/storage/mvcc).
 *
 * Words. A *key* is a string of bytes (each UTF-16 unit is one byte, 0-255; the API's keys are ASCII). A *value* is bytes and is
 * never mutated once handed over, by either side. The *revision* is one number for the whole store: it starts at 1 (empty) and grows
 * by one for each transaction that changes something; all changes of one transaction share it. `version` counts a key's changes since
 * it was created, starting at 1; deletion resets it.
 *
 * Promises. Acknowledged means durable (leases and keys written with `durability: 'deferred'` excepted); a read never returns what is
 * not durable. Transactions are serializable, in revision order. Reads at a past revision work until it is compacted.
 */
export interface KeyValue {
  key: string;
  value: Uint8Array;
  createRevision: number;
  modRevision: number;
  version: number;
  /** The lease it is attached to; 0 for none. */
  lease: number;
}

/** Keys in [key, end). No `end`: that key alone. `end` "\0": every key from `key` on. */
export interface KeyRange {
  key: string;
  end?: string;
}

export interface RangeRequest extends KeyRange {
  /** At most so many; 0 or absent: all. */
  limit?: number;
  /** Read as of this revision; 0 or absent: the newest. */
  revision?: number;
  countOnly?: boolean;
  keysOnly?: boolean;
  /** Default: by key, ascending. */
  sort?: { by: 'key' | 'version' | 'create' | 'mod' | 'value'; order: 'ascend' | 'descend' };
  minModRevision?: number;
  maxModRevision?: number;
  minCreateRevision?: number;
  maxCreateRevision?: number;
}

export interface RangeResult {
  /** The store's revision when the read happened. */
  revision: number;
  keyValues: KeyValue[];
  /** More keys follow in the range than `limit` let through. */
  more: boolean;
  /** Keys in the range, whatever the limit. */
  count: number;
}

export interface Compare {
  key: string;
  end?: string;
  target: 'version' | 'create' | 'mod' | 'value' | 'lease';
  result: 'equal' | 'greater' | 'less' | 'not-equal';
  /** A number, or bytes for target 'value'. An absent key has version, create and mod 0. */
  operand: number | Uint8Array;
}

export type Operation =
  | { type: 'range'; request: RangeRequest }
  | { type: 'put'; key: string; value: Uint8Array; lease?: number; previous?: boolean; ignoreValue?: boolean; ignoreLease?: boolean }
  | { type: 'delete'; key: string; end?: string; previous?: boolean }
  | { type: 'txn'; request: TxnRequest };

export interface TxnRequest {
  compare: Compare[];
  success: Operation[];
  failure: Operation[];
  /** 'deferred': may be acknowledged before it is on disk (Events, Leases). Default 'durable'. */
  durability?: 'durable' | 'deferred';
}

export type OperationResult =
  | { type: 'range'; result: RangeResult }
  | { type: 'put'; previous?: KeyValue }
  | { type: 'delete'; deleted: number; previous: KeyValue[] }
  | { type: 'txn'; result: TxnResult };

export interface TxnResult {
  /** The store's revision after the transaction. */
  revision: number;
  succeeded: boolean;
  results: OperationResult[];
}

export interface StoreEvent {
  type: 'put' | 'delete';
  /** For a delete: key and modRevision (that of the deletion) are set, the value is empty. */
  keyValue: KeyValue;
  /** What it was before, where asked for and not compacted. */
  previous?: KeyValue;
}

export interface WatchRequest extends KeyRange {
  /** First revision to deliver; 0 or absent: what comes after now. */
  startRevision?: number;
  previous?: boolean;
  filter?: { noPut?: boolean; noDelete?: boolean };
  /** Ask for `progress` batches when nothing happens for a while. */
  progress?: boolean;
}

/**
 * What a watcher is given: all events of one or more whole revisions, in order, never a part of a revision (atomic), none twice
 * (unique), none left out (reliable). `revision`: everything up to it has been delivered. No events: a progress notification.
 */
export interface WatchBatch {
  revision: number;
  events: StoreEvent[];
}

export interface Watch {
  /** Resolves when cancelled; rejects with StoreError 'compacted' when the start revision is gone, or with the back end's failure. */
  readonly done: Promise<void>;
  cancel(): void;
  /** Asks for a progress batch (no events) now, once everything before it has been delivered. */
  progress(): void;
  /** For who cannot take more: nothing is delivered until `resume`, but for what is under way already. Embedded stores keep nothing for it meanwhile. */
  pause(): void;
  /** Delivers what was missed. Where that has been compacted since, the watch ends as one that starts too far back. */
  resume(): void;
}

export interface Lease {
  id: number;
  /** Seconds granted. */
  ttl: number;
  /** Seconds left. */
  remaining: number;
  keys?: string[];
}

export type StoreErrorCode =
  | 'compacted'
  | 'future-revision'
  | 'duplicate-key'
  | 'too-many-operations'
  | 'too-large'
  | 'no-space'
  | 'lease-not-found'
  | 'lease-exists'
  | 'key-not-found'
  | 'invalid'
  | 'closed'
  /** The disk failed, and nothing of what was asked for has happened; or a store behind a network did not answer, and it may have happened. */
  | 'unavailable'
  | 'corrupt';

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}

export interface ReadView {
  range(request: RangeRequest): Promise<RangeResult>;
}

export interface WriteView {
  txn(request: TxnRequest): Promise<TxnResult>;
}

export interface Store extends ReadView, WriteView, AsyncDisposable {
  /**
   * True for back ends in this process (lmdb, memory): a transaction's events reach every watcher's sink, synchronously and in
   * order, before its `txn` promise resolves. A cache fed by a watch then is as fresh as the store. (A watch that starts far in the past
   * catches up first, and so does one that was paused.)
   */
  readonly embedded: boolean;
  /** Of embedded stores: what `range` resolves to, at once. */
  read?(request: RangeRequest): RangeResult;
  /** The newest durable revision. */
  revision(): Promise<number>;
  /** Calls `sink` for each batch, never before this function has returned. A sink must not throw and must not block. */
  watch(request: WatchRequest, sink: (batch: WatchBatch) => void): Watch;
  /** Forgets what was overwritten or deleted before `revision`. Resolves when reads below it are refused; space comes back later. */
  compact(revision: number): Promise<void>;
  /** The oldest revision that can still be read; 0 before the first compaction. */
  compactRevision(): number;
  leases: Leases;
  /** The key's value lies there otherwise than it would be written today: it should be written anew when there is a chance. Default: never. */
  stale?(key: string): boolean;
  /** Stops; what was acknowledged is durable. Watches end. */
  close(): Promise<void>;
}

export interface Leases {
  /** `id` 0: the store picks one. Its keys are deleted when it expires or is revoked. */
  grant(ttlSeconds: number, id?: number): Promise<Lease>;
  revoke(id: number): Promise<void>;
  keepAlive(id: number): Promise<Lease>;
  timeToLive(id: number, keys?: boolean): Promise<Lease>;
  /** Those that expire first come first. */
  list(): Promise<number[]>;
}
