/**
 * `npm run bench -- store`: etcd's API in front of our store beside etcd itself, each in a process of its own, durable, on one disk; and
 * our store in this process beside the same etcd. One client program for both: store/load, with etcd's own client. `--only clients` or
 * `--only million`.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/machinery/clock/mod.ts';
import { lmdbStore } from '../src/store/mod.ts';
import { measure } from './frame.ts';
import type { Bench, BenchOptions, Measurement, Side } from './frame.ts';
import type { StoreClient } from './store/grpc-client.ts';
import { millionKeys } from './store/million.ts';
import { anonymousMegabytes, binary, etcd, facade, load } from './store/servers.ts';
import type { Served } from './store/servers.ts';

const value = Buffer.from(JSON.stringify({ kind: 'ConfigMap', data: { text: 'x'.repeat(1000) } }));
const keyOf = (index: number): string => `/registry/configmaps/ns-${index % 50}/name-${index}`;

/** Milliseconds for `total` runs by `clients` at once. */
async function timed(total: number, clients: number, run: (index: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const begin = performance.now();
  const client = async (): Promise<void> => {
    for (let index = next++; index < total; index = next++) await run(index);
  };
  await Promise.all(Array.from({ length: clients }, client));
  return performance.now() - begin;
}

/** A round's figures in this process: what store/load has of a server. */
async function round(client: StoreClient, objects: number): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  const counted = async (name: string, count: number, run: () => Promise<number>): Promise<void> => {
    figures[name] = (count * 1000) / (await run());
  };
  figures['put1'] = (await timed(objects / 20, 1, (index) => client.put(`/one/${index}`, value))) / (objects / 20);
  await counted('put32', objects, () => timed(objects, 32, (index) => client.put(keyOf(index), value)));
  await counted('put1000', objects, () => timed(objects, 1000, (index) => client.put(keyOf(index), value)));
  await counted('get', objects * 2, () => timed(objects * 2, 32, (index) => client.get(keyOf(index % objects))));
  const lists = 10;
  figures['list'] = (await timed(lists, 1, () => client.list('/registry/configmaps/', '/registry/configmaps0'))) / lists;
  const [watches, prefixes, changes] = [1000, 100, Math.max(100, Math.round(objects / 10))];
  const wanted = (watches / prefixes) * changes;
  let delivered = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = await client.watch(
    Array.from({ length: watches }, (_, index) => `/watched/${index % prefixes}/`),
    (events) => {
      delivered += events;
      if (delivered >= wanted) resolve();
    },
  );
  await counted('watch', wanted, async () => {
    const begin = performance.now();
    await timed(changes, 32, (index) => client.put(`/watched/${index % prefixes}/${index}`, value));
    await promise;
    return performance.now() - begin;
  });
  stop();
  return figures;
}

async function* clients(directory: string, { rounds, scale, skip }: BenchOptions): AsyncIterable<Measurement> {
  if (skip('store') && skip('store in process')) return;
  const objects = Math.max(500, Math.round(10_000 * scale));
  await using ours = await facade(directory);
  await using theirs = await etcd(directory);
  const side = (name: string, served: Served): Side => ({
    name,
    run: async () => ({ ...(await load(served, objects)), memory: anonymousMegabytes(served.child.pid!) }),
  });
  const own = await lmdbStore({ path: join(directory, 'own'), clock: systemClock });
  const inProcess: StoreClient = {
    put: (key, bytes) => own.txn({ compare: [], success: [{ type: 'put', key, value: bytes }], failure: [] }),
    putAll: (entries) =>
      own.txn({ compare: [], success: entries.map(({ key, value: bytes }) => ({ type: 'put', key, value: bytes })), failure: [] }),
    get: (key) => own.range({ key }),
    list: (key, end) => own.range({ key, end }),
    async watch(keys, deliver) {
      const opened = keys.map((key) => own.watch({ key, end: `${key.slice(0, -1)}0` }, ({ events }) => deliver(events.length)));
      return () => opened.forEach((watch) => watch.cancel());
    },
    close: () => undefined,
  };
  const perSecond = (title: string) => ({ title, unit: '/s', better: 'more' as const });
  const processor = (title: string) => ({ title, unit: 'µs', better: 'less' as const });
  const figures = {
    put1: { title: 'put, one client', unit: 'ms', better: 'less' as const },
    put32: perSecond('puts, 32 clients'),
    put1000: perSecond('puts, 1,000 clients'),
    get: perSecond('gets, 32 clients'),
    list: { title: `list of ${objects.toLocaleString('en')}`, unit: 'ms', better: 'less' as const },
    watch: perSecond('deliveries to 1,000 watches of 100 prefixes'),
  };
  yield measure({
    name: 'store',
    title: "Store: etcd's API in front of ours, and etcd 3.6",
    figures: {
      ...figures,
      'put32 CPU': processor("server's processor, a put of 32 clients"),
      'put1000 CPU': processor("server's processor, a put of 1,000 clients"),
      'get CPU': processor("server's processor, a get"),
      'list CPU': { title: "server's processor, a list", unit: 'ms', better: 'less' },
      'watch CPU': processor("server's processor, a delivery"),
      memory: { title: 'memory of its own', unit: 'MB', better: 'less' },
    },
    sides: [side('coxswain etcd', ours), side('etcd', theirs)],
    rounds,
    notes: [
      'Values of 1 kB; every put is on the disk when it is acknowledged. The client is etcd’s own, on one connection and on the same cores. Lists are of what was put and read a moment before. Memory is without the pages of the data file, which both map.',
    ],
  });
  yield measure({
    name: 'store in process',
    title: 'Store: ours in the API server’s process, and etcd over its socket',
    figures,
    sides: [
      { name: 'coxswain', run: () => round(inProcess, objects) },
      { name: 'etcd', run: () => load(theirs, objects) },
    ],
    rounds,
  });
  await own.close();
}

export const bench: Bench = async function* (options) {
  if (!existsSync(binary))
    throw new Error(`Cannot measure against etcd: there is none at ${binary}; set ETCD or run npm run conformance once`);
  const { rounds, scale, only, skip } = options;
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-bench-'));
  const chosen = (part: string): boolean => only.length === 0 || only.includes(part);
  try {
    if (chosen('clients')) yield* clients(directory, options);
    if (chosen('million') && !skip('store million')) yield await millionKeys(directory, rounds, scale);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};
