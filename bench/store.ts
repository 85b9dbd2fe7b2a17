/**
 * Stores side by side: node bench/store.ts [objects]. A real etcd is measured where there is one (ETCD, or the conformance cache).
 * etcd and the facade are reached as our API server would reach them, over gRPC from this process: their figures hold the client's work
 * on the same cores. Every put of the durable stores is on the disk when it counts.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/machinery/clock/mod.ts';
import { etcdServer, etcdStore, lmdbStore, memoryStore } from '../src/store/mod.ts';
import type { Store } from '../src/store/mod.ts';

const objects = Number(process.argv[2] ?? 10_000);
const clock = systemClock;
const value = Buffer.from(JSON.stringify({ kind: 'ConfigMap', data: { text: 'x'.repeat(1000) } }));
const directory = mkdtempSync(join(tmpdir(), 'coxswain-bench-'));
const binary = process.env['ETCD'] ?? join(homedir(), '.cache/coxswain-conformance/bin/etcd');

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

async function startEtcd(): Promise<{ store: Store; stop(): Promise<void> }> {
  const [endpoint, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const flags = {
    'data-dir': join(directory, 'etcd'),
    'listen-client-urls': endpoint,
    'advertise-client-urls': endpoint,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'log-level': 'fatal',
  };
  const child = spawn(
    binary,
    Object.entries(flags).map(([name, text]) => `--${name}=${text}`),
    { stdio: 'inherit' },
  );
  const store = await etcdStore({ endpoints: [endpoint], clock });
  for (;;) {
    try {
      await store.revision();
      break;
    } catch (error) {
      if (child.exitCode !== null) throw error;
      await new Promise((resolve) => void clock.setTimeout(() => resolve(undefined), 100));
    }
  }
  return {
    store,
    async stop() {
      await store.close();
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
    },
  };
}

const put = (store: Store, key: string, modRevision?: number) =>
  store.txn({
    compare: modRevision === undefined ? [] : [{ key, target: 'mod', result: 'equal', operand: modRevision }],
    success: [{ type: 'put', key, value }],
    failure: [],
  });

/** Milliseconds for `total` runs by `clients` at once. */
async function timed(total: number, clients: number, run: (index: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const begin = clock.monotonic();
  const client = async (): Promise<void> => {
    for (let index = next++; index < total; index = next++) await run(index);
  };
  await Promise.all(Array.from({ length: clients }, client));
  return clock.monotonic() - begin;
}

async function measure(store: Store): Promise<Record<string, string>> {
  const rate = (count: number, milliseconds: number): string => Math.round((count * 1000) / milliseconds).toLocaleString('en');
  const key = (index: number): string => `/registry/configmaps/ns-${index % 50}/name-${index}`;
  const figures: Record<string, string> = {};
  await timed(500, 32, (index) => put(store, `/warm/${index}`));
  const few = 500;
  figures['put, 1 client, ms'] = ((await timed(few, 1, (index) => put(store, `/one/${index}`))) / few).toFixed(3);
  figures['create/s, 32 clients'] = rate(objects, await timed(objects, 32, (index) => put(store, key(index), 0)));
  const revisions = new Map<string, number>();
  const all = await store.range({ key: '/registry/', end: '/registry0' });
  for (const kv of all.keyValues) revisions.set(kv.key, kv.modRevision);
  figures['update/s, 32 clients'] = rate(objects, await timed(objects, 32, (index) => put(store, key(index), revisions.get(key(index)))));
  figures['get/s, 32 clients'] = rate(objects, await timed(objects, 32, (index) => store.range({ key: key(index) })));
  const lists = 10;
  figures[`list of ${objects}, ms`] = (
    (await timed(lists, 1, () => store.range({ key: '/registry/configmaps/', end: '/registry/configmaps0' }))) / lists
  ).toFixed(1);
  const watchers = 50;
  let delivered = 0;
  const changes = 1000;
  const { promise, resolve } = Promise.withResolvers<void>();
  const now = await store.revision();
  const watches = Array.from({ length: watchers }, () =>
    store.watch({ key: '/watched/', end: '/watched0', startRevision: now + 1 }, ({ events }) => {
      delivered += events.length;
      if (delivered === watchers * changes) resolve();
    }),
  );
  const begin = clock.monotonic();
  await timed(changes, 32, (index) => put(store, `/watched/${index}`));
  await promise;
  figures[`deliveries/s to ${watchers} watchers`] = rate(watchers * changes, clock.monotonic() - begin);
  for (const watch of watches) watch.cancel();
  return figures;
}

const table: Record<string, Record<string, string>> = {};
try {
  const memory = memoryStore({ clock });
  table['memory'] = await measure(memory);
  await memory.close();

  const path = join(directory, 'lmdb');
  let lmdb = await lmdbStore({ path, clock });
  table['lmdb'] = await measure(lmdb);
  await lmdb.close();
  const begin = clock.monotonic();
  lmdb = await lmdbStore({ path, clock });
  table['lmdb']['open, ms'] = (clock.monotonic() - begin).toFixed(1);

  const address = `unix://${directory}/etcd.sock`;
  const server = await etcdServer({ store: lmdb, clock: systemClock, address, tls: 'insecure' });
  const remote = await etcdStore({ endpoints: [address], clock });
  await lmdb.txn({ compare: [], success: [{ type: 'delete', key: '\0', end: '\0' }], failure: [] });
  table['lmdb as etcd'] = await measure(remote);
  await remote.close();
  await server.close();
  await lmdb.close();

  if (existsSync(binary)) {
    const { store, stop } = await startEtcd();
    table['etcd'] = await measure(store);
    await stop();
  } else console.log(`no etcd at ${binary}: set ETCD to measure one`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
console.table(table);
