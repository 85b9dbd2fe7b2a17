/**
 * Kills a process that writes, again and again, and looks at what is left (check.ts). upstream: etcd tests/robustness (failpoints).
 *
 *   moment       SIGKILL after a random time
 *   point        SIGKILL at a named step of the backing (fail-points.ts), passed a random number of times
 *   system call  SIGKILL at a write or sync of the file, before or after it takes effect
 *   power        at a write or sync, the machine dies: any part of what was not synced is lost (disk.ts)
 *
 * The last two need a file system of their own, which only root can mount.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, systemClock } from '#machinery/clock';
import type { Random } from '#machinery/clock';
import { check, Said } from './check.ts';
import { FaultyDisk } from './disk.ts';
import type { Faults } from './disk.ts';
import { errno } from './errno.ts';
import { failPoints } from './fail-points.ts';
import { mount, whyNoFuse } from './fuse.ts';

export const deaths = ['moment', 'point', 'system call', 'power'] as const;
export type Death = (typeof deaths)[number];

export interface CrashOptions {
  /** An empty directory. */
  directory: string;
  rounds: number;
  random: Random;
  /** Which ways to die, in turn. Default: all that this machine allows. */
  kinds?: readonly Death[];
  /** Told after each round. */
  report?(round: number, death: string, said: Said): void;
}

/** Rejects where something acknowledged is lost, something is there in part, or a revision stands for two things. */
export async function crashRounds({ directory, rounds, random, kinds, report }: CrashOptions): Promise<Said> {
  const allowed = kinds ?? deaths.filter((kind) => whyNoFuse() === undefined || kind === 'moment' || kind === 'point');
  const said = new Said();
  const path = join(directory, 'store');
  for (let round = 0; round < rounds; round++) {
    const kind = allowed[round % allowed.length]!;
    const how = kind === 'moment' || kind === 'point' ? await die(path, kind, random, said) : await dieOnDisk(path, kind, random, said);
    try {
      await check(path, said);
    } catch (error) {
      throw new Error(`Round ${round + 1}, ${kind}: ${how}`, { cause: error });
    }
    report?.(round, `${kind}: ${how}`, said);
  }
  return said;
}

interface Writing {
  child: ChildProcess;
  ended: Promise<void>;
  /** It has said something. */
  begun: Promise<void>;
  output(): string;
}

function start(path: string, point = '', count = 1): Writing {
  const child = spawn(process.execPath, ['--no-warnings', join(import.meta.dirname, 'writer.ts'), path, point, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    resolve();
  });
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  return { child, ended, begun: Promise.race([begun, ended]), output: () => output };
}

/** Whatever went wrong in it before would be forgotten with it. */
function assertKilled({ exitCode, signalCode }: ChildProcess): void {
  assert.equal(signalCode, 'SIGKILL', `the writing process ended by itself: ${signalCode ?? `exit ${exitCode}`}`);
}

async function die(path: string, kind: 'moment' | 'point', random: Random, said: Said): Promise<string> {
  const point = kind === 'point' ? failPoints[Math.floor(random.next() * failPoints.length)]! : '';
  const rare = /recover|snapshot|defragment/.test(point);
  const count = rare ? 1 : 1 + Math.floor(random.next() * 30);
  const { child, ended, begun, output } = start(path, point, count);
  await begun;
  assert(child.exitCode === null, 'the writing process ended by itself');
  // A point that is not reached in time: killed all the same.
  const wait = kind === 'moment' ? random.next() * 300 : 2000;
  await Promise.race([sleep(systemClock, wait), ended]);
  child.kill('SIGKILL');
  await ended;
  assertKilled(child);
  said.hear(output());
  return kind === 'moment' ? `after ${Math.round(wait)} ms` : `${point}, time ${count}`;
}

async function dieOnDisk(path: string, kind: 'system call' | 'power', random: Random, said: Said): Promise<string> {
  const at = `${path}-mount`;
  mkdirSync(at, { recursive: true });
  const disk = new FaultyDisk();
  disk.load(path, 'store');
  const mounted = await mount(disk, at);
  const steps = ['before write', 'after write', 'before sync', 'after sync'] as const;
  const step = steps[Math.floor(random.next() * steps.length)]!;
  let left = 1 + Math.floor(random.next() * 150);
  const count = left;
  try {
    const { child, ended, output } = start(join(at, 'store'));
    let cut = false;
    const end = (): void => {
      cut = true;
      // What is there at this moment is kept; what the process still asks for fails, so nothing more can be acknowledged.
      rmSync(path, { recursive: true, force: true });
      disk.copyTo(path, 'store', kind === 'power' ? random : undefined);
      child.kill('SIGKILL');
      disk.faults = { write: errno.EIO, sync: errno.EIO };
    };
    const observe: NonNullable<Faults['observe']> = (reached) => {
      if (reached === step && --left === 0) end();
    };
    disk.faults = { observe };
    await Promise.race([sleep(systemClock, 5000), ended]);
    if (!cut && child.exitCode === null) end();
    await ended;
    assert(cut, 'the writing process ended by itself');
    assertKilled(child);
    said.hear(output());
    // It lay on the disk that is gone.
    said.snapshots = [];
  } finally {
    await mounted.unmount();
    rmSync(at, { recursive: true, force: true });
  }
  return `${step}, time ${count}`;
}
