/**
 * LMDB with a log in front of it: what is written is in the log when it is acknowledged, which takes one sync, and is put into LMDB soon
 * after, together with what came meanwhile, which takes two. upstream: etcd's WAL before its backend.
 *
 *   entry   1 .. 43 | 44 45 | 46 47 | 48
 *           in LMDB | being | in    | being
 *                   | put   | the   | logged
 *                   | there | log   |
 * Until it is in LMDB, a record keeps its value in memory. Opening puts what is left in the log into LMDB, so nothing reads the log but
 * that and those who look at the store from outside.
 * Room in LMDB's file is reserved before something is logged: what is in the log can always be put there.
 */
import { join } from 'node:path';
import type { Clock, Random, Timer } from '#machinery/clock';
import { releaseMapped } from '#machinery/memory';
import { StoreError } from '../contract.ts';
import type { Backing, Batch, Recovered } from '../mvcc/backing.ts';
import type { Record } from '../mvcc/record.ts';
import { LmdbBacking } from './backing.ts';
import { failureOf } from './failures.ts';
import { valueSum } from './format.ts';
import type { State } from './format.ts';
import { entriesAfter, entrySize } from './log-format.ts';
import type { Entry, Logged } from './log-format.ts';
import { Log, readLog } from './log.ts';
import { RecentValues } from './recent-values.ts';
import { pagesOf } from './room.ts';

export interface LoggedOptions {
  path: string;
  clock: Clock;
  random: Random;
}

/** An entry of the log that is not in LMDB yet. */
interface Pending extends Entry {
  superfluous: readonly Record[];
  /** Bytes in the log, pages in LMDB at most. */
  size: number;
  pages: number;
}

/** Milliseconds that an entry waits for company on its way into LMDB, and after a failure. */
const [patience, retry] = [250, 1000];

export class LoggedBacking implements Backing {
  readonly reserve: number;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #lmdb: LmdbBacking;
  readonly #recent: RecentValues;
  #log!: Log;
  #pending: Pending[] = [];
  /** Of all that is pending. */
  #size = 0;
  #pages = 0;
  /** Superfluous records that are in LMDB because there was no room to remove them. */
  #garbage: readonly Record[] = [];
  #applying: Promise<void> | undefined;
  /** The last application failed. */
  #failing = false;
  #timer: Timer | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor({ path, clock, random }: LoggedOptions) {
    this.#path = path;
    this.#clock = clock;
    this.#random = random;
    // What was looked at lately is in memory; the pages it came from, and those that LMDB went through to write, need not be.
    this.#recent = new RecentValues(clock, () => releaseMapped(join(path, 'data.mdb')));
    this.#lmdb = new LmdbBacking(path, this.#recent);
    this.reserve = this.#lmdb.reserve;
  }

  /** Puts into LMDB what is left in the log, reads and checks everything, and marks the store as in use. Before anything else. */
  async recover(): Promise<Recovered> {
    // Who closed it in order left nothing in the log, and looking through it takes as long as reading a store of ten thousand objects.
    if (!this.#lmdb.state.clean) await replay(this.#lmdb, readLog(this.#path), false);
    const salt = this.#random.next();
    const recovered = await this.#lmdb.recover(salt);
    this.#log = new Log(this.#path, this.#lmdb.state.logged, salt);
    return recovered;
  }

  load(records: readonly Record[]): Uint8Array[] {
    return this.#lmdb.load(records);
  }

  write(batch: Batch): Promise<boolean> {
    return this.#next(async () => {
      for (const record of batch.records) record.checksum = valueSum(record.value!);
      if (entrySize(batch) <= this.#log.capacity) {
        await this.#append({ ...batch, compactRevision: 0 }, batch.superfluous);
        return true;
      }
      // Too much for the log is enough for a commit of its own.
      await this.#drain();
      return this.#lmdb.write(batch);
    });
  }

  compact(revision: number): Promise<void> {
    return this.#next(async () => {
      const newest = this.#pending.at(-1)?.logged.revision ?? this.#lmdb.state.revision;
      const logged = { records: [], leases: [], revision: newest, compactRevision: revision };
      if (entrySize(logged) <= this.#log.capacity) return this.#append(logged, []);
      await this.#drain();
      return this.#lmdb.compact(revision);
    });
  }

  async drop(records: readonly Record[]): Promise<void> {
    await this.#drain();
    await this.#lmdb.drop(records);
  }

  async snapshot(directory: string): Promise<void> {
    await this.#drain();
    await this.#lmdb.snapshot(directory);
  }

  async defragment(): Promise<void> {
    await this.#drain();
    await this.#lmdb.defragment();
  }

  size(): { total: number; inUse: number } {
    return this.#lmdb.size();
  }

  async close(revision: number): Promise<void> {
    await this.#last;
    this.#closed = true;
    try {
      await this.#drain();
    } catch (error) {
      // It is in the log, and is put into LMDB when the store is opened again.
      await this.#lmdb.abandon();
      throw error;
    } finally {
      this.#timer?.cancel();
      this.#recent.clear();
      this.#log.close();
    }
    await this.#lmdb.close(revision);
  }

  /** For a store that could not be opened. */
  async abandon(): Promise<void> {
    this.#recent.clear();
    await this.#lmdb.abandon();
  }

  /** One entry into the log. */
  protected log(logged: Logged): Promise<number> {
    return this.#log.append(logged);
  }

  /** All that is pending into LMDB. */
  protected async apply(): Promise<void> {
    // What comes from here on goes into the other file, so that this one is free afterwards.
    this.#log.turn();
    const part = this.#pending.slice();
    const superfluous = new Set([...this.#garbage, ...part.flatMap((pending) => pending.superfluous)]);
    const { number, logged } = merged(part, this.#lmdb.state);
    // What is superfluous already need not be put there.
    const records = logged.records.filter((record) => !superfluous.delete(record));
    const left = [...superfluous];
    const freed = await this.#lmdb.write({ ...logged, records, superfluous: left, logged: number });
    this.#pending.splice(0, part.length);
    for (const { size, pages } of part) {
      this.#size -= size;
      this.#pages -= pages;
    }
    this.#log.applied(number);
    this.#garbage = freed ? [] : left;
    if (!freed) await this.#free();
  }

  /** In parts, as far as there is room. */
  async #free(): Promise<void> {
    try {
      await this.#lmdb.drop(this.#garbage);
      this.#garbage = [];
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'no-space') throw error;
    }
  }

  async #append(logged: Logged, superfluous: readonly Record[]): Promise<void> {
    const pages = pagesOf(logged.records);
    const size = entrySize(logged);
    const puts = logged.records.some((record) => record.version > 0);
    try {
      await this.#lmdb.makeRoom(this.#pages + pages, puts);
    } catch (error) {
      if (this.#pending.length === 0) throw error;
      // What is pending may need less than it might, and make room.
      await this.#drain();
      await this.#lmdb.makeRoom(pages, puts);
    }
    while (!this.#log.fits(size) && !this.#log.turn()) await this.#applied();
    let number: number;
    try {
      number = await this.log(logged);
    } catch (error) {
      throw failureOf(this.#path, error);
    }
    this.#pending.push({ number, logged, superfluous, size, pages });
    this.#size += size;
    this.#pages += pages;
    this.#applySoon();
  }

  #applySoon(): void {
    if (this.#pending.length === 0 || this.#applying || this.#closed) return;
    if (this.#size * 2 >= this.#log.capacity && !this.#failing) {
      this.#applied().catch(ignore);
      return;
    }
    this.#timer ??= this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        this.#applied().catch(ignore);
      },
      this.#failing ? retry : patience,
    );
  }

  /** Resolves when what is pending now, or was when the last application began, is in LMDB. */
  #applied(): Promise<void> {
    if (this.#applying) return this.#applying;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#pending.length === 0) return Promise.resolve();
    const applying = this.apply();
    const after = (failed: boolean) => (): void => {
      this.#applying = undefined;
      this.#failing = failed;
      this.#applySoon();
    };
    this.#applying = applying;
    applying.then(after(false), after(true));
    return applying;
  }

  /** Resolves when all that is pending now is in LMDB. */
  async #drain(): Promise<void> {
    const wanted = this.#pending.at(-1)?.number ?? 0;
    while (this.#lmdb.state.logged < wanted) await this.#applied();
  }

  #next<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#last.then(run);
    this.#last = next.catch(ignore);
    return next;
  }
}

/** Who waits for an application hears of its failure; else it is tried again. */
const ignore = (): void => undefined;

/** Puts into LMDB what the files of its log have beyond it, in one commit. `beside`: see log-format.ts. Answers how many entries that were. */
export async function replay(lmdb: LmdbBacking, files: readonly Buffer[], beside: boolean): Promise<number> {
  const entries = entriesAfter(lmdb.path, files, lmdb.state.logged, lmdb.state.salt, beside);
  if (entries.length === 0) return 0;
  const { number, logged } = merged(entries, lmdb.state);
  await lmdb.write({ ...logged, superfluous: [], logged: number });
  return entries.length;
}

/** All of them in one, on top of a state. */
export const merged = (entries: readonly Entry[], state: State): Entry => ({
  number: entries.at(-1)?.number ?? state.logged,
  logged: {
    records: entries.flatMap(({ logged }) => logged.records),
    leases: entries.flatMap(({ logged }) => logged.leases),
    revision: entries.at(-1)?.logged.revision ?? state.revision,
    compactRevision: Math.max(state.compactRevision, ...entries.map(({ logged }) => logged.compactRevision)),
  },
});
