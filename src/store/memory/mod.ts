/** The store without a disk: for tests and clusters that are thrown away. What it keeps ends with the process. */
import { systemRandom } from '#machinery/clock';
import type { Random } from '#machinery/clock';
import { MvccStore } from '../mvcc/store.ts';
import type { MvccOptions } from '../mvcc/store.ts';

export function memoryStore(options: Omit<MvccOptions, 'random'> & { random?: Random }): MvccStore {
  return new MvccStore({ random: systemRandom, ...options });
}
