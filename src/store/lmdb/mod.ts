/**
 * The default store: on this machine's disk, in LMDB. What `txn` acknowledged survives the process and the power.
 * Read first: logged-backing.ts for what is written when, format.ts for what it looks like; ../mvcc/store.ts for all the rest.
 */
import { systemRandom } from '#machinery/clock';
import type { Random } from '#machinery/clock';
import type { Recovered } from '../mvcc/backing.ts';
import { MvccStore } from '../mvcc/store.ts';
import type { MvccOptions } from '../mvcc/store.ts';
import { LoggedBacking } from './logged-backing.ts';

export { restoreSnapshot, saveSnapshot, snapshotStatus, verifyStore } from './snapshot.ts';

export interface LmdbStoreOptions extends Omit<MvccOptions, 'random'> {
  /** A directory of the store's own; made where it is not there. */
  path: string;
  random?: Random;
  /** Default 8 GiB. */
  quotaBytes?: number;
}

/** Opens or makes a store. Rejects with StoreError 'corrupt' where the disk does not hold what was written, 'invalid' where another process has it. */
export async function lmdbStore({ path, random = systemRandom, ...options }: LmdbStoreOptions): Promise<LmdbStore> {
  const backing = new LoggedBacking({ path, random, clock: options.clock });
  try {
    return new LmdbStore({ random, quotaBytes: 8 * 1024 ** 3, ...options }, backing, await backing.recover());
  } catch (error) {
    await backing.abandon();
    throw error;
  }
}

export class LmdbStore extends MvccStore {
  readonly #own: LoggedBacking;
  /** Bytes of keys and values beyond which puts are refused. */
  readonly quota: number;

  constructor(options: MvccOptions, backing: LoggedBacking, recovered: Recovered) {
    super(options, backing, recovered);
    this.#own = backing;
    this.quota = options.quotaBytes ?? Infinity;
  }

  /** Copies the store as of a revision, the one it returns or a later one, into `directory`, while writes go on. The copy can be opened as it is. */
  async snapshot(directory: string): Promise<number> {
    await this.flush();
    const revision = this.written;
    await this.#own.snapshot(directory);
    return revision;
  }

  /** Gives the space of what is no more back to the disk, while reads and writes go on. It takes as much again as is in use meanwhile. */
  async defragment(): Promise<void> {
    await this.reclaimed();
    await this.#own.defragment();
  }

  /** Bytes of the file, and of what is in it. */
  size(): { total: number; inUse: number } {
    return this.#own.size();
  }
}
