import type { KeyValue } from '../contract.ts';

/**
 * One change of one key: what a put or delete left behind. `version` 0 marks a deletion (a tombstone).
 * A record never changes, but for `value`: a back end that has it on disk may drop it from memory.
 */
export interface Record {
  readonly key: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: number;
  value: Uint8Array | undefined;
  /** Where a back end keeps it; grows with each record. 0 in memory. */
  sequence: number;
}

/** A record with its value: it is a KeyValue as it stands. */
export type WholeRecord = Record & KeyValue;

export const noValue = new Uint8Array(0);
