/**
 * An etcd member's data as a file: `member/snap/db`, or what `etcdctl snapshot save` gets. The state at one revision, without its history.
 * upstream: etcd server/storage/schema, server/storage/mvcc/revision.go.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import type { KeyValue, Store } from '../contract.ts';
import type { StoreContents } from '../lmdb/import.ts';
import { BoltReader, boltFile } from './bolt.ts';
import type { Entry } from './bolt.ts';
import { codec, keyValueFromWire, keyValueToWire, leaseIds } from './protocol.ts';

const everything = { key: '\0', end: '\0' };
const tombstone = 't'.charCodeAt(0);

/** Throws Error where the file is none of etcd's. A member that was killed has its newest changes in its log alone: take a snapshot of it. */
export function readEtcdData(path: string): StoreContents {
  using file = new BoltReader(path);
  const live = new Map<string, KeyValue>();
  let revision = 1;
  for (const [key, value] of file.bucket('key')) {
    revision = Math.max(revision, Number(key.readBigUInt64BE(0)));
    const keyValue = keyValueFromWire(codec.decode('KeyValue', value));
    if (key[17] === tombstone) live.delete(keyValue.key);
    else live.set(keyValue.key, keyValue);
  }
  for (const [key, value] of file.bucket('meta'))
    if (key.toString() === 'scheduledCompactRev') revision = Math.max(revision, Number(value.readBigUInt64BE(0)));
  const leases = [...file.bucket('lease')].map(([, value]) => {
    // leasepb.Lease: ID and TTL stand where LeaseGrantResponse's neighbours do.
    const lease = codec.decode('LeaseGrantRequest', swapped(value));
    return { id: Number(lease['ID'] ?? 0), ttl: Number(lease['TTL'] ?? 0) };
  });
  const keyValues = [...live.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  return { revision, keyValues, leases };
}

/** Whether a file is one that `readEtcdData` may read. */
export function isEtcdData(path: string): boolean {
  if (!statSync(path).isFile()) return false;
  try {
    using _ = new BoltReader(path);
    return true;
  } catch {
    return false;
  }
}

/** Everything in a store at its newest revision. */
export async function dataOf(store: Store): Promise<StoreContents> {
  const { revision, keyValues } = await store.range(everything);
  const ids = new Set(keyValues.flatMap(({ lease }) => (lease === 0 ? [] : [lease])));
  const leases: { id: number; ttl: number }[] = [];
  for (const id of ids) {
    // One that ended since has taken its keys with it: they go when it would.
    const lease = await store.leases.timeToLive(id).catch(() => undefined);
    leases.push({ id, ttl: lease?.ttl ?? 1 });
  }
  return { revision, keyValues, leases };
}

/** The file's parts in order, without a checksum behind them. */
export function etcdDataFile({ revision, keyValues, leases }: StoreContents): Buffer[] {
  const subs = new Map<number, number>();
  const keys = keyValues
    .map((keyValue): Entry => {
      const sub = subs.get(keyValue.modRevision) ?? 0;
      subs.set(keyValue.modRevision, sub + 1);
      return [revisionBytes(keyValue.modRevision, sub), codec.encode('KeyValue', keyValueToWire(keyValue))];
    })
    .sort(byKey);
  const compacted = revisionBytes(revision, 0);
  const number = (value: number | bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return bytes;
  };
  const text = (name: string, value: Uint8Array): Entry => [Buffer.from(name), value];
  return boltFile(
    new Map<string, Entry[]>([
      ['alarm', []],
      ['auth', []],
      ['authRoles', []],
      ['authUsers', []],
      ['cluster', []],
      ['key', keys],
      [
        'lease',
        leases
          .map(({ id, ttl }): Entry => [
            number(leaseIds.toLong(id) ?? id),
            swapped(codec.encode('LeaseGrantRequest', { TTL: ttl, ID: id })),
          ])
          .sort(byKey),
      ],
      ['members', []],
      ['members_removed', []],
      [
        'meta',
        [
          // Nothing of a new member's log is in it yet.
          text('consistent_index', number(0)),
          // No history: whoever watches from before has to list again.
          text('finishedCompactRev', compacted),
          text('scheduledCompactRev', compacted),
          text('storageVersion', Buffer.from('3.6.0')),
          text('term', number(0)),
        ],
      ],
    ]),
  );
}

/** Writes them to `path`, which must not exist, with their SHA-256 behind them. */
export function writeEtcdSnapshot(path: string, contents: StoreContents): void {
  const descriptor = openSync(path, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    for (const part of etcdDataFile(contents)) {
      hash.update(part);
      writeSync(descriptor, part);
    }
    writeSync(descriptor, hash.digest());
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

const byKey = ([a]: Entry, [b]: Entry): number => Buffer.compare(a, b);

function revisionBytes(main: number, sub: number): Buffer {
  const bytes = Buffer.alloc(17);
  bytes.writeBigUInt64BE(BigInt(main), 0);
  bytes[8] = '_'.charCodeAt(0);
  bytes.writeBigUInt64BE(BigInt(sub), 9);
  return bytes;
}

/** leasepb.Lease has ID as 1 and TTL as 2, LeaseGrantRequest the other way round. */
function swapped(message: Uint8Array): Buffer {
  const bytes = Buffer.from(message);
  for (let at = 0; at < bytes.length;) {
    const field = bytes[at]! >> 3;
    if (field === 1 || field === 2) bytes[at] = (3 - field) << 3;
    at++;
    while (bytes[at]! >= 0x80) at++;
    at++;
  }
  return bytes;
}
