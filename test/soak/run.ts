/**
 * `npm run soak -- --minutes n [--machines 5] [--seed s] [--objects 60]`: every kind of workload is made, changed and deleted on simulated machines, all the
 * while something goes wrong: the whole cluster stops and starts again on its store, watches are cut, the disk is slow, the clock jumps. Then all
 * must settle, everything is deleted, and what is left is counted: nothing leaked, nothing stuck, memory flat.
 */
import { parseArgs } from 'node:util';
import { setTimeout as wait } from 'node:timers/promises';
import { Event, Namespace } from '#api';
import { startCluster } from '#cluster';
import type { RunningCluster } from '#cluster';
import { seededRandom } from '#machinery/clock';
import { draft } from '#machinery/meta';
import { isAlreadyExists, isConflict, isNotFound } from '#machinery/status';
import { memoryStore } from '#store';
import { faultyStore, jumpingClock } from './faults.ts';
import { keyCounts, leftovers, wrong } from './inventory.ts';
import { namespace, workloads } from './workloads.ts';
import type { Kept } from './workloads.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    machines: { type: 'string', default: '5' },
    objects: { type: 'string', default: '60' },
    seed: { type: 'string' },
  },
});
const [minutes, machines, most] = [Number(values.minutes), Number(values.machines), Number(values.objects)];
if (!(minutes > 0) || !(machines >= 1) || !(most >= 1)) {
  console.error('Cannot soak: --minutes, --machines and --objects must be numbers above 0');
  process.exit(1);
}
const seed = values.seed === undefined ? process.pid : Number(values.seed);
const random = seededRandom(seed);
const clock = jumpingClock();
const store = faultyStore(memoryStore({ clock }));
const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
const megabytes = (): number => {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
};
const started = performance.now();
const say = (text: string): void => console.log(`${((performance.now() - started) / 1000).toFixed(0).padStart(5)} s  ${text}`);

let cluster!: RunningCluster;
const start = async (): Promise<void> => {
  cluster = await startCluster({ name: 'soak', machines, clock, store, freeze: false });
};

const alive = new Map<string, Kept>();
const counts = { created: 0, changed: 0, deleted: 0, refused: 0 };
let serial = 0;

/** Refusals that somebody who works on a moving cluster meets every day. */
const everyday = (error: unknown): boolean => isConflict(error) || isNotFound(error) || isAlreadyExists(error);

async function step(): Promise<void> {
  const { client } = cluster;
  const choice = random.next();
  try {
    if (choice < 0.4 && alive.size < most) {
      const kept = workloads[Math.floor(random.next() * workloads.length)]!;
      const name = `${kept.kind.kind.toLowerCase()}-${serial++}`;
      await client.create(kept.kind, kept.make(name, random));
      alive.set(name, kept);
      counts.created++;
      return;
    }
    const names = [...alive.keys()];
    const name = names[Math.floor(random.next() * names.length)];
    if (name === undefined) return;
    const kept = alive.get(name)!;
    if (choice < 0.8) {
      const changed = draft(await client.get(kept.kind, { namespace, name }));
      kept.change(changed, random);
      await client.update(kept.kind, changed);
      counts.changed++;
    } else {
      const policy = random.next();
      await client.delete(kept.kind, { namespace, name }, { propagationPolicy: policy < 0.5 ? 'Background' : 'Foreground' });
      alive.delete(name);
      counts.deleted++;
    }
  } catch (error) {
    if (!everyday(error)) throw error;
    counts.refused++;
  }
}

const faults: [name: string, happen: () => Promise<void>][] = [
  [
    'the cluster stops and starts on its store',
    async () => {
      await cluster.stop();
      await start();
    },
  ],
  ['watches are cut', async () => say(`  ${store.cut()} watches`)],
  [
    'the disk is slow',
    async () => {
      store.slow(20 + Math.floor(random.next() * 200));
      await wait(5000);
      store.slow(0);
    },
  ],
  ['the clock jumps ahead', async () => clock.jump(60_000 * (1 + Math.floor(random.next() * 10)))],
  ['the clock jumps back', async () => clock.jump(-30_000)],
];

/** Asks until there is nothing to complain about, for so long; answers what there still is. */
async function settle(ask: () => Promise<string[]>, seconds: number): Promise<string[]> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const found = await ask();
    if (found.length === 0 || performance.now() > deadline) return found;
    await wait(1000);
  }
}

const problems: string[] = [];
say(`soaking for ${minutes} minutes on ${machines} simulated machines, --seed ${seed}`);
await start();
await cluster.client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
await wait(1000);
const before = await keyCounts(store);
const deadline = performance.now() + minutes * 60_000;
const memory: number[] = [];
let nextFault = performance.now() + 10_000;
let nextLook = performance.now() + Math.min(60_000, minutes * 10_000);
while (performance.now() < deadline) {
  await step();
  await wait(20);
  if (performance.now() > nextFault) {
    const [name, happen] = faults[Math.floor(random.next() * faults.length)]!;
    say(name);
    await happen();
    nextFault = performance.now() + 10_000 + random.next() * 10_000;
  }
  if (performance.now() > nextLook) {
    // They stay for an hour, so many that they would hide what grows and must not.
    await cluster.client.deleteCollection(Event, {});
    memory.push(megabytes());
    say(
      `${counts.created} created, ${counts.changed} changed, ${counts.deleted} deleted, ${counts.refused} refused; ${alive.size} there; heap ${memory.at(-1)!.toFixed(0)} MB, ${store.watches} watches of the store`,
    );
    nextLook = performance.now() + Math.min(60_000, minutes * 10_000);
  }
}
store.slow(0);

say('settling');
for (const problem of await settle(() => wrong(cluster.client, machines, clock.now()), 180)) problems.push(`stuck: ${problem}`);
say('deleting everything');
for (const { kind } of workloads) await cluster.client.deleteCollection(kind, { namespace, propagationPolicy: 'Background' });
for (const left of await settle(() => leftovers(cluster.client), 120)) problems.push(`leaked: ${left}`);
await cluster.client.delete(Namespace, { name: namespace });
await settle(
  async () => ((await cluster.client.list(Namespace)).items.some(({ metadata }) => metadata?.name === namespace) ? ['namespace'] : []),
  60,
);
for (const [resource, count] of await keyCounts(store)) {
  const was =
    resource === 'namespaces' || resource === 'serviceaccounts' || resource === 'configmaps'
      ? (before.get(resource) ?? 0) - 1
      : (before.get(resource) ?? 0);
  if (count > was) problems.push(`leaked: ${count - was} more keys of ${resource} than at the start`);
}
// The first third holds what is made once and what fills up: compiled code, caches of fixed size, the store's history until it is compacted.
const third = Math.floor(memory.length / 3);
const late = megabytes();
say(`heap ${memory.map((value) => value.toFixed(0)).join(', ')} MB, at the end ${late.toFixed(0)} MB`);
if (minutes < 10) say('too short a run to judge memory');
else {
  const middle = Math.max(...memory.slice(third, 2 * third));
  const last = Math.max(...memory.slice(2 * third));
  if (last > middle * 1.15 + 5)
    problems.push(`memory: up to ${middle.toFixed(0)} MB in the middle third, ${last.toFixed(0)} MB in the last`);
}
await cluster.stop();
if (store.watches > 0) problems.push(`leaked: ${store.watches} watches of the store after the stop`);
await store.close();
for (const problem of problems) console.log(problem);
say(
  problems.length === 0
    ? `soak: nothing leaked, nothing stuck, ${minutes < 10 ? 'memory not judged' : 'memory flat'}`
    : `soak: ${problems.length} problems; repeat with --seed ${seed}`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
