/**
 * Keeps an MVCC store in LMDB; logged-backing.ts puts a log in front of it. upstream: etcd server/storage/backend (bbolt).
 *
 * A write is one LMDB transaction, committed off the event loop by lmdb's own thread. With overlapping sync off, its promise resolves
 * after LMDB's two syncs (data pages, then the meta page), so what is acknowledged is on the disk; a torn commit leaves the
 * meta page before it in force. Writes never overlap, so that a failed one can be taken back.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { StoreError } from '../contract.ts';
import type { Backing, Batch, Recovered } from '../mvcc/backing.ts';
import { noValue } from '../mvcc/record.ts';
import type { Record } from '../mvcc/record.ts';
import { clearDefragment, defragment } from './defragment.ts';
import { failureOf } from './failures.ts';
import { headerSum, minus, plus } from './format.ts';
import type { State } from './format.ts';
import { checkMetaPages, corrupt, markMade } from './meta-pages.ts';
import { own } from './owner.ts';
import { Packer, Packs, Shrinking } from './packs.ts';
import type { Pack, Shrunk } from './packs.ts';
import { checkValue, newestSequence, readRecords, readState, readValues } from './reading.ts';
import { pageSize, pagesOf, pagesOfPack, Room } from './room.ts';
import { listsFreePages, openTables, pagesIn } from './tables.ts';
import type { RecentValues } from './recent-values.ts';
import type { Tables } from './tables.ts';

/** A batch with what goes along with it where it comes from the log. */
export interface Change extends Batch {
  compactRevision?: number;
  /** The newest entry of the log that it holds. */
  logged?: number;
}

interface Removal {
  records: readonly Record[];
  packs: readonly Shrunk[];
  /** What they add to the checksum. */
  checksum: number;
  /** Pages that it may need. */
  pages: number;
}

/** Records, or packs, looked at in one turn of the loop: who waits for the log does not wait for what is put into LMDB meanwhile. */
const [step, packStep] = [500, 32];

async function* inSteps<T>(items: Iterable<T>, length: number): AsyncIterable<readonly T[]> {
  let part: T[] = [];
  for (const item of items) {
    part.push(item);
    if (part.length < length) continue;
    yield part;
    part = [];
    await new Promise((resolve) => setImmediate(resolve));
  }
  yield part;
}

export class LmdbBacking implements Backing {
  readonly reserve = 1000;
  readonly path: string;
  readonly #recent: RecentValues | undefined;
  #tables: Tables;
  readonly #disown: () => void;
  #room: Room;
  #state: State;
  /** LMDB refuses everything once a meta page could not be written, until the environment is opened anew; why that failed. */
  #broken: unknown;
  /** Something is in LMDB's list of free pages: see #commit. */
  #listed = false;
  #sequence = 0;
  #packs: Packs;
  /** Snapshots that are being taken. */
  readonly #copies = new Set<Promise<unknown>>();
  #last: Promise<unknown> = Promise.resolve();

  /** `recent`: keeps values in memory for a while; else a record that is written loses its own at once. */
  constructor(path: string, recent?: RecentValues) {
    this.path = path;
    this.#recent = recent;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    this.#disown = own(path);
    try {
      clearDefragment(path);
      checkMetaPages(path);
      this.#tables = openTables(path);
      this.#state = readState(path, this.#tables);
      this.#packs = new Packs(this.#state.packed);
      this.#room = new Room(join(path, 'data.mdb'));
      this.#sequence = newestSequence(this.#tables);
    } catch (error) {
      this.#disown();
      throw error;
    }
  }

  /** Reads what is there and checks it. Throws StoreError 'corrupt' where it is not what was written. */
  inspect(): Recovered {
    const { records, leases, packs } = readRecords(this.path, this.#tables, this.#state);
    this.#packs = packs;
    const { revision: seen, compactRevision, clean } = this.#state;
    return { revision: clean ? seen : seen + this.reserve, compactRevision, seen, records, leases };
  }

  get state(): Readonly<State> {
    return this.#state;
  }

  /** `inspect`, then marks the store as in use, with `salt` for the entries of its log. */
  async recover(salt = this.#state.salt): Promise<Recovered> {
    const recovered = this.inspect();
    await this.#commit({ ...this.#state, revision: recovered.revision, salt, clean: false }, 0, false, () => undefined);
    markMade(this.path);
    return recovered;
  }

  load(records: readonly Record[]): Uint8Array[] {
    const found = this.#read(records);
    return records.map((record, place) => {
      if (record.size === 0) return noValue;
      const value = found[place];
      checkValue(this.path, record, value);
      if (this.#recent) {
        record.value = value;
        this.#recent.keep(record);
      }
      return value;
    });
  }

  #read(records: readonly Record[]): (Buffer | undefined)[] {
    try {
      return readValues(this.#tables, this.#state, records);
    } catch (error) {
      throw failureOf(this.path, error);
    }
  }

  #readPack(key: number): { headers: Buffer; values: Uint8Array | undefined } {
    const headers = this.#tables.records.get(key);
    if (!headers) throw corrupt(this.path, `the records of sequence ${key} and after it are not there`);
    return { headers, values: this.#tables.values.getBinaryFast(key) };
  }

  /**
   * The records know the checksums of their values.
   * Frees what is superfluous in the same commit: on their own, compaction's commits would cost writers two syncs each.
   */
  write(batch: Change): Promise<boolean> {
    return this.#next(async () => {
      if (batch.superfluous.length > 0)
        try {
          await this.#put(batch);
          return true;
        } catch (error) {
          // It may have taken more room than the write alone.
          if (!(error instanceof StoreError) || error.code !== 'no-space') throw error;
        }
      await this.#put({ ...batch, superfluous: [] });
      return batch.superfluous.length === 0;
    });
  }

  async #put({ records, revision, leases, superfluous, compactRevision = 0, logged }: Change): Promise<void> {
    const removed = await this.#removal(superfluous);
    let checksum = minus(this.#state.checksum, removed.checksum);
    const packer = new Packer(this.#sequence, records);
    const sequences: number[] = [];
    for await (const part of inSteps(records, step))
      for (const record of part) {
        const { sequence, header } = packer.add(record);
        checksum = plus(checksum, crc32(header));
        sequences.push(sequence);
      }
    packer.end();
    const { state } = this;
    await this.#commit(
      {
        ...state,
        revision,
        checksum,
        compactRevision: Math.max(compactRevision, state.compactRevision),
        logged: logged ?? state.logged,
      },
      pagesOf(records) + removed.pages,
      records.some((record) => record.version > 0),
      (keep) => {
        for (const pack of packer.packs) this.#putPack(pack, keep);
        for (const { id, ttl } of leases) {
          if (ttl === undefined) {
            keep(this.#tables.leases.remove(id));
            continue;
          }
          const value = Buffer.allocUnsafe(8);
          value.writeDoubleLE(ttl);
          keep(this.#tables.leases.put(id, value));
        }
        this.#remove(removed, keep);
      },
    );
    this.#removed(removed);
    this.#sequence = packer.newest;
    for (const [index, record] of records.entries()) {
      record.sequence = sequences[index]!;
      if (record.size === 0) continue;
      if (this.#recent) this.#recent.keep(record);
      else record.value = undefined;
    }
    this.#packs.add(records);
  }

  compact(revision: number): Promise<void> {
    return this.#next(() =>
      this.#commit({ ...this.#state, compactRevision: Math.max(revision, this.#state.compactRevision) }, 0, false, () => undefined),
    );
  }

  /** Sees to it that later writes find room for so many pages. Rejects with StoreError 'no-space'. */
  async makeRoom(pages: number, puts: boolean): Promise<void> {
    if (this.#room.has(pages, puts)) return;
    await this.#next(() => this.#reserve(pages, puts));
  }

  /** `probed`: LMDB itself is to write now. */
  async #reserve(pages: number, puts: boolean, probed = false): Promise<void> {
    try {
      await this.#room.reserve(pages, puts, () => pagesIn(this.#tables));
      if (probed) await this.#room.probe();
    } catch (error) {
      throw failureOf(this.path, error);
    }
  }

  /** In smaller and smaller parts where the disk is full: even deleting takes pages, but few for few records. */
  async drop(records: readonly Record[]): Promise<void> {
    try {
      await this.#next(() => this.#free(records));
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'no-space' || records.length === 1) throw error;
      const half = records.length >> 1;
      await this.drop(records.slice(0, half));
      await this.drop(records.slice(half));
    }
  }

  async #free(records: readonly Record[]): Promise<void> {
    const removed = await this.#removal(records);
    if (removed.records.length === 0) return;
    const checksum = minus(this.#state.checksum, removed.checksum);
    await this.#commit({ ...this.#state, checksum }, removed.pages, false, (keep) => this.#remove(removed, keep));
    this.#removed(removed);
  }

  /** What it takes to remove those of the records that are there. */
  async #removal(records: readonly Record[]): Promise<Removal> {
    let checksum = 0;
    const found: Record[] = [];
    const shrinking = new Shrinking(this.#packs);
    for await (const part of inSteps(records, step))
      for (const record of part) {
        if (record.sequence === 0) continue;
        checksum = plus(checksum, headerSum(record));
        shrinking.remove(record);
        found.push(record);
      }
    const packs: Shrunk[] = [];
    for await (const part of inSteps(
      shrinking.packs((key) => this.#readPack(key)),
      packStep,
    ))
      packs.push(...part);
    // A page of each table, and what is written anew.
    const pages = packs.reduce((sum, { pack }) => sum + 3 + (pack ? pagesOfPack(pack) : 0), 0);
    return { records: found, packs, checksum, pages };
  }

  #remove({ packs }: Removal, keep: (operation: Promise<unknown>) => void): void {
    for (const { key, left, pack } of packs) {
      if (left?.gone) {
        keep(this.#tables.gone.put(key, left.gone as Buffer));
        continue;
      }
      keep(this.#tables.gone.remove(key));
      if (pack?.values === undefined) keep(this.#tables.values.remove(key));
      if (pack) this.#putPack(pack, keep);
      else keep(this.#tables.records.remove(key));
    }
  }

  #putPack({ key, headers, values }: Pack, keep: (operation: Promise<unknown>) => void): void {
    keep(this.#tables.records.put(key, headers));
    if (values) keep(this.#tables.values.put(key, values));
  }

  /** That has been done. */
  #removed({ records, packs }: Removal): void {
    for (const { key, left } of packs) this.#packs.set(key, left);
    for (const record of records) record.sequence = 0;
  }

  /** A copy of the newest durable state in a directory of its own, which can be opened as a store. Writes go on meanwhile. */
  async snapshot(directory: string): Promise<void> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Begun between writes, so that nobody closes what is copied from.
    const { copy } = await this.#next(async () => {
      const copying = this.#tables.root.backup(directory, true);
      this.#copies.add(copying);
      return { copy: copying };
    });
    await copy.finally(() => this.#copies.delete(copy));
  }

  /** Makes the file as short as what is in it. Reads go on meanwhile. */
  defragment(): Promise<void> {
    return this.#next(async () => {
      await Promise.allSettled(this.#copies);
      this.#listed = false;
      try {
        await defragment(this.path, this.#tables, (tables) => (this.#tables = tables));
      } catch (error) {
        // Whatever is open now: the next write opens what lies there.
        this.#broken = error;
        throw failureOf(this.path, error);
      }
      this.#room = new Room(join(this.path, 'data.mdb'));
    });
  }

  /** Bytes of the file that have ever been used, and of those that are in use now. */
  size(): { total: number; inUse: number } {
    const { last, free } = pagesIn(this.#tables);
    return { total: (last + 1) * pageSize, inUse: (last + 1 - free) * pageSize };
  }

  async close(revision: number): Promise<void> {
    try {
      await this.#next(() =>
        this.#commit({ ...this.#state, revision, clean: revision === this.#state.revision }, 0, false, () => undefined),
      );
    } finally {
      await this.#tables.root.close();
      this.#disown();
    }
  }

  /** Without marking a clean end: for a store that could not be opened. */
  async abandon(): Promise<void> {
    await this.#tables.root.close();
    this.#disown();
  }

  #next<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#last.then(run);
    this.#last = next.catch(() => undefined);
    return next;
  }

  /**
   * One LMDB transaction: what `fill` puts and the state after it. `keep` takes the promises of the single operations.
   * `pages`: how many it may need for what it puts or removes; `puts`: it must leave room for deletions.
   *
   * A new file, or a compact copy, has an empty list of free pages. Where the first entry to come is longer than a page, lmdb 3.5.6 looks for
   * pages for it in that very list, which has a root by then and no entry, and the process ends. A commit that frees two or three goes first.
   */
  async #commit(state: State, pages: number, puts: boolean, fill: (keep: (operation: Promise<unknown>) => void) => void): Promise<void> {
    if (this.#broken !== undefined) await this.#reopen();
    if (!this.#listed && !(this.#listed = listsFreePages(this.#tables))) await this.#transact(this.#state, 0, false, () => undefined);
    await this.#transact(state, pages, puts, fill);
  }

  async #transact(state: State, pages: number, puts: boolean, fill: (keep: (operation: Promise<unknown>) => void) => void): Promise<void> {
    let kept: Promise<unknown> | undefined;
    // Each fails with the batch; the batch's own failure is the one that is looked at. Mostly they are one promise.
    const keep = (operation: Promise<unknown>): void => {
      if (operation !== kept) operation.then(undefined, () => undefined);
      kept = operation;
    };
    await this.#reserve(pages, puts, true);
    try {
      await this.#tables.root.batch(() => {
        fill(keep);
        keep(this.#tables.meta.put('state', Buffer.from(JSON.stringify(state))));
      });
    } catch (error) {
      const cause = await causeOf(error);
      this.#broken = cause;
      // At once, for the sake of readers. Where it fails, the next write tries again.
      await this.#reopen().catch(() => undefined);
      throw failureOf(this.path, cause);
    }
    this.#room.spend(pages);
    this.#state = state;
  }

  /** After a failed write. What is there must be what was there before it. */
  async #reopen(): Promise<void> {
    await Promise.allSettled(this.#copies);
    await this.#tables.root.close();
    this.#listed = false;
    this.#tables = openTables(this.path);
    const found = JSON.stringify(readState(this.path, this.#tables));
    const known = JSON.stringify(this.#state);
    if (found !== known)
      throw new StoreError('closed', `Store ${this.path} must be opened anew: after a failed write it is at ${found}, not at ${known}`);
    this.#broken = undefined;
  }
}

/** lmdb gives the reason of a failed commit in a promise beside the error. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  if (!commitError) return error;
  const late = new Promise<unknown>((resolve) => setImmediate(() => setImmediate(() => resolve(error))));
  return Promise.race([commitError.catch((cause: unknown) => cause), late]);
}
