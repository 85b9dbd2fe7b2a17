/** The store without a disk: for tests and clusters that are thrown away. What it keeps ends with the process. */
import { systemRandom } from '#machinery/clock';
import type { Random } from '#machinery/clock';
import { MvccStore } from '../mvcc/store.ts';
import type { MvccOptions } from '../mvcc/store.ts';

export type MemoryStore = MvccStore;

export function memoryStore(options: Omit<MvccOptions, 'random' | 'deferral'> & { random?: Random }): MemoryStore {
  return new MvccStore({ random: systemRandom, ...options });
}
