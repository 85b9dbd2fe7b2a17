/**
 * What a log's files hold: entries one behind the other, each beginning a page of its own, so that no page with an acknowledged entry is
 * ever written again while it matters.
 *
 *   entry     magic (4), CRC-32 of all that follows (4), bytes of the payload (4), nothing (4), number, salt (8 each, doubles), payload
 *   payload   revision, compact revision (8 each; 0: as before), how many records and leases (4 each), records, leases
 *   record    bytes of its header (4), its header as in the table of records, its value
 *   lease     id, seconds granted (8 each; -1: revoked)
 *
 * The salt is drawn when a store is opened: nothing that an earlier life wrote, and no value made to look like an entry, is taken for one.
 */
import { crc32 } from 'node:zlib';
import type { Batch, LeaseChange } from '../mvcc/backing.ts';
import type { Record } from '../mvcc/record.ts';
import { headerSize, readHeader, writeHeader } from './format.ts';
import { corrupt } from './meta-pages.ts';
import { pageSize } from './room.ts';

/** What one entry says: a batch or a compaction. */
export interface Logged {
  records: readonly Record[];
  revision: number;
  compactRevision: number;
  leases: readonly LeaseChange[];
}

export interface Entry {
  number: number;
  logged: Logged;
}

const magic = 0xc0a15a1e;
const [checked, head] = [8, 32];
const fixed = 24;

/** Bytes of the entry, in whole pages. */
export function entrySize({ records, leases }: Pick<Batch, 'records' | 'leases'>): number {
  const content = records.reduce((sum, record) => sum + 4 + headerSize(record) + record.size, head + fixed + leases.length * 16);
  return Math.ceil(content / pageSize) * pageSize;
}

/** Writes an entry to the front of `target`. The records know the checksums of their values. */
export function writeEntry(number: number, salt: number, { records, revision, compactRevision, leases }: Logged, target: Buffer): void {
  target.writeDoubleLE(number, 16);
  target.writeDoubleLE(salt, 24);
  target.writeDoubleLE(revision, head);
  target.writeDoubleLE(compactRevision, head + 8);
  target.writeUInt32LE(records.length, head + 16);
  target.writeUInt32LE(leases.length, head + 20);
  let at = head + fixed;
  for (const record of records) {
    const size = headerSize(record);
    at = target.writeUInt32LE(size, at);
    writeHeader(record, target.subarray(at, (at += size)));
    if (record.size > 0) target.set(record.value!, at);
    at += record.size;
  }
  for (const { id, ttl } of leases) at = target.writeDoubleLE(ttl ?? -1, target.writeDoubleLE(id, at));
  target.writeUInt32LE(magic, 0);
  target.writeUInt32LE(at - head, 8);
  target.writeUInt32LE(0, 12);
  target.writeUInt32LE(crc32(target.subarray(checked, at)), 4);
}

/** The entry at `at`, and where the next one begins; undefined where there is none, or not the whole of it. */
function readEntry(file: Buffer, at: number, salt: number): { number: number; payload: Buffer; next: number } | undefined {
  if (at + head > file.length || file.readUInt32LE(at) !== magic || file.readDoubleLE(at + 24) !== salt) return undefined;
  const end = at + head + file.readUInt32LE(at + 8);
  if (end > file.length || crc32(file.subarray(at + checked, end)) !== file.readUInt32LE(at + 4)) return undefined;
  return { number: file.readDoubleLE(at + 16), payload: file.subarray(at + head, end), next: Math.ceil(end / pageSize) * pageSize };
}

function readPayload(payload: Buffer): Logged {
  const [records, leases] = [[] as Record[], [] as LeaseChange[]];
  let at = fixed;
  for (let count = payload.readUInt32LE(16); count > 0; count--) {
    const size = payload.readUInt32LE(at);
    const record = readHeader(0, payload.subarray(at + 4, (at += 4 + size)));
    if (record.size > 0) record.value = Buffer.from(payload.subarray(at, at + record.size));
    at += record.size;
    records.push(record);
  }
  for (let count = payload.readUInt32LE(20); count > 0; count--, at += 16) {
    const ttl = payload.readDoubleLE(at + 8);
    leases.push({ id: payload.readDoubleLE(at), ttl: ttl < 0 ? undefined : ttl });
  }
  return { records, leases, revision: payload.readDoubleLE(0), compactRevision: payload.readDoubleLE(8) };
}

/**
 * The entries after number `applied`, in order. The newest may be there in part: it was not acknowledged, and is left out. `beside`: the
 * files were read while a process wrote them, so what came last may be missing as well; else a gap is damage, and throws StoreError 'corrupt'.
 */
export function entriesAfter(path: string, files: readonly Buffer[], applied: number, salt: number, beside: boolean): Entry[] {
  const found = new Map<number, Buffer>();
  let newest = applied;
  for (const file of files) {
    let chain = true;
    // Behind the end of the chain there may be only what is older: each entry is on the disk before the next is written.
    for (let at = 0; at < file.length;) {
      const entry = readEntry(file, at, salt);
      chain &&= entry !== undefined;
      if (entry) newest = Math.max(newest, entry.number);
      if (entry && chain && entry.number > applied) found.set(entry.number, entry.payload);
      at = entry?.next ?? at + pageSize;
    }
  }
  const entries: Entry[] = [];
  for (let number = applied + 1; found.has(number); number++) entries.push({ number, logged: readPayload(found.get(number)!) });
  const last = applied + entries.length;
  if (newest > last && !beside) throw corrupt(path, `its log has entry ${newest}, but not ${last + 1}`);
  return entries;
}
