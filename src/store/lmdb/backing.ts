/**
 * Keeps an MVCC store in LMDB. upstream: etcd server/storage/backend (bbolt).
 *
 * A write is one LMDB transaction, committed off the event loop by lmdb's own thread. With overlapping sync off, its promise resolves
 * after LMDB's two syncs (data pages, then the meta page), so what is acknowledged is on the disk; a torn commit leaves the
 * meta page before it in force. Writes never overlap, so that a failed one can be taken back.
 */
import { closeSync, existsSync, mkdirSync, openSync, readSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { open } from 'lmdb';
import type { Database, RootDatabase } from 'lmdb';
import { StoreError } from '../contract.ts';
import type { Backing, Batch, Recovered } from '../mvcc/backing.ts';
import { noSpace } from '../mvcc/errors.ts';
import { noValue } from '../mvcc/record.ts';
import type { Record } from '../mvcc/record.ts';
import { formatVersion, headerSize, minus, plus, readHeader, writeHeader } from './format.ts';
import type { State } from './format.ts';
import { own } from './owner.ts';

type Table = Database<Buffer, number>;

export class LmdbBacking implements Backing {
  readonly reserve = 1000;
  readonly path: string;
  readonly #root: RootDatabase<Buffer, string>;
  readonly #records: Table;
  readonly #values: Table;
  readonly #leases: Table;
  readonly #meta: Database<Buffer, string>;
  readonly #disown: () => void;
  #state: State;
  #sequence = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    this.#disown = own(path);
    try {
      checkMetaPages(path);
      this.#root = open<Buffer, string>({
        path,
        encoding: 'binary',
        maxDbs: 8,
        overlappingSync: false,
        // Batches are ours. Its own, of a turn of the loop, would be a second promise that nobody hears reject.
        eventTurnBatching: false,
        // Address space only. Where it is scarce, lmdb maps piece by piece.
        ...(process.arch.includes('64') && { mapSize: 64 * 1024 ** 3 }),
      });
      this.#meta = this.#root.openDB<Buffer, string>({ name: 'meta', encoding: 'binary' });
      this.#records = this.#root.openDB<Buffer, number>({ name: 'records', encoding: 'binary' });
      this.#values = this.#root.openDB<Buffer, number>({ name: 'values', encoding: 'binary' });
      this.#leases = this.#root.openDB<Buffer, number>({ name: 'leases', encoding: 'binary' });
      this.#state = this.#readState();
    } catch (error) {
      this.#disown();
      throw error;
    }
  }

  /** Reads what is there and checks it. Throws StoreError 'corrupt' where it is not what was written. */
  inspect(): Recovered {
    const records: Record[] = [];
    let checksum = 0;
    // `forEach` of the range, not an iterator: the headers of a big store are many.
    this.#records.getRange({ snapshot: false }).forEach(({ key, value }) => {
      checksum = plus(checksum, crc32(value));
      records.push(readHeader(key, value));
    });
    const { revision: seen, compactRevision, clean } = this.#state;
    if (checksum !== this.#state.checksum)
      throw corrupt(this.path, `the records sum to ${checksum}, the state says ${this.#state.checksum}`);
    const newest = records.at(-1)?.modRevision ?? 0;
    if (newest > seen) throw corrupt(this.path, `there is a record of revision ${newest}, the state says ${seen}`);
    this.#sequence = records.at(-1)?.sequence ?? 0;
    const leases = [...this.#leases.getRange({})].map(({ key, value }) => ({ id: key, ttl: value.readDoubleLE(0) }));
    return { revision: clean ? seen : seen + this.reserve, compactRevision, seen, records, leases };
  }

  /** `inspect`, then marks the store as in use. */
  async recover(): Promise<Recovered> {
    const recovered = this.inspect();
    await this.#commit({ ...this.#state, revision: recovered.revision, clean: false }, () => undefined);
    return recovered;
  }

  load(record: Record): Uint8Array {
    if (record.size === 0) return noValue;
    const value = this.#values.getBinary(record.sequence);
    if (value === undefined || value.length !== record.size || crc32(value) !== record.checksum)
      throw corrupt(this.path, `the value of ${record.key} at revision ${record.modRevision} is not what was written`);
    return value;
  }

  write({ records, revision, granted, revoked }: Batch): Promise<void> {
    return this.#next(async () => {
      let { checksum } = this.#state;
      const headers = Buffer.allocUnsafeSlow(records.reduce((sum, record) => sum + headerSize(record), 0));
      let at = 0;
      let sequence = this.#sequence;
      const parts = records.map((record) => {
        const header = headers.subarray(at, (at += headerSize(record)));
        writeHeader(record, header);
        checksum = plus(checksum, crc32(header));
        record.sequence = ++sequence;
        return { record, header };
      });
      await this.#commit({ ...this.#state, revision, checksum }, (keep) => {
        for (const { record, header } of parts) {
          keep(this.#records.put(record.sequence, header));
          if (record.size > 0) keep(this.#values.put(record.sequence, record.value as Buffer));
        }
        for (const { id, ttl } of granted) {
          const value = Buffer.allocUnsafe(8);
          value.writeDoubleLE(ttl);
          keep(this.#leases.put(id, value));
        }
        for (const id of revoked) keep(this.#leases.remove(id));
      });
      this.#sequence = sequence;
    });
  }

  compact(revision: number): Promise<void> {
    return this.#next(() =>
      this.#commit({ ...this.#state, compactRevision: Math.max(revision, this.#state.compactRevision) }, () => undefined),
    );
  }

  /** In smaller and smaller parts where the disk is full: even deleting takes pages, but few for few records. */
  async drop(records: readonly Record[]): Promise<void> {
    try {
      await this.#next(() => this.#remove(records));
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'no-space' || records.length === 1) throw error;
      const half = records.length >> 1;
      await this.drop(records.slice(0, half));
      await this.drop(records.slice(half));
    }
  }

  #remove(records: readonly Record[]): Promise<void> {
    let { checksum } = this.#state;
    const present = records.filter((record) => {
      const header = this.#records.getBinary(record.sequence);
      if (header) checksum = minus(checksum, crc32(header));
      return header !== undefined;
    });
    if (present.length === 0) return Promise.resolve();
    return this.#commit({ ...this.#state, checksum }, (keep) => {
      for (const { sequence, size } of present) {
        keep(this.#records.remove(sequence));
        if (size > 0) keep(this.#values.remove(sequence));
      }
    });
  }

  /** A copy of the newest durable state in a directory of its own, which can be opened as a store. Writes go on meanwhile. */
  async snapshot(directory: string): Promise<void> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    await this.#root.backup(directory, true);
  }

  /** Bytes of the file, and of the pages in it that are in use. */
  size(): { total: number; inUse: number } {
    const stats = this.#root.getStats() as { pageSize: number; lastPageNumber: number; free: { entryCount: number } };
    const total = (stats.lastPageNumber + 1) * stats.pageSize;
    return { total, inUse: total };
  }

  async close(revision: number): Promise<void> {
    try {
      await this.#next(() => this.#commit({ ...this.#state, revision, clean: revision === this.#state.revision }, () => undefined));
    } finally {
      await this.#root.close();
      this.#disown();
    }
  }

  /** Without marking a clean end: for a store that could not be opened. */
  async abandon(): Promise<void> {
    await this.#root.close();
    this.#disown();
  }

  #readState(): State {
    const found = this.#meta.getBinary('state');
    if (!found) return { format: formatVersion, revision: 1, compactRevision: 0, checksum: 0, clean: true };
    const state = JSON.parse(found.toString()) as State;
    if (state.format !== formatVersion)
      throw new StoreError('invalid', `Cannot open store ${this.path}: its format is ${state.format}, this version knows ${formatVersion}`);
    return state;
  }

  #next<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#last.then(run);
    this.#last = next.catch(() => undefined);
    return next;
  }

  /** One LMDB transaction: what `fill` puts and the state after it. `keep` takes the promises of the single operations. */
  async #commit(state: State, fill: (keep: (operation: Promise<unknown>) => void) => void): Promise<void> {
    // Each fails with the batch; the batch's own failure is the one that is looked at.
    const keep = (operation: Promise<unknown>): void => void operation.then(undefined, () => undefined);
    try {
      await this.#root.batch(() => {
        fill(keep);
        keep(this.#meta.put('state', Buffer.from(JSON.stringify(state))));
      });
    } catch (error) {
      throw this.#failure(await causeOf(error));
    }
    this.#state = state;
  }

  #failure(cause: unknown): StoreError {
    const { code } = cause as { code?: number };
    const mapFull = -30792;
    const enospc = 28;
    const dquot = 122;
    if (code === mapFull || code === enospc || code === dquot) return noSpace(cause);
    // LMDB reports a write that was cut short by a full disk as an input/output error.
    const { bavail, bsize } = statfsSync(this.path);
    if (bavail * bsize < 16 * 1024 * 1024) return noSpace(cause);
    const message = cause instanceof Error ? cause.message : String(cause);
    return new StoreError('closed', `Cannot write to store ${this.path}: ${message}`, { cause });
  }
}

/** lmdb gives the reason of a failed commit in a promise beside the error. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  if (!commitError) return error;
  const late = new Promise<unknown>((resolve) => setImmediate(() => setImmediate(() => resolve(error))));
  return Promise.race([commitError.catch((cause: unknown) => cause), late]);
}

export const corrupt = (path: string, what: string): StoreError => new StoreError('corrupt', `Store ${path} is corrupt: ${what}`);

/** Both of LMDB's meta pages must be LMDB's: it takes what they say for addresses, and a process that follows bad ones is killed. */
function checkMetaPages(path: string): void {
  const file = join(path, 'data.mdb');
  if (!existsSync(file)) return;
  const [pageSize, offset, magic, version] = [4096, 24, 0xbeefc0de, 2];
  const head = Buffer.alloc(2 * pageSize);
  const descriptor = openSync(file, 'r');
  let length: number;
  try {
    length = readSync(descriptor, head, 0, head.length, 0);
  } finally {
    closeSync(descriptor);
  }
  // A crash while it was made left it empty: it is made anew.
  if (length === 0) return;
  for (const at of [offset, pageSize + offset])
    if (length < head.length || head.readUInt32LE(at) !== magic || head.readUInt32LE(at + 4) !== version)
      throw corrupt(path, `data.mdb does not begin as LMDB's files do`);
}
