/**
 * `npm run bench -- cluster`: what a user waits for, on this machine with real containers. Each figure over several rounds, median and spread.
 * up → hello answers by DNS name; process start → /readyz; one pod to Ready; a Deployment of 60 to available, and gone; idle memory and CPU.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Deployment, Pod } from '#api';
import { clientOver, kubeconfigTransport } from '#client';
import type { Client } from '#client';
import { systemClock } from '#machinery/clock';

const root = join(import.meta.dirname, '..');
const name = `bench${process.pid}`;
const home = mkdtempSync(join(tmpdir(), 'coxswain-bench-'));
const environment = { ...process.env, COXSWAIN_HOME: home, KUBECONFIG: join(home, 'kubeconfig') };
const coxswain = (...parameters: string[]): string =>
  execFileSync(join(root, 'coxswain'), [...parameters, '--name', name], {
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
const kubectl = (...parameters: string[]): string =>
  execFileSync(join(root, 'coxswain'), ['kubectl', '--name', name, ...parameters], {
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });

const figures: [what: string, values: number[], unit: string, upstream: string][] = [];
const since = (start: number): number => performance.now() - start;

/** Resolves when the pods of a selector are as `wanted` says. */
function pods(client: Client, labelSelector: string, wanted: (all: Pod[]) => boolean): { done: Promise<void> } {
  const all = new Map<string, Pod>();
  const done = new Promise<void>((resolve, reject) => {
    const stop = new AbortController();
    client
      .watch(
        Pod,
        {
          namespace: 'default',
          labelSelector,
          sendInitialEvents: true,
          resourceVersionMatch: 'NotOlderThan',
          allowWatchBookmarks: true,
          signal: stop.signal,
        },
        (event) => {
          const uid = event.object.metadata?.uid ?? '';
          if (event.type === 'DELETED') all.delete(uid);
          else if (event.type !== 'BOOKMARK') all.set(uid, event.object);
          if (wanted([...all.values()])) {
            resolve();
            stop.abort();
          }
        },
      )
      .catch(reject);
  });
  return { done };
}
const ready = (pod: Pod): boolean => pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
const deployment = (replicas: number, app: string): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: app, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app } },
    template: {
      metadata: { labels: { app } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'c', image: 'coxswain.internal/busybox:1', command: ['sh', '-c', 'trap exit TERM; sleep 3600 & wait'] }],
      },
    },
  },
});

async function hello(): Promise<number> {
  const start = performance.now();
  coxswain('up', '--runtime', 'containerd', '--no-kubeconfig');
  kubectl('apply', '-f', join(root, 'examples/hello.yaml'));
  kubectl(
    'run',
    'probe',
    '--image=coxswain.internal/busybox:1',
    '--restart=Never',
    '--',
    'sh',
    '-c',
    'until wget -qO- http://hello/index.html; do sleep 0.05; done',
  );
  const { transport, client } = connect();
  await pods(client, 'run=probe', (all) => all.some((pod) => pod.status?.phase === 'Succeeded')).done;
  const took = since(start);
  await transport.close();
  return took;
}

function connect(): { transport: { close(): Promise<void> | void }; client: Client } {
  const transport = kubeconfigTransport(join(home, name, 'admin.kubeconfig'), { clock: systemClock });
  return { transport, client: clientOver(transport) };
}

/** From the start of a process to /readyz, on an empty data directory; the control plane alone. */
async function readyz(): Promise<number> {
  const start = performance.now();
  const child = spawn(
    join(root, 'coxswain'),
    ['up', '--name', `${name}r`, '--machines', '0', '--runtime', 'simulated', '--no-wait', '--no-kubeconfig'],
    { env: environment, stdio: 'ignore' },
  );
  await new Promise((resolve) => child.once('exit', resolve));
  const took = since(start);
  execFileSync(join(root, 'coxswain'), ['down', '--purge', '--name', `${name}r`], { env: environment, stdio: 'ignore' });
  return took;
}

const rss = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
const ticks = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
};

try {
  const rounds = Number(process.argv[3] ?? 3);
  const measure = async (what: string, unit: string, upstream: string, run: () => Promise<number>, count = rounds): Promise<void> => {
    const values: number[] = [];
    for (let round = 0; round < count; round++) values.push(await run());
    figures.push([what, values, unit, upstream]);
    console.log(`${what}: ${values.map((value) => value.toFixed(unit === 's' ? 2 : 1)).join(' ')} ${unit}`);
  };
  await measure(
    'up --no-wait of a control plane alone (two processes started, /readyz)',
    's',
    '2.4-3.0 (kube-apiserver)',
    async () => (await readyz()) / 1000,
  );
  await measure('up → hello answers by DNS name', 's', '33 (kind), 20 (k3d)', async () => {
    try {
      return (await hello()) / 1000;
    } finally {
      coxswain('down', '--purge');
    }
  });
  coxswain('up', '--runtime', 'containerd', '--no-kubeconfig');
  const { transport, client } = connect();
  let round = 0;
  await measure(
    'one pod, create → Ready',
    's',
    '1.0',
    async () => {
      const app = `one-${round++}`;
      const start = performance.now();
      await client.create(Pod, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: app, namespace: 'default', labels: { app } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'c', image: 'coxswain.internal/busybox:1', command: ['sleep', '3600'] }],
        },
      });
      await pods(client, `app=${app}`, (all) => all.some(ready)).done;
      const took = since(start) / 1000;
      await client.delete(Pod, { namespace: 'default', name: app });
      return took;
    },
    5,
  );
  const gone: number[] = [];
  await measure('Deployment of 60, create → available', 's', '10.3', async () => {
    const app = `sixty-${round++}`;
    const start = performance.now();
    await client.create(Deployment, deployment(60, app));
    await pods(client, `app=${app}`, (all) => all.filter(ready).length === 60).done;
    const took = since(start) / 1000;
    const leaving = performance.now();
    await client.delete(Deployment, { namespace: 'default', name: app });
    await pods(client, `app=${app}`, (all) => all.length === 0).done;
    gone.push(since(leaving) / 1000);
    return took;
  });
  figures.push(['the same, delete → gone', gone, 's', '9']);
  await transport.close();
  const pid = Number(readFileSync(join('/run/coxswain', name, 'machine-1.pid'), 'utf8').split(' ')[0]);
  await wait(20_000);
  const before = ticks(pid);
  await wait(60_000);
  figures.push(['idle CPU over 60 s, all but containerd', [((ticks(pid) - before) / 100 / 60) * 100], '% of a core', '4.2']);
  figures.push(['idle memory, all but containerd', [rss(pid)], 'MB', '695']);
} finally {
  coxswain('down', '--purge');
  rmSync(home, { recursive: true, force: true });
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
console.log(`\n${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}\n`);
console.log('| what | median | spread | unit | upstream or peers, same machine kind |\n|---|---|---|---|---|');
for (const [what, values, unit, upstream] of figures)
  console.log(
    `| ${what} | ${median(values).toFixed(2)} | ${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)} | ${unit} | ${upstream} |`,
  );
