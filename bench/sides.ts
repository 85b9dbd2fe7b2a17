/** Those who are compared, started for a measurement and gone after it: our control plane, upstream's. And the load that both get. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { startControlPlane } from '../conformance/upstream/control-plane.ts';
import type { ControlPlanePart, UpstreamControlPlaneOptions } from '../conformance/upstream/control-plane.ts';
import { directoryOf, removeUpstreamCluster, startUpstreamCluster } from '../conformance/upstream/cluster.ts';
import { inNamespace, nodeNamespace } from '../conformance/upstream/network.ts';
import { root } from './frame.ts';
import { goProgram } from './go-program.ts';

const run = promisify(execFile);

export interface ApiSide extends AsyncDisposable {
  name: string;
  server: string;
  /** loadgen's flags of identity. */
  identity: string[];
  /** What to put before a command that speaks to it. */
  enter: string[];
  kubeconfig: string;
  /** Its processes by name. */
  pids: Map<string, number>;
  readyMilliseconds: number;
}

export interface CoxswainOptions {
  machines?: number;
  runtime?: 'simulated' | 'containerd';
  parameters?: string[];
  environment?: NodeJS.ProcessEnv;
}

let clusters = 0;

/** What runs now: a measurement that is interrupted ends it all the same. */
const running = new Map<string, () => Promise<void>>();

function ending(name: string, end: () => Promise<void>): () => Promise<void> {
  running.set(name, end);
  return async () => {
    await end();
    running.delete(name);
  };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void Promise.allSettled([...running.values()].map((end) => end())).then(() => process.exit(130));
  });

/** `coxswain up` in a home of its own. Without options a control plane alone, on LMDB. */
export async function coxswainSide(
  options: CoxswainOptions = {},
): Promise<ApiSide & { cluster: string; coxswain(...parameters: string[]): Promise<string> }> {
  const home = mkdtempSync(join(tmpdir(), 'coxswain-bench-'));
  const cluster = `bench${process.pid}-${++clusters}`;
  const environment = { ...process.env, COXSWAIN_HOME: home, KUBECONFIG: join(home, 'kubeconfig'), ...options.environment };
  const coxswain = async (...parameters: string[]): Promise<string> =>
    (await run(join(root, 'coxswain'), [...parameters, '--name', cluster], { env: environment, maxBuffer: 2 ** 26 })).stdout;
  const end = ending(cluster, async () => {
    await coxswain('down', '--purge');
    rmSync(home, { recursive: true, force: true });
  });
  const started = performance.now();
  try {
    await coxswain(
      'up',
      '--machines',
      String(options.machines ?? 0),
      '--runtime',
      options.runtime ?? 'simulated',
      '--no-kubeconfig',
      ...(options.parameters ?? []),
    );
  } catch (error) {
    running.delete(cluster);
    rmSync(home, { recursive: true, force: true });
    throw error;
  }
  const readyMilliseconds = performance.now() - started;
  const kubeconfig = join(home, cluster, 'admin.kubeconfig');
  const config = parse(readFileSync(kubeconfig, 'utf8')) as {
    clusters: [{ cluster: { server: string } }];
    users: [{ user: Record<'client-certificate-data' | 'client-key-data', string> }];
  };
  const { user } = config.users[0];
  const [cert, key] = [join(home, 'admin.crt'), join(home, 'admin.key')];
  writeFileSync(cert, Buffer.from(user['client-certificate-data'], 'base64'));
  writeFileSync(key, Buffer.from(user['client-key-data'], 'base64'), { mode: 0o600 });
  const pid = Number(readFileSync(join('/run/coxswain', cluster, 'machine-1.pid'), 'utf8').split(' ')[0]);
  return {
    name: 'Coxswain',
    cluster,
    coxswain,
    server: config.clusters[0].cluster.server,
    identity: ['-cert', cert, '-key', key],
    enter: [],
    kubeconfig,
    pids: new Map([['coxswain', pid]]),
    readyMilliseconds,
    [Symbol.asyncDispose]: end,
  };
}

/** Upstream's control plane, those parts of it that are asked for, in a network namespace of its own. */
export async function upstreamSide(
  parts: ControlPlanePart[] = ['etcd', 'kube-apiserver'],
  flags: UpstreamControlPlaneOptions['flags'] = {},
): Promise<ApiSide> {
  const name = `bench${process.pid}-${++clusters}`;
  const end = ending(name, () => removeUpstreamCluster(name));
  const controlPlane = await startControlPlane({
    name,
    directory: directoryOf(name),
    parts,
    flags: {
      ...flags,
      // What one client may have at a time is not what is measured.
      'kube-apiserver': ['--max-requests-inflight=4000', '--max-mutating-requests-inflight=2000', ...(flags['kube-apiserver'] ?? [])],
    },
  });
  return {
    name: 'upstream',
    server: controlPlane.server,
    identity: ['-token', controlPlane.token],
    enter: controlPlane.enter,
    kubeconfig: controlPlane.kubeconfig('admin'),
    pids: controlPlane.programs.running(),
    readyMilliseconds: controlPlane.readyMilliseconds,
    [Symbol.asyncDispose]: end,
  };
}

export interface ClusterSide extends ApiSide {
  /** What to put before a command that is to run on the first machine's network. */
  onMachine: string[];
}

/** A whole cluster of ours with one machine and real containers. */
export async function coxswainClusterSide(): Promise<ClusterSide> {
  const side = await coxswainSide({ machines: 1, runtime: 'containerd' });
  const onMachine = inNamespace(`coxswain-${side.cluster}-1`);
  const { stdout } = await run(onMachine[0]!, [...onMachine.slice(1), 'ip', '-4', '-json', 'addr', 'show', 'eth0']);
  const kubeconfig = join(side.kubeconfig, '../machine.kubeconfig');
  const address = /"local":\s*"([\d.]+)"/.exec(stdout)![1]!;
  writeFileSync(kubeconfig, readFileSync(side.kubeconfig, 'utf8').replace(/server: .*/, `server: https://${address}:6443`), {
    mode: 0o600,
  });
  return { ...side, kubeconfig, enter: onMachine, onMachine };
}

/** The same of upstream's programs, with CoreDNS. */
export async function upstreamClusterSide(): Promise<ClusterSide> {
  const name = `bench${process.pid}-${++clusters}`;
  const end = ending(name, () => removeUpstreamCluster(name));
  const cluster = await startUpstreamCluster({ name, nodes: 1 });
  const pids = new Map([...cluster.programs.running()].filter(([program]) => !program.endsWith('containerd')));
  return {
    name: 'upstream',
    server: cluster.server,
    identity: ['-token', cluster.token],
    enter: cluster.enter,
    onMachine: inNamespace(nodeNamespace(name, 1)),
    kubeconfig: cluster.kubeconfig('admin'),
    pids,
    readyMilliseconds: cluster.readyMilliseconds,
    [Symbol.asyncDispose]: end,
  };
}

/** Runs a driver of ours (a script with its parameters) behind `enter` and answers the JSON it prints. */
export async function drive<T>(enter: string[], script: string, parameters: string[]): Promise<T> {
  const [command, ...rest] = [...enter, process.execPath, '--no-warnings', join(import.meta.dirname, script), ...parameters];
  const { stdout } = await run(command!, rest, { cwd: root, timeout: 600_000, maxBuffer: 2 ** 26 });
  return JSON.parse(stdout) as T;
}

export const loadgen = (): string => goProgram('loadgen', join(import.meta.dirname, 'loadgen'));

export interface Load {
  /** Per second: requests, or deliveries of the watch scenario. */
  rate: number;
  p50Milliseconds?: number;
  p99Milliseconds?: number;
  errors: number;
  line: string;
}

/** Runs scenarios of the load generator; answers its figures by scenario. Errors of requests are counted, not thrown. */
export async function load(side: ApiSide, parameters: string[], scenarios: string[]): Promise<Map<string, Load>> {
  const [command, ...rest] = [...side.enter, loadgen(), '-server', side.server, ...side.identity, ...parameters, ...scenarios];
  const { stdout } = await run(command!, rest, { maxBuffer: 2 ** 24 });
  const found = new Map<string, Load>();
  for (const line of stdout.split('\n')) {
    const name = /^(\S+)/.exec(line)?.[1];
    const rate = /([\d.]+)\/s\s+p50\s+([\d.]+)ms\s+p99\s+([\d.]+)ms\s+errors (\d+)/.exec(line);
    const deliveries = /([\d.]+) deliveries\/s.*missing (\d+)/.exec(line);
    const pods = /([\d.]+) pods\/s;/.exec(line);
    if (name && rate)
      found.set(name, {
        rate: Number(rate[1]),
        p50Milliseconds: Number(rate[2]),
        p99Milliseconds: Number(rate[3]),
        errors: Number(rate[4]),
        line,
      });
    else if (name && deliveries) found.set(name, { rate: Number(deliveries[1]), errors: Number(deliveries[2]), line });
    else if (name && pods) found.set(name, { rate: Number(pods[1]), errors: 0, line });
  }
  return found;
}
