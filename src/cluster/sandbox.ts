/**
 * Sandboxed machines: each is a network, mount and UTS namespace of its own, joined by a veth pair to a bridge in the cluster's switch namespace.
 * Of the host's network nothing is changed but one veth end with an address of the cluster's network, through which the host reaches
 * machines and node ports. There is no route out. Namespaces outlive processes: they are held by files under the run directory.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { machineAddress, machineName } from './config.ts';
import type { ClusterConfig } from './config.ts';
import type { ClusterPaths } from './paths.ts';

/** Runs a program with text on its standard input; rejects with what it said on standard error. */
export function run(command: string, parameters: string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(command, parameters, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${command} ${parameters.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }));
      else resolve(stdout);
    });
    // A program that ends without reading its input is judged by its exit code, not by the broken pipe.
    child.stdin?.on('error', () => undefined).end(input);
  });
}

const shortId = (name: string): string => createHash('sha256').update(name).digest('hex').slice(0, 6);
const switchNamespace = (name: string): string => `coxswain-${name}`;
export const machineNamespace = (name: string, index: number): string => `coxswain-${name}-${index}`;
const hostLink = (name: string): string => `cx${shortId(name)}`;
/** The cgroup under which a machine's pods live, in every hierarchy. */
export const machineCgroup = (name: string, index: number): string => `/coxswain-${name}-${index}`;

interface Namespaces {
  net: string;
  mount: string;
  uts: string;
}

const namespacesOf = (paths: ClusterPaths, index: number): Namespaces => ({
  net: `/run/netns/${machineNamespace(paths.name, index)}`,
  mount: join(paths.run, 'namespaces', `${machineName(index)}.mnt`),
  uts: join(paths.run, 'namespaces', `${machineName(index)}.uts`),
});

/** A /24 of 10.88.0.0/16 that no route of the host touches; begins to look at a place that depends on the name. */
export async function freeNetwork(name: string): Promise<string> {
  const routes = (JSON.parse((await run('ip', ['-json', 'route', 'show', 'table', 'all'])) || '[]') as { dst: string }[]).map(
    (route) => route.dst,
  );
  const start = Number.parseInt(shortId(name).slice(0, 2), 16);
  for (let step = 0; step < 256; step++) {
    const network = `10.88.${(start + step) % 256}`;
    if (!routes.some((route) => route.startsWith(`${network}.`))) return network;
  }
  throw new Error('Cannot choose a network for the machines: every part of 10.88.0.0/16 is in use');
}

/** Makes the switch and the machines' namespaces; what is there already stays. */
export async function createSandbox(paths: ClusterPaths, config: ClusterConfig): Promise<void> {
  const { name } = config;
  const network = config.machineNetwork!;
  const present = new Set(existsSync('/run/netns') ? readdirSync('/run/netns') : []);
  const hub = switchNamespace(name);
  if (!present.has(hub)) {
    await run('ip', ['netns', 'add', hub]);
    await run(
      'ip',
      ['-n', hub, '-batch', '-'],
      [
        'link set lo up',
        'link add br0 type bridge',
        `addr add ${network}.1/24 dev br0`,
        'link set br0 up',
        `link add host type veth peer name ${hostLink(name)} netns 1`,
        'link set host master br0 up',
      ].join('\n'),
    );
    await run('ip', ['-batch', '-'], [`addr add ${network}.2/24 dev ${hostLink(name)}`, `link set ${hostLink(name)} up`].join('\n'));
  }
  const holder = join(paths.run, 'namespaces');
  mkdirSync(holder, { recursive: true, mode: 0o700 });
  if (!isMountPoint(holder)) await run('sh', ['-c', 'mount --bind "$1" "$1" && mount --make-private "$1"', 'sh', holder]);
  await Promise.all(Array.from({ length: config.machines }, (_, index) => createMachine(paths, config, index + 1, present)));
}

async function createMachine(paths: ClusterPaths, config: ClusterConfig, index: number, present: Set<string>): Promise<void> {
  const namespace = machineNamespace(config.name, index);
  const hub = switchNamespace(config.name);
  const machine = paths.machine(machineName(index));
  if (!present.has(namespace)) {
    await run('ip', ['netns', 'add', namespace]);
    await run('ip', ['-n', hub, 'link', 'add', `m${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
    await run('ip', ['-n', hub, 'link', 'set', `m${index}`, 'master', 'br0', 'up']);
    await run(
      'ip',
      ['-n', namespace, '-batch', '-'],
      [
        'link set lo up',
        `addr add ${machineAddress(config, index)}/24 dev eth0`,
        'link set eth0 up',
        `route add default via ${config.machineNetwork!}.1`,
      ].join('\n'),
    );
  }
  const { net, mount, uts } = namespacesOf(paths, index);
  if (!existsSync(mount) || !isMountPoint(mount)) {
    // What the container runtime keeps while it runs is in memory, wherever /run is: some twenty small files a pod, made and removed.
    const fleeting = join(machine.run, 'containerd');
    // Directories that programs of the machine write to under fixed names are the machine's own.
    const own: [inside: string, outside: string][] = [
      ['/run/netns', join(machine.run, 'netns')],
      ['/run/containerd', fleeting],
      ['/var/lib/cni', join(machine.state, 'cni')],
    ];
    for (const [inside, outside] of own) {
      mkdirSync(inside, { recursive: true });
      mkdirSync(outside, { recursive: true });
    }
    writeFileSync(mount, '');
    writeFileSync(uts, '');
    const memory = `mount -t tmpfs -o mode=711 coxswain '${fleeting}'`;
    const binds = own.map(([inside, outside]) => `mount --bind '${outside}' '${inside}'`).join(' && ');
    // Copies of others' namespace files would keep those alive after their removal.
    const forget = `grep ' nsfs ' /proc/mounts | cut -d' ' -f2 | sort -r | while read -r file; do umount "$file" 2>/dev/null || true; done`;
    // crun refuses both versions of cgroups together: the machine sees the first alone, which has the controllers. It copies itself at every
    // call lest a container write to it, unless that is impossible anyway.
    const forCrun =
      'if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi' +
      ' && if crun=$(command -v crun); then mount --bind "$crun" "$crun" && mount -o remount,bind,ro "$crun"; fi';
    await run('nsenter', [
      `--net=${net}`,
      'unshare',
      `--mount=${mount}`,
      `--uts=${uts}`,
      'sh',
      '-c',
      `hostname ${machineName(index)} && ${forget} && ${forCrun} && ${memory} && ${binds} && echo 1 > /proc/sys/net/ipv4/ip_forward && echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet`,
    ]);
  }
}

function isMountPoint(path: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === path);
}

/** Starts a program inside a machine; the process is the program's own (nsenter replaces itself). */
export function spawnInMachine(
  paths: ClusterPaths,
  index: number,
  command: string,
  parameters: string[],
  options: SpawnOptions,
): ChildProcess {
  const { net, mount, uts } = namespacesOf(paths, index);
  return spawn('nsenter', [`--net=${net}`, `--mount=${mount}`, `--uts=${uts}`, '--', command, ...parameters], options);
}

/** All cgroup directories of a machine, deepest last, over every hierarchy. */
function cgroupsOf(name: string, index: number): string[] {
  const found: string[] = [];
  const visit = (directory: string): void => {
    found.push(directory);
    for (const entry of readdirSync(directory, { withFileTypes: true })) if (entry.isDirectory()) visit(join(directory, entry.name));
  };
  const hierarchies = [
    '/sys/fs/cgroup',
    ...readdirSync('/sys/fs/cgroup', { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `/sys/fs/cgroup/${entry.name}`),
  ];
  for (const hierarchy of hierarchies) {
    const root = hierarchy + machineCgroup(name, index);
    if (existsSync(root) && statSync(root).isDirectory()) visit(root);
  }
  return found;
}

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

/** Ends every process of the machines (containers too) and removes their namespaces, mounts and cgroups. Idempotent. */
export async function removeSandbox(paths: ClusterPaths, machines: number): Promise<void> {
  const { name } = paths;
  const present = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  // There may be more machines than the last configuration says, when an earlier one had more.
  const indexes = new Set(Array.from({ length: machines }, (_, index) => index + 1));
  for (const namespace of present) {
    const match = namespace.startsWith(`coxswain-${name}-`) ? /^\d+$/.exec(namespace.slice(`coxswain-${name}-`.length)) : null;
    if (match) indexes.add(Number(match[0]));
  }
  for (const index of indexes) {
    const namespace = machineNamespace(name, index);
    // Containers first by cgroup (their network namespaces are their own), then shims, containerd and whatever else is in the machine; twice, since things are born while others die.
    for (let round = 0; round < 5; round++) {
      const pids = new Set<number>();
      for (const directory of cgroupsOf(name, index)) {
        const file = join(directory, 'cgroup.procs');
        if (existsSync(file)) for (const pid of readFileSync(file, 'utf8').split('\n')) if (pid) pids.add(Number(pid));
      }
      if (present.includes(namespace))
        for (const pid of (await run('ip', ['netns', 'pids', namespace])).split('\n')) if (pid) pids.add(Number(pid));
      pids.delete(process.pid);
      if (pids.size === 0) break;
      for (const pid of pids) kill(pid);
      await run('sleep', ['0.05']);
    }
    const { mount, uts } = namespacesOf(paths, index);
    for (const file of [mount, uts]) if (existsSync(file) && isMountPoint(file)) await run('umount', [file]);
    if (present.includes(namespace)) await run('ip', ['netns', 'delete', namespace]);
    for (const directory of cgroupsOf(name, index).reverse()) {
      try {
        rmdirSync(directory);
      } catch (error) {
        // A process that is still dying keeps its group for a moment; an empty group left behind holds nothing.
        if (!['EBUSY', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    }
  }
  if (existsSync(`/sys/class/net/${hostLink(name)}`)) await run('ip', ['link', 'delete', hostLink(name)]);
  if (present.includes(switchNamespace(name))) await run('ip', ['netns', 'delete', switchNamespace(name)]);
  const holder = join(paths.run, 'namespaces');
  if (existsSync(holder)) {
    if (isMountPoint(holder)) await run('umount', [holder]);
    rmSync(holder, { recursive: true, force: true });
  }
}
