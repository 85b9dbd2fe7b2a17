/** The servers that bench/store.ts compares, each in a process of its own, and the load on them. */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { goProgram } from '../go-program.ts';
import { grpcClient } from './grpc-client.ts';
import type { StoreClient } from './grpc-client.ts';

export const binary = process.env['ETCD'] ?? join(homedir(), '.cache/coxswain-conformance/bin/etcd');

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

export interface Served extends AsyncDisposable {
  child: ChildProcess;
  port: number;
  client: StoreClient;
}

async function serve(command: string, parameters: string[], port: number): Promise<Served> {
  const child = spawn(command, parameters, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  for (let tries = 0; ; tries++)
    try {
      const client = await grpcClient(port);
      await client.get('/ready');
      return {
        child,
        port,
        client,
        async [Symbol.asyncDispose]() {
          client.close();
          child.kill('SIGTERM');
          await ended;
        },
      };
    } catch (error) {
      if (tries > 12_000 || child.exitCode !== null) throw error;
      await wait(10);
    }
}

/** The figures of a round of store/load, by the keys of bench/store.ts. */
export async function load({ child, port }: Served, objects: number): Promise<Record<string, number>> {
  const program = goProgram('storeload', join(import.meta.dirname, 'load'));
  const parameters = ['-endpoint', `127.0.0.1:${port}`, '-pid', String(child.pid), '-objects', String(objects)];
  const { stdout } = await promisify(execFile)(program, parameters);
  return JSON.parse(stdout) as Record<string, number>;
}

/** Memory of its own. Pages of files that are mapped, the store's above all, are the kernel's to take back. */
export function anonymousMegabytes(pid: number): number {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

export async function facade(directory: string): Promise<Served> {
  const port = await freePort();
  return serve(
    process.execPath,
    ['--no-warnings', join(import.meta.dirname, 'facade.ts'), join(directory, 'lmdb'), `127.0.0.1:${port}`],
    port,
  );
}

export async function etcd(directory: string): Promise<Served> {
  const [port, peerPort] = [await freePort(), await freePort()];
  const [endpoint, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const flags = {
    'data-dir': join(directory, 'etcd'),
    'listen-client-urls': endpoint,
    'advertise-client-urls': endpoint,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'log-level': 'fatal',
  };
  return serve(
    binary,
    Object.entries(flags).map(([name, text]) => `--${name}=${text}`),
    port,
  );
}
