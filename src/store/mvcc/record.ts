import type { KeyValue } from '../contract.ts';

/**
 * One change of one key: what a put or delete left behind. `version` 0 marks a deletion (a tombstone).
 * What it says never changes; the last three fields belong to the back end.
 */
export interface Record {
  readonly key: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: number;
  /** Bytes of the value. */
  readonly size: number;
  /** A back end that has it on disk may drop it from memory. */
  value: Uint8Array | undefined;
  /** Where a back end keeps it; grows with each record. 0: nowhere. */
  sequence: number;
  /** CRC-32 of the value, where a back end needs it; signed, which V8 keeps in the record itself. */
  checksum: number;
}

export const noValue = new Uint8Array(0);

export function keyValueOf({ key, createRevision, modRevision, version, lease }: Record, value: Uint8Array): KeyValue {
  return { key, value, createRevision, modRevision, version, lease };
}

/** What a record takes, about: its key, its value and what is kept about it. */
export const footprint = (record: Record): number => record.key.length + record.size + 64;
