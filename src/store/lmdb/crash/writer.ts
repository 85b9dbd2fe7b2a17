/**
 * The process that is killed: eight clients that count, two keys a transaction, and say each number once it is acknowledged; beside
 * them deferred writes, leases, deletions, compaction and snapshots. Parameters: the store, a fail point, how often it is passed before.
 *
 *   ack <writer> <number> <revision>    a durable transaction: must be there
 *   saw <revision> <key>                anything that was shown: its revision must never stand for something else
 *   snapshot <directory> <revision>     taken: must be whole, and not older
 */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { systemClock, systemRandom } from '#machinery/clock';
import type { TxnRequest } from '../../contract.ts';
import { LmdbStore } from '../mod.ts';
import { FailingBacking } from './fail-points.ts';

const writers = 8;

async function write(path: string, point: string | undefined, count: number): Promise<never> {
  const backing = new FailingBacking({ path, clock: systemClock, random: systemRandom }, point, count);
  const store = new LmdbStore({ clock: systemClock, random: systemRandom, deferral: 20 }, backing, await backing.recover());
  // A pipe is written synchronously: what was said has left the process.
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const txn = async (request: Omit<TxnRequest, 'compare' | 'failure'>, key: string): Promise<number> => {
    const { revision } = await store.txn({ compare: [], failure: [], ...request });
    say(`saw ${revision} ${key}`);
    return revision;
  };
  const client = async (writer: string, index: number): Promise<never> => {
    const [found] = (await store.range({ key: `${writer}/one` })).keyValues;
    let lease = 0;
    for (let value = found ? Number(Buffer.from(found.value).toString()) + 1 : 1; ; value++) {
      const bytes = Buffer.from(String(value).padEnd(20 + (value % 7) * 500));
      const success = ['one', 'two'].map((name) => ({ type: 'put' as const, key: `${writer}/${name}`, value: bytes }));
      const revision = await txn({ success }, `${writer}/one`);
      say(`ack ${writer} ${value} ${revision}`);
      const { id } = await store.leases.grant(600);
      await txn({ success: [{ type: 'put', key: `event/${writer}`, value: bytes, lease: id }], durability: 'deferred' }, `event/${writer}`);
      await txn({ success: [{ type: 'put', key: `gone/${writer}`, value: bytes }] }, `gone/${writer}`);
      await txn({ success: [{ type: 'delete', key: `gone/${writer}` }] }, `gone/${writer}`);
      if (lease !== 0 && value % 2 === 0) await store.leases.revoke(lease);
      lease = id;
      if (value % 8 === index) await store.compact(revision).catch(ignore);
      if (index === 1 && value % 20 === 3) await store.defragment();
      if (index === 0 && value % 40 === 5) {
        const directory = `${path}-snapshot-${value}`;
        rmSync(directory, { recursive: true, force: true });
        say(`snapshot ${directory} ${await store.snapshot(directory)}`);
      }
    }
  };
  return Promise.race(Array.from({ length: writers }, (_, index) => client(`writer-${index}`, index)));
}

/** Another client was first. */
const ignore = (): void => undefined;

if (process.argv[1] === fileURLToPath(import.meta.url))
  await write(process.argv[2]!, process.argv[3] || undefined, Number(process.argv[4] ?? 1));
