/** The namespaces of an upstream cluster: a hub with a bridge, in which the control plane runs, and one for each node. No route leads out. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { kill } from './programs.ts';

export const hubOf = (cluster: string): string => `upstream-${cluster}`;
export const nodeNamespace = (cluster: string, index: number): string => `upstream-${cluster}-${index}`;
export const hubAddress = '10.90.0.1';
export const nodeAddress = (index: number): string => `10.90.0.${10 + index}`;
export const podRange = (index: number): string => `10.91.${index}.0/24`;

const ip = (...parameters: string[]): string => execFileSync('ip', parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const forward = (namespace: string): void =>
  void execFileSync('nsenter', [`--net=/run/netns/${namespace}`, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);

export const inNamespace = (namespace: string): string[] => ['nsenter', `--net=/run/netns/${namespace}`, '--'];

export function createHub(cluster: string): void {
  const hub = hubOf(cluster);
  ip('netns', 'add', hub);
  ip('-n', hub, 'link', 'set', 'lo', 'up');
  ip('-n', hub, 'link', 'add', 'br0', 'type', 'bridge');
  ip('-n', hub, 'addr', 'add', `${hubAddress}/24`, 'dev', 'br0');
  ip('-n', hub, 'link', 'set', 'br0', 'up');
  forward(hub);
}

export function createNode(cluster: string, index: number): void {
  const hub = hubOf(cluster);
  const node = nodeNamespace(cluster, index);
  ip('netns', 'add', node);
  ip('-n', node, 'link', 'set', 'lo', 'up');
  ip('-n', hub, 'link', 'add', `n${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', node);
  ip('-n', hub, 'link', 'set', `n${index}`, 'master', 'br0', 'up');
  ip('-n', node, 'addr', 'add', `${nodeAddress(index)}/24`, 'dev', 'eth0');
  ip('-n', node, 'link', 'set', 'eth0', 'up');
  ip('-n', node, 'route', 'add', 'default', 'via', hubAddress);
  ip('-n', hub, 'route', 'add', podRange(index), 'via', nodeAddress(index));
  forward(node);
}

const hierarchies = (): string[] =>
  readdirSync('/sys/fs/cgroup', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `/sys/fs/cgroup/${entry.name}`);

/** The directories of a node's control group in every hierarchy, parents first. */
function groupsOf(name: string): string[] {
  const found: string[] = [];
  const visit = (directory: string): void => {
    found.push(directory);
    for (const entry of readdirSync(directory, { withFileTypes: true })) if (entry.isDirectory()) visit(`${directory}/${entry.name}`);
  };
  for (const hierarchy of ['/sys/fs/cgroup', ...hierarchies()]) if (existsSync(`${hierarchy}/${name}`)) visit(`${hierarchy}/${name}`);
  return found;
}

/** Ends what still runs in the cluster's namespaces and control groups, and removes them. */
export async function removeNetwork(cluster: string): Promise<void> {
  const present = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  const mine = present.filter((name) => name === hubOf(cluster) || (name.startsWith(`${hubOf(cluster)}-`) && /-\d+$/.test(name)));
  for (let round = 0; round < 20; round++) {
    const pids = new Set<number>();
    for (const namespace of mine) {
      for (const pid of ip('netns', 'pids', namespace).split('\n')) if (pid) pids.add(Number(pid));
      for (const group of groupsOf(namespace))
        for (const pid of execFileSync('cat', [`${group}/cgroup.procs`], { encoding: 'utf8' }).split('\n')) if (pid) pids.add(Number(pid));
    }
    if (pids.size === 0) break;
    pids.forEach(kill);
    await wait(50);
  }
  for (const namespace of mine) {
    for (const group of groupsOf(namespace).reverse())
      try {
        rmdirSync(group);
      } catch (error) {
        // A process that is still dying keeps its group for a moment; an empty one holds nothing.
        if (!['EBUSY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    ip('netns', 'delete', namespace);
  }
}
