/** The cluster that is tested: a fresh one of ours, one of upstream's, or one that is there already. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { machineName } from '../src/cluster/config.ts';
import { pathsOf } from '../src/cluster/paths.ts';
import { imageSeed, plant } from './images.ts';
import type { Options } from './options.ts';
import { oursOf, titleOf } from './parts.ts';
import type { Part } from './parts.ts';
import { directoryOf, enterUpstream, removeUpstreamCluster, startUpstreamCluster, upstreamKubeconfig } from './upstream/cluster.ts';
import { Programs, program, tools } from './upstream/programs.ts';

const run = promisify(execFile);
export const root = join(import.meta.dirname, '..');

export interface Target {
  /** For the table: "Coxswain", "upstream". */
  title: string;
  /** What keeps the objects. */
  store: string;
  kubeconfig: string;
  /** What to put before a command, so that it reaches the API, nodes and pods. */
  enter: string[];
  /** Logs of the cluster's own processes, to be searched for what concerns a failed test. */
  logs(): string[];
  /** The API server's audit log, where one is written. */
  audit?: string;
  /** GET of a path of the API. */
  raw(path: string): Promise<string>;
  /** Of the first process. */
  pid?(): number;
  stop(): Promise<void>;
}

/** kubectl against the target, from where it is reached. */
export const kubectl = ({ enter, kubeconfig }: Pick<Target, 'enter' | 'kubeconfig'>, ...parameters: string[]): [string, string[]] => {
  const [command, ...rest] = [...enter, join(tools, 'bin/kubectl'), `--kubeconfig=${kubeconfig}`, ...parameters];
  return [command!, rest];
};

const logsIn = (directory: string): string[] =>
  existsSync(directory)
    ? readdirSync(directory)
        .filter((file) => file.endsWith('.log'))
        .sort()
        .map((file) => join(directory, file))
    : [];

function withRaw(target: Omit<Target, 'raw'>): Target {
  return {
    ...target,
    async raw(path) {
      const [command, parameters] = kubectl(target, 'get', '--raw', path);
      return (await run(command, parameters, { maxBuffer: 2 ** 28 })).stdout;
    },
  };
}

export async function startTarget(options: Options, out: string): Promise<Target> {
  if (options.attach !== undefined)
    return withRaw({
      title: 'attached',
      store: 'its own',
      kubeconfig: options.attach,
      enter: options.netns === undefined ? [] : ['nsenter', `--net=/run/netns/${options.netns}`, '--'],
      logs: () => [],
      stop: async () => undefined,
    });
  if (options.swap ?? options.only) return upstreamTarget(options, options.swap ? 'swap' : 'only', (options.swap ?? options.only)!);
  if (options.upstream) return upstreamTarget(options, 'only', 'none');
  return coxswainTarget(options, out);
}

/** A cluster of upstream's programs, or of upstream's and ours. */
async function upstreamTarget({ name, machines, reuse, keep }: Options, how: 'swap' | 'only', part: Part | 'none'): Promise<Target> {
  const ours = oursOf(how, part);
  const directory = directoryOf(name);
  if (!reuse) await startUpstreamCluster({ name, nodes: machines, ours });
  return withRaw({
    title: ours.size === 0 ? 'upstream' : titleOf(how, part),
    store: ours.has('etcd') ? 'lmdb' : 'etcd',
    kubeconfig: upstreamKubeconfig(name),
    enter: enterUpstream(name),
    logs: () => logsIn(directory),
    async stop() {
      if (!keep && !reuse) await removeUpstreamCluster(name);
    },
  });
}

/** Environment that a process and what it starts is given. */
function environmentOf({ profile }: Options, audit: string, out: string): NodeJS.ProcessEnv {
  const directory = join(out, 'profile');
  if (profile) mkdirSync(directory, { recursive: true });
  return {
    ...process.env,
    COXSWAIN_AUDIT_LOG: audit,
    // As one file, functions have lost their places.
    ...(profile && { COXSWAIN_SOURCES: '1' }),
    ...(profile && { NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --${profile}-prof --${profile}-prof-dir=${directory}`.trim() }),
  };
}

async function coxswainTarget(options: Options, out: string): Promise<Target> {
  const { name, machines, reuse, keep, store = 'lmdb' } = options;
  const paths = pathsOf(name);
  const coxswain = join(root, 'coxswain');
  const audit = join(paths.logs, 'audit.jsonl');
  const etcd = new Programs(join(tools, 'store', name));
  const down = (): void => void execFileSync(coxswain, ['down', '--purge', '--name', name], { stdio: 'inherit' });
  if (!reuse) {
    if (existsSync(paths.state)) down();
    const seed = await imageSeed();
    const planting = performance.now();
    // The machines' image stores are there before the machines are.
    for (let index = 1; index <= machines; index++) plant(seed.directory, join(paths.machine(machineName(index)).state, 'containerd'));
    const planted = (performance.now() - planting) / 1000;
    console.log(
      `images: ${seed.seconds > 0 ? `unpacked in ${seed.seconds.toFixed(1)} s (once), ` : ''}shared with ${machines} machines in ${planted.toFixed(1)} s`,
    );
    const up = ['up', '--name', name, '--machines', String(machines), '--runtime', 'containerd', '--no-kubeconfig', '--timeout', '300'];
    if (store === 'memory') up.push('--store', 'memory');
    else if (store === 'etcd') up.push('--store', await startEtcd(etcd));
    execFileSync(coxswain, up, { stdio: 'inherit', env: environmentOf(options, audit, out) });
  }
  const enter = ['nsenter', `--net=/run/netns/coxswain-${name}-1`, '--'];
  // The suite runs inside the first machine, where the API's listener of the host's loopback is not: speak to the machine's own address.
  const { stdout } = await run('nsenter', [...enter.slice(1), 'ip', '-4', '-json', 'addr', 'show', 'eth0']);
  const address = /"local":\s*"([\d.]+)"/.exec(stdout)![1]!;
  const kubeconfig = join(out, 'kubeconfig');
  writeFileSync(kubeconfig, readFileSync(paths.kubeconfig, 'utf8').replace(/server: .*/, `server: https://${address}:6443`), {
    mode: 0o600,
  });
  return withRaw({
    title: 'Coxswain',
    store,
    kubeconfig,
    enter,
    logs: () => logsIn(paths.logs),
    audit,
    pid: () => Number(readFileSync(join(paths.run, `${machineName(1)}.pid`), 'utf8').split(' ')[0]),
    async stop() {
      rmSync(kubeconfig, { force: true });
      // Asked to stop first: a process that is killed writes no profile.
      if (options.profile) execFileSync(coxswain, ['down', '--name', name], { stdio: 'inherit' });
      if (keep || reuse) return;
      down();
      await etcd.stopAll();
      rmSync(etcd.directory, { recursive: true, force: true });
    },
  });
}

/** An etcd of its own behind a socket, which reaches into the machines' network namespaces. Answers its endpoint. */
async function startEtcd(programs: Programs): Promise<string> {
  await programs.stopAll();
  const at = (file: string): string => join(programs.directory, file);
  rmSync(at('data'), { recursive: true, force: true });
  const peer = 'http://localhost:2380';
  const flags = {
    'data-dir': at('data'),
    'listen-client-urls': `unix://${at('client')}`,
    'advertise-client-urls': 'http://localhost:2379',
    'listen-peer-urls': `unix://${at('peer')}`,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    'log-level': 'error',
  };
  programs.start('etcd', [program('etcd'), ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)]);
  await programs.until('etcd', () => existsSync(at('client')));
  return `unix://${at('client')}`;
}
