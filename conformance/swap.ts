/**
 * Clusters put together of upstream's programs and ours, each with the same flags: one part swapped for upstream's in a cluster of ours, or one of
 * ours in a cluster of upstream's. What such a cluster cannot do shows where parts meet by anything but the API.
 *   swap.ts --swap none|scheduler|controllers|apiserver|store|kubelet|proxy | --only … | --all   [--set smoke] [--focus re] [--nodes 1] [--keep]
 * Without --set or --focus the tests are a few that need every part.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { removeUpstreamCluster, startUpstreamCluster } from './upstream/cluster.ts';
import { hubOf, inNamespace } from './upstream/network.ts';
import type { Ours } from './upstream/programs.ts';
import { isPart, oursOf, parts, titleOf } from './parts.ts';
import type { Part } from './parts.ts';

/** Tests whose way leads through every part, by parts of their names. */
const meetings = [
  'Pods should be submitted and removed',
  'should support remote command execution over websockets',
  'ConfigMap should be consumable from pods in volume [NodeConformance]',
  'Lifecycle Hook when create a pod with lifecycle hook should execute prestop exec hook properly',
  'Deployment deployment should support rollover',
  'Job should run a job to completion when tasks sometimes fail and are locally restarted',
  'Garbage collector should delete pods created by rc when not orphaning',
  'Services should serve a basic endpoint from pods',
  'should be able to change the type from ExternalName to NodePort',
  'DNS should provide DNS for services',
  'validates that NodeSelector is respected if matching',
  'ServiceAccounts should mount an API token into pods',
  'Watchers should observe add, update, and delete watch notifications on configmaps',
];
const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

export interface MixedCluster extends AsyncDisposable {
  kubeconfig: string;
  /** The network namespace from which API, nodes and pods are reached. */
  netns: string;
  stop(): Promise<void>;
}

/** Resolves when nodes and DNS are ready. Logs lie beside those of upstream's clusters. */
export async function startMixedCluster(name: string, ours: Ours, nodes: number): Promise<MixedCluster> {
  const cluster = await startUpstreamCluster({ name, nodes, ours });
  return { kubeconfig: cluster.kubeconfig('admin'), netns: hubOf(name), stop: cluster.stop, [Symbol.asyncDispose]: cluster.stop };
}

interface Result {
  passed: number;
  failed: number;
  note: string;
}

const root = join(import.meta.dirname, '..');

/** Runs tests of the suite against a cluster that is there, and counts. Ends early when the signal aborts. */
async function runSuite({ kubeconfig, netns }: MixedCluster, out: string, selection: string[], signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  const [command, ...before] = inNamespace(netns);
  const suite = [process.execPath, '--no-warnings', join(root, 'conformance/run.ts'), '--attach', kubeconfig, '--out', out, ...selection];
  const child = spawn(command!, [...before, ...suite], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const end = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', end, { once: true });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += String(chunk);
    process.stdout.write(chunk);
  });
  await once(child, 'close');
  signal.removeEventListener('abort', end);
  signal.throwIfAborted();
  const counts = /conformance: (\d+) passed, (\d+) failed/.exec(stdout);
  const failures = [...stdout.matchAll(/^FAILED (.*)$/gm)].map((match) => match[1]!);
  if (!counts) return { passed: 0, failed: 0, note: 'the suite did not end' };
  return { passed: Number(counts[1]), failed: Number(counts[2]), note: failures.join('; ') };
}

const table = join(import.meta.dirname, 'SWAPS.md');
const heading = `# Swaps

Made by \`conformance/swap.ts\`: clusters of processes with upstream's flags, in which one part is upstream's and all others are ours (swap), or one is ours and all others are
upstream's (only). \`meetings\` are the tests listed there; \`start\` says that such a cluster was seen to start, no more, and was written by hand.

| cluster | tests | passed | failed | date | commit | what failed |
|---|---|---|---|---|---|---|
`;

/** Writes a cluster's row anew; the others stay. */
function record(title: string, tests: string, { passed, failed, note }: Result): void {
  const rows = existsSync(table)
    ? readFileSync(table, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('| ') && !line.startsWith('| cluster'))
    : [];
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const date = new Date().toISOString().slice(0, 10);
  const row = `| ${title} | ${tests} | ${passed} | ${failed} | ${date} | ${commit} | ${note.replaceAll('|', '/')} |`;
  const kept = [...rows.filter((line) => !line.startsWith(`| ${title} |`)), row].sort();
  writeFileSync(table, `${heading}${kept.join('\n')}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      swap: { type: 'string' },
      only: { type: 'string' },
      all: { type: 'boolean', default: false },
      nodes: { type: 'string', default: '1' },
      set: { type: 'string' },
      focus: { type: 'string' },
      procs: { type: 'string', default: '4' },
      name: { type: 'string', default: 'swap' },
      keep: { type: 'boolean', default: false },
    },
  });
  const wanted: ['swap' | 'only', Part | 'none'][] = [];
  for (const how of ['swap', 'only'] as const) {
    const text = values[how];
    for (const name of text?.split(',') ?? []) {
      if (name !== 'none' && !isPart(name))
        throw new Error(`Cannot use --${how} ${name}: it must be none, ${Object.keys(parts).join(', ')}`);
      wanted.push([how, name]);
    }
    if (text !== undefined) continue;
    if (values.all) for (const part of Object.keys(parts) as Part[]) wanted.push([how, part]);
  }
  if (wanted.length === 0) throw new Error('Cannot swap: give --swap, --only or --all');
  const interrupted = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
  const selection = values.set === undefined ? ['--focus', values.focus ?? meetings.map(literally).join('|')] : ['--set', values.set];
  for (const [how, part] of wanted) {
    const title = titleOf(how, part);
    console.log(title);
    const out = join(root, '.cache/conformance', `${how}-${part}`);
    mkdirSync(out, { recursive: true });
    let result: Result;
    try {
      const cluster = await startMixedCluster(values.name, oursOf(how, part), Number(values.nodes));
      try {
        result = await runSuite(cluster, out, [...selection, '--procs', values.procs], interrupted.signal);
      } finally {
        if (!values.keep) await cluster.stop();
      }
    } catch (error) {
      if (interrupted.signal.aborted) throw error;
      result = { passed: 0, failed: 0, note: (error as Error).message };
      if (!values.keep) await removeUpstreamCluster(values.name);
    }
    record(title, values.focus ?? values.set ?? 'meetings', result);
    console.log(`${title}: ${result.passed} passed, ${result.failed} failed${result.note ? `: ${result.note}` : ''}`);
  }
}

if (import.meta.main)
  try {
    await main();
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
