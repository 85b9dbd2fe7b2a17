/**
 * Kills a process that writes, again and again, and looks at what is left. upstream: etcd tests/robustness (failpoint KillFailpoint).
 * The child says on its standard output what was acknowledged; all of it must be there, whole revisions only.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#machinery/clock';
import { lmdbStore, verifyStore } from './mod.ts';

export interface CrashOptions {
  path: string;
  rounds: number;
  /** How long a child lives, at most. */
  milliseconds: number;
  /** Told after each round. */
  report?(round: number, acknowledged: number): void;
}

const writers = 8;

/** Rejects where something acknowledged is lost, or something is there in part. */
export async function crashRounds({ path, rounds, milliseconds, report }: CrashOptions): Promise<void> {
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), path], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    let first: (() => void) | undefined;
    const begun = new Promise<void>((resolve) => (first = resolve));
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      first?.();
    });
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    await Promise.race([begun, ended]);
    assert.equal(child.exitCode, null, 'the writing process ended by itself');
    const wait = (milliseconds * (round + 1)) / rounds;
    await new Promise<void>((resolve) => void systemClock.setTimeout(resolve, wait));
    child.kill('SIGKILL');
    await ended;
    // The last line may be cut: it was not said.
    for (const line of output.split('\n').slice(0, -1)) {
      const [key, value] = line.split(' ') as [string, string];
      acknowledged.set(key, Number(value));
    }
    await check(path, acknowledged);
    report?.(
      round,
      [...acknowledged.values()].reduce((sum, count) => sum + count, 0),
    );
  }
}

async function check(path: string, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  await verifyStore(path);
  const store = await lmdbStore({ path, clock: systemClock });
  try {
    for (const [writer, value] of acknowledged) {
      const read = async (key: string): Promise<[number, number]> => {
        const [found] = (await store.range({ key })).keyValues;
        assert(found, `${key} is lost, ${value} was acknowledged`);
        return [Number(Buffer.from(found.value).toString()), found.modRevision];
      };
      const [one, two] = [await read(`${writer}/one`), await read(`${writer}/two`)];
      assert.deepEqual(one, two, `half of a transaction of ${writer} is there`);
      assert(one[0] >= value, `${writer} has ${one[0]}, ${value} was acknowledged`);
    }
  } finally {
    await store.close();
  }
}

/** The child: writers that count, two keys a transaction, and say each number once it is acknowledged. */
async function write(path: string): Promise<never> {
  const store = await lmdbStore({ path, clock: systemClock });
  const count = async (writer: string): Promise<never> => {
    const [found] = (await store.range({ key: `${writer}/one` })).keyValues;
    for (let value = found ? Number(Buffer.from(found.value).toString()) + 1 : 1; ; value++) {
      const bytes = Buffer.from(String(value));
      const success = ['one', 'two'].map((name) => ({ type: 'put' as const, key: `${writer}/${name}`, value: bytes }));
      const { revision } = await store.txn({ compare: [], success, failure: [] });
      process.stdout.write(`${writer} ${value}\n`);
      if (value % 50 === 0) await store.compact(revision).catch(() => undefined);
      await store.txn({
        compare: [],
        success: [{ type: 'put', key: `event/${writer}`, value: bytes }],
        failure: [],
        durability: 'deferred',
      });
    }
  };
  return Promise.race(Array.from({ length: writers }, (_, index) => count(`writer-${index}`)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await write(process.argv[2]!);
