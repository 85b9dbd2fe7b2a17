/**
 * What is on the disk. One LMDB environment, four tables:
 *
 *   records   sequence → header of a record (below), small, so that opening reads little
 *   values    sequence → the value as it was given; absent for tombstones and empty values
 *   leases    id → seconds granted
 *   meta      "state" → State, rewritten with every batch
 *
 * A header: flags (1), modRevision, createRevision, version, lease (8 each, doubles), size and CRC-32 of the value (4 each), the key.
 * Invariant: State.checksum is the sum of the CRC-32 of all headers there are; with the value's CRC in the header, any record that was
 * lost, added or changed shows.
 */
import { crc32 } from 'node:zlib';
import type { Record } from '../mvcc/record.ts';
import { noValue } from '../mvcc/record.ts';

export const formatVersion = 1;

export interface State {
  format: number;
  revision: number;
  compactRevision: number;
  checksum: number;
  /** Closed in order: nothing was shown that is not here. */
  clean: boolean;
}

const fixed = 41;

export function headerSize(record: Record): number {
  return fixed + record.key.length;
}

/** Writes the header of `record` into `target`, which has its size. Sets the record's checksum. */
export function writeHeader(record: Record, target: Buffer): void {
  record.checksum = record.size > 0 ? crc32(record.value!) : 0;
  target[0] = 0;
  target.writeDoubleLE(record.modRevision, 1);
  target.writeDoubleLE(record.createRevision, 9);
  target.writeDoubleLE(record.version, 17);
  target.writeDoubleLE(record.lease, 25);
  target.writeUInt32LE(record.size, 33);
  target.writeUInt32LE(record.checksum, 37);
  target.write(record.key, fixed, 'latin1');
}

export function readHeader(sequence: number, header: Buffer): Record {
  const size = header.readUInt32LE(33);
  return {
    key: header.toString('latin1', fixed),
    modRevision: header.readDoubleLE(1),
    createRevision: header.readDoubleLE(9),
    version: header.readDoubleLE(17),
    lease: header.readDoubleLE(25),
    size,
    value: size === 0 ? noValue : undefined,
    sequence,
    checksum: header.readUInt32LE(37),
  };
}

/** Sums of checksums are kept in 32 bits. */
export const plus = (a: number, b: number): number => (a + b) >>> 0;
export const minus = (a: number, b: number): number => (a - b) >>> 0;
