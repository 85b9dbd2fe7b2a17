/**
 * A whole cluster of upstream's own programs on this machine, to measure with and to run the suite against.
 *   cluster.ts up [--name upstream] [--nodes 2] [--ours kube-scheduler,kubelet]    prints the kubeconfig and how to enter; parts may be ours
 *   cluster.ts down [--name upstream]
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { setTimeout as wait } from 'node:timers/promises';
import { imageSeed } from '../images.ts';
import { startControlPlane } from './control-plane.ts';
import type { UpstreamControlPlane, UpstreamControlPlaneOptions } from './control-plane.ts';
import { hubOf, inNamespace, removeNetwork } from './network.ts';
import { nodeName, startNode } from './node.ts';
import { Programs, program, tools } from './programs.ts';

const run = promisify(execFile);

/** State and logs of a cluster; short, since sockets lie in it. */
export const directoryOf = (name: string): string => join(tools, 'upstream', name);
export const enterUpstream = (name: string): string[] => inNamespace(hubOf(name));
export const upstreamKubeconfig = (name: string): string => join(directoryOf(name), 'admin.kubeconfig');

export interface UpstreamClusterOptions extends Pick<UpstreamControlPlaneOptions, 'flags' | 'parts' | 'ours'> {
  name: string;
  nodes: number;
  /** Default true. */
  dns?: boolean;
}

/** Resolves when every node is Ready and, unless it was not wanted, DNS too. */
export async function startUpstreamCluster(options: UpstreamClusterOptions): Promise<UpstreamControlPlane> {
  const { name, nodes, dns = true } = options;
  await removeUpstreamCluster(name);
  const seed = await imageSeed();
  const directory = directoryOf(name);
  const controlPlane = await startControlPlane({ ...options, directory });
  const stop = (): Promise<void> => removeUpstreamCluster(name);
  try {
    for (let index = 1; index <= nodes; index++)
      await startNode({ cluster: name, index, controlPlane, imageSeed: seed.directory, ...(options.ours && { ours: options.ours }) });
    const kubectl = async (...parameters: string[]): Promise<string> => {
      const [command, ...before] = controlPlane.enter;
      const { stdout } = await run(command!, [
        ...before,
        program('kubectl'),
        `--kubeconfig=${controlPlane.kubeconfig('admin')}`,
        ...parameters,
      ]);
      return stdout;
    };
    for (let index = 1; index <= nodes; index++) {
      await controlPlane.programs.until(`${nodeName(index)}-kubelet`, async () =>
        (await kubectl('get', 'nodes', '-o', 'name')).includes(`node/${nodeName(index)}\n`),
      );
      await kubectl('wait', `node/${nodeName(index)}`, '--for=condition=Ready', '--timeout=120s');
    }
    if (dns && nodes > 0) {
      await kubectl('apply', '-f', join(import.meta.dirname, 'dns.yaml'));
      await kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=120s');
    }
    return { ...controlPlane, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    throw new Error(`${(error as Error).message}; logs are in ${directory}`, { cause: error });
  }
}

/** Ends every process of a cluster and removes what it kept. Idempotent. */
export async function removeUpstreamCluster(name: string): Promise<void> {
  const directory = directoryOf(name);
  if (existsSync(directory)) await new Programs(directory).stopAll();
  await removeNetwork(name);
  if (!existsSync(directory)) return;
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${directory}/`));
  for (const path of mounts.sort().reverse()) await run('umount', ['--lazy', path]);
  for (let attempt = 0; ; attempt++)
    try {
      rmSync(directory, { recursive: true, force: true });
      return;
    } catch (error) {
      // The last of a container's processes writes while it dies.
      if (attempt === 20) throw error;
      await wait(100);
    }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      name: { type: 'string', default: 'upstream' },
      nodes: { type: 'string', default: '2' },
      ours: { type: 'string', default: '' },
    },
  });
  try {
    if (positionals[0] === 'up') {
      const cluster = await startUpstreamCluster({
        name: values.name,
        nodes: Number(values.nodes),
        ours: new Set(values.ours.split(',').filter(Boolean)),
      });
      console.log(`API server ready after ${(cluster.readyMilliseconds / 1000).toFixed(1)} s`);
      console.log(`${cluster.enter.join(' ')} kubectl --kubeconfig=${cluster.kubeconfig('admin')} get nodes`);
    } else if (positionals[0] === 'down') await removeUpstreamCluster(values.name);
    else throw new Error('usage: cluster.ts up|down [--name upstream] [--nodes 2]');
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
