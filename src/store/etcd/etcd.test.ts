/** The suite on a real etcd through our client, and on our own store through etcd's API. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock, virtualClock } from '#machinery/clock';
import { Disposables } from '#machinery/lifecycle';
import { etcdServer } from '../etcd-server/mod.ts';
import { memoryStore } from '../memory/mod.ts';
import { storeSuite } from '../testsuite.ts';
import { etcdStore } from './mod.ts';

const binary = process.env['ETCD'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'coxswain-conformance/bin/etcd');
let round = 0;

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

/** One etcd for all tests; stopped after the last. */
let running: Promise<{ endpoint: string; stop(): Promise<void> }> | undefined;
after(async () => (await running)?.stop());

async function startEtcd(): Promise<{ endpoint: string; stop(): Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-etcd-'));
  const [endpoint, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const flags = {
    'data-dir': join(directory, 'data'),
    'listen-client-urls': endpoint,
    'advertise-client-urls': endpoint,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'log-level': 'error',
    // Short, for its shortest lease is one and a half elections.
    'heartbeat-interval': '20',
    'election-timeout': '200',
  };
  const child = spawn(binary, ['--unsafe-no-fsync', ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)], {
    stdio: ['ignore', 'inherit', 'inherit'],
    cwd: directory,
  });
  const store = await etcdStore({ endpoints: [endpoint], clock: systemClock });
  const deadline = systemClock.monotonic() + 15_000;
  for (;;) {
    try {
      await store.revision();
      break;
    } catch (error) {
      if (systemClock.monotonic() > deadline || child.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await store.close();
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('close', resolve));
    rmSync(directory, { recursive: true, force: true });
  };
  return { endpoint, stop };
}

storeSuite({
  name: 'etcd',
  ...(!existsSync(binary) && { skip: `there is no etcd at ${binary}; set ETCD, or run conformance/build.sh` }),
  async open() {
    const { endpoint } = await (running ??= startEtcd());
    const store = await etcdStore({ endpoints: [endpoint], clock: systemClock });
    return {
      store,
      prefix: `/t${round++}/`,
      advance: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      close: () => store.close(),
    };
  },
  runs: 15,
  shortestLease: 1,
});

storeSuite({
  name: 'memory behind the etcd API',
  async open() {
    const directory = mkdtempSync(join(tmpdir(), 'coxswain-etcd-'));
    const clock = virtualClock();
    const memory = memoryStore({ clock });
    const address = `unix://${directory}/etcd.sock`;
    const server = await etcdServer({ store: memory, clock: systemClock, address, tls: 'insecure' });
    const store = await etcdStore({ endpoints: [address], clock: systemClock });
    return {
      store,
      prefix: '/t/',
      advance: (milliseconds) => clock.advance(milliseconds),
      async close() {
        await store.close();
        await server.close();
        await memory.close();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
  runs: 30,
  shortestLease: 1,
});

test('progress may be asked for while the stream is broken: it is told when there is one again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-etcd-'));
  const address = `unix://${directory}/etcd.sock`;
  const memory = memoryStore({ clock: virtualClock() });
  const serve = () => etcdServer({ store: memory, clock: systemClock, address, tls: 'insecure' });
  await using held = new Disposables();
  held.add(() => rmSync(directory, { recursive: true }));
  held.add(() => memory.close());
  const first = await serve();
  held.add(() => first.close());
  const store = await etcdStore({ endpoints: [address], clock: systemClock });
  held.add(() => store.close());
  const told: number[] = [];
  let wake = (): void => undefined;
  const watch = store.watch({ key: 'a' }, ({ revision }) => {
    told.push(revision);
    wake();
  });
  const more = async (count: number): Promise<void> => {
    while (told.length < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  watch.progress();
  await more(1);
  await first.close();
  // Until it has heard of the end, and after it.
  for (let turn = 0; turn < 20; turn++) {
    watch.progress();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const second = await serve();
  held.add(() => second.close());
  await more(2);
  assert.deepEqual(new Set(told), new Set([1]));
  watch.cancel();
});
