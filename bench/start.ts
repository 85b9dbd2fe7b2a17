/**
 * `npm run bench -- start`: from the start of a control plane's process to its first 200 of /readyz, over TLS as a probe sees it, and what it has used
 * by then. On a new data directory (keys are made, too), on one that holds 10,000 objects, and with an empty compile cache (the very first start of
 * a clone). Run as `up` does, from what it makes of the sources, and from the sources as they stand.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ConfigMap } from '#api';
import { clientOver, httpTransport } from '#client';
import { programFor } from '#cluster';
import { systemClock } from '#machinery/clock';
import { measure, processorSeconds, residentMegabytes, root } from './frame.ts';
import type { Bench, Figure, Side } from './frame.ts';

const home = join(tmpdir(), `coxswain-bench-${process.pid}`);
const name = 'start';

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

const readyz = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/readyz', rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
    }).on('error', () => resolve(false));
  });

interface Started {
  child: ChildProcess;
  wall: number;
  processor: number;
  memory: number;
}

// One port for all starts: a cluster keeps its own.
const port = await freePort();
const config = {
  form: 1,
  name,
  runtime: 'simulated',
  machines: 0,
  port,
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/16',
  clusterDomain: 'cluster.local',
  dnsAddress: '10.96.0.10',
};

async function start(program: string, state: string, cache: string): Promise<Started> {
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, 'cluster.json'), JSON.stringify(config));
  const log = openSync(join(home, 'log'), 'a');
  const began = performance.now();
  const child = spawn(process.execPath, ['--no-warnings', program, 'machine', name, '1'], {
    env: { ...process.env, COXSWAIN_HOME: join(state, '..'), NODE_COMPILE_CACHE: cache },
    stdio: ['ignore', 'ignore', log, 'ignore', 'pipe'],
  });
  closeSync(log);
  while (!(await readyz(port))) {
    if (child.exitCode !== null) throw new Error(`the process ended: ${readFileSync(join(home, 'log'), 'utf8')}`);
    await wait(3);
  }
  const wall = (performance.now() - began) / 1000;
  return { child, wall, processor: processorSeconds(child.pid!), memory: residentMegabytes(child.pid!) };
}

async function stop({ child }: Started): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

/** A data directory with objects, made by a server as a user would. */
async function fill(program: string, cache: string, objects: number): Promise<void> {
  const state = join(home, 'filled', name);
  const started = await start(program, state, cache);
  const pem = (file: string): string => readFileSync(join(state, 'pki', file), 'utf8');
  const transport = httpTransport({
    clock: systemClock,
    server: `https://127.0.0.1:${port}`,
    ca: pem('ca.crt'),
    cert: pem('admin.crt'),
    key: pem('admin.key'),
  });
  const client = clientOver(transport);
  let next = 0;
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (let index = next++; index < objects; index = next++)
        await client.create(ConfigMap, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: `object-${index}`, namespace: 'default', labels: { group: `g${index % 100}` } },
          data: { text: 'x'.repeat(500) },
        });
    }),
  );
  await transport.close();
  await stop(started);
}

/** One start on a directory of its own; what it showed, under the figures' names of its kind. */
async function once(kind: string, program: string, cache: string, from?: string): Promise<Record<string, number>> {
  const directory = mkdtempSync(join(home, 'round-'));
  if (from) cpSync(from, join(directory, name), { recursive: true });
  const started = await start(program, join(directory, name), cache);
  await stop(started);
  rmSync(directory, { recursive: true, force: true });
  return { [`${kind}Wall`]: started.wall, [`${kind}Processor`]: started.processor, [`${kind}Memory`]: started.memory };
}

const figuresOf = (kind: string, title: string): Record<string, Figure> => ({
  [`${kind}Wall`]: { title: `${title}: to /readyz`, unit: 's', better: 'less' },
  [`${kind}Processor`]: { title: `${title}: processor time until then`, unit: 's', better: 'less' },
  [`${kind}Memory`]: { title: `${title}: memory then`, unit: 'MB', better: 'less' },
});

export const bench: Bench = async function* ({ rounds, scale, skip }) {
  if (skip('start')) return;
  mkdirSync(home, { mode: 0o700 });
  const objects = Math.round(10_000 * scale);
  const cache = join(home, 'cache');
  const sources = join(root, 'src/cli/main.ts');
  const program = await programFor(sources);
  const side = (title: string, program: string): Side => ({
    name: title,
    run: async () => ({
      ...(await once('fresh', program, cache)),
      ...(await once('old', program, cache, join(home, 'filled', name))),
      ...(await once('first', program, mkdtempSync(join(home, 'cache-')))),
    }),
  });
  try {
    await fill(sources, cache, objects);
    yield measure({
      name: 'start',
      title: 'Process start → /readyz, control plane alone',
      figures: {
        ...figuresOf('fresh', 'new data directory'),
        ...figuresOf('old', `${objects.toLocaleString('en')} objects`),
        ...figuresOf('first', 'new data directory, empty compile cache'),
      },
      sides: [side('as up runs it', program), side('sources', sources)],
      rounds,
      notes: ['kube-apiserver alone, beside a running etcd, took 2.4-3.0 s on this machine kind.'],
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};
