/** The store without a disk: for tests and clusters that are thrown away. What it keeps ends with the process. */
import { systemRandom } from '#machinery/clock';
import type { Random } from '#machinery/clock';
import { MvccStore } from '../mvcc/store.ts';
import type { MvccOptions } from '../mvcc/store.ts';

export type MemoryStoreOptions = Omit<MvccOptions, 'random' | 'deferral'> & { random?: Random };

export class MemoryStore extends MvccStore {
  /** A store of its own that begins as this one was at `revision` (default: now), without the history before it. Takes milliseconds. */
  fork(options: MemoryStoreOptions, revision?: number): MemoryStore {
    return new MemoryStore({ random: systemRandom, ...options }, undefined, this.stateAt(revision));
  }
}

export function memoryStore(options: MemoryStoreOptions): MemoryStore {
  return new MemoryStore({ random: systemRandom, ...options });
}
