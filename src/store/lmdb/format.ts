/**
 * What is on the disk: a log (log-format.ts) of what is not yet in LMDB, and one LMDB environment with five tables:
 *
 *   records   sequence → a pack (packs.ts) of headers (below), small, so that opening reads little
 *   values    sequence → a pack of values as they were given; there is none for tombstones and empty values
 *   gone      sequence → which records of the pack are there no more
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

export const formatVersion = 3;
/** The oldest that can be read: it had no log. Before the third, each header and each value lay by itself. */
export const oldestFormat = 1;

export interface State {
  format: number;
  revision: number;
  compactRevision: number;
  checksum: number;
  /** Closed in order: nothing was shown that is not here. */
  clean: boolean;
  /** The newest entry of the log that is here, and the salt of its entries. */
  logged: number;
  salt: number;
  /** Records with this sequence or a later one lie in packs. */
  packed: number;
}

const fixed = 41;

export function headerSize(record: Record): number {
  return fixed + record.key.length;
}

/** The checksum of a value, as a record has it. */
export const valueSum = (value: Uint8Array): number => (value.length > 0 ? crc32(value) | 0 : 0);

/** Writes the header of `record` into `target`, which has its size. */
export function writeHeader(record: Record, target: Buffer): void {
  target[0] = 0;
  target.writeDoubleLE(record.modRevision, 1);
  target.writeDoubleLE(record.createRevision, 9);
  target.writeDoubleLE(record.version, 17);
  target.writeDoubleLE(record.lease, 25);
  target.writeUInt32LE(record.size, 33);
  target.writeInt32LE(record.checksum, 37);
  target.write(record.key, fixed, 'latin1');
}

/** What a record adds to the checksum. */
export function headerSum(record: Record): number {
  const header = Buffer.allocUnsafe(headerSize(record));
  writeHeader(record, header);
  return crc32(header);
}

/** `view`: of the header's bytes. A DataView, for Buffer's own readers are slow until they have been compiled, and opening a store is over before that. */
export function readHeader(
  sequence: number,
  header: Buffer,
  view = new DataView(header.buffer, header.byteOffset, header.byteLength),
): Record {
  const size = view.getUint32(33, true);
  return {
    key: header.toString('latin1', fixed),
    modRevision: view.getFloat64(1, true),
    createRevision: view.getFloat64(9, true),
    version: view.getFloat64(17, true),
    lease: view.getFloat64(25, true),
    size,
    value: size === 0 ? noValue : undefined,
    sequence,
    checksum: view.getInt32(37, true),
  };
}

/** Sums of checksums are kept in 32 bits. */
export const plus = (a: number, b: number): number => (a + b) >>> 0;
export const minus = (a: number, b: number): number => (a - b) >>> 0;
