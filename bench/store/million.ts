/** What a store of a million keys costs: the time until it answers, and the memory it holds for itself then. */
import { join } from 'node:path';
import { measure, processorSeconds } from '../frame.ts';
import type { Measurement, Side } from '../frame.ts';
import { anonymousMegabytes, etcd, facade } from './servers.ts';
import type { Served } from './servers.ts';

const value = Buffer.alloc(512, 'x');
const together = 100;

async function fill({ client }: Served, keys: number): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < keys) {
      const from = next;
      next += together;
      const entries = Array.from({ length: together }, (_, index) => ({
        key: `/registry/configmaps/ns-${(from + index) % 5000}/name-${from + index}`,
        value,
      }));
      await client.putAll(entries);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
}

export async function millionKeys(directory: string, rounds: number, scale: number): Promise<Measurement> {
  const keys = Math.max(10_000, Math.round(1_000_000 * scale));
  const starts = { 'coxswain etcd': facade, etcd };
  for (const start of Object.values(starts)) {
    await using served = await start(join(directory, 'million'));
    await fill(served, keys);
  }
  const side = ([name, start]: [string, (at: string) => Promise<Served>]): Side => ({
    name,
    async run() {
      const begin = performance.now();
      await using served = await start(join(directory, 'million'));
      const time = performance.now() - begin;
      const { pid } = served.child;
      return { start: time / 1000, processor: processorSeconds(pid!), memory: anonymousMegabytes(pid!) };
    },
  });
  return measure({
    name: 'store million',
    title: `Store: opening ${keys.toLocaleString('en')} keys`,
    figures: {
      start: { title: 'from the command to the first answer', unit: 's', better: 'less' },
      processor: { title: 'processor time until then', unit: 's', better: 'less' },
      memory: { title: 'memory of its own then', unit: 'MB', better: 'less' },
    },
    sides: Object.entries(starts).map(side),
    rounds,
    notes: ['Values of 512 bytes. Memory is without the pages of the data file, which both map; the file is in the page cache.'],
  });
}
