/**
 * A cgroup a pod, below one a class: <root>/kubepods[/burstable|/besteffort]/pod<uid>. The runtime puts the containers' own below.
 * Both of the kernel's interfaces are spoken: v1, where each controller has a tree of its own, and v2 with one for all.
 * upstream: pkg/kubelet/cm/{cgroup_manager_linux,pod_container_manager_linux,qos_container_manager_linux,helpers_linux}.go.
 */
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Pod } from '#api';
import type { Log } from '#machinery/log';
import { podLimits, podRequests } from '../pod-resources.ts';
import { containersOf, initContainersOf, podLevelResources, uidOf } from '../pod-spec.ts';
import { hugepageSizeName } from '../pod-runtime/linux-resources.ts';
import type { QosClass } from '../qos.ts';
import { qosOf } from '../qos.ts';
import { cpuPeriod, milliToQuota, milliToShares, minimumShares, sharesToWeight } from './cpu.ts';

export interface CgroupResources {
  cpuShares?: number;
  /** Microseconds a period; -1 for no limit. */
  cpuQuota?: number;
  memoryBytes?: number;
  /** By the kernel's name of the page size. */
  hugepages?: ReadonlyMap<string, number>;
  pids?: number;
}

/** upstream: ResourceConfigForPod. */
export function podCgroupResources(pod: Pod): CgroupResources {
  const requests = podRequests(pod);
  const limits = podLimits(pod);
  const whole = podLevelResources(pod);
  let cpuLimited = true;
  let memoryLimited = true;
  for (const container of [...containersOf(pod), ...initContainersOf(pod)]) {
    const own = container.resources?.limits as Record<string, unknown> | undefined;
    if (own?.['cpu'] === undefined) cpuLimited = false;
    if (own?.['memory'] === undefined) memoryLimited = false;
  }
  cpuLimited ||= (whole?.limits as Record<string, unknown> | undefined)?.['cpu'] !== undefined;
  memoryLimited ||= (whole?.limits as Record<string, unknown> | undefined)?.['memory'] !== undefined;
  const qos = qosOf(pod);
  const cpu = requests.get('cpu')?.milliValue() ?? 0;
  const quota = milliToQuota(limits.get('cpu')?.milliValue() ?? 0);
  const memory = limits.get('memory')?.value() ?? 0;
  const hugepages = new Map<string, number>();
  for (const [name, amount] of limits)
    if (name.startsWith('hugepages-')) hugepages.set(hugepageSizeName(name.slice('hugepages-'.length)), amount.value());
  if (qos === 'BestEffort') return { cpuShares: minimumShares, hugepages };
  return {
    cpuShares: milliToShares(cpu),
    ...((qos === 'Guaranteed' || cpuLimited) && quota && { cpuQuota: quota }),
    ...((qos === 'Guaranteed' || memoryLimited) && memory && { memoryBytes: memory }),
    hugepages,
  };
}

const classDirectory: Record<QosClass, string> = { Guaranteed: '', Burstable: 'burstable', BestEffort: 'besteffort' };

export interface Cgroups {
  /** What the runtime is told; '' without cgroups. */
  parent(pod: Pod): string;
  /** Makes the pod's cgroup, with its limits. */
  ensure(pod: Pod): Promise<void>;
  /** Writes the pod's limits anew. */
  update(pod: Pod): Promise<void>;
  /** Removes the cgroup of a pod that has ended. */
  remove(uid: string): Promise<void>;
  /** Pods that have a cgroup here. */
  pods(): Promise<string[]>;
  /** Shares the CPU among the classes by what their pods ask for. */
  shareAmong(pods: readonly Pod[]): Promise<void>;
  /** A number out of a file of the pod's cgroup, or undefined. `controller` matters for v1 only. */
  read(uid: string, controller: string, file: string): Promise<string | undefined>;
}

export const noCgroups: Cgroups = {
  parent: () => '',
  ensure: () => Promise.resolve(),
  update: () => Promise.resolve(),
  remove: () => Promise.resolve(),
  pods: () => Promise.resolve([]),
  shareAmong: () => Promise.resolve(),
  read: () => Promise.resolve(undefined),
};

async function removeTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeTree(path.join(directory, entry.name));
  await rmdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
  });
}

/** Removes a node's cgroups when no pod runs any more: what `root` and all below it are in every tree. */
export async function removeCgroups(root: string, mount = '/sys/fs/cgroup'): Promise<void> {
  const group = path.join('/', root, root === '/' ? 'kubepods' : '');
  const v2 = existsSync(path.join(mount, 'cgroup.controllers'));
  const trees = v2 ? [mount] : (await readdir(mount)).map((name) => path.join(mount, name));
  await Promise.all(trees.map((tree) => removeTree(path.join(tree, group))));
}

const controllers = ['cpu', 'cpuacct', 'memory', 'pids', 'hugetlb', 'cpuset', 'blkio', 'devices', 'freezer'];

export interface CgroupOptions {
  root: string;
  mount: string;
  v2: boolean;
  log: Log;
}

export async function kernelCgroups({ root, mount, v2, log }: CgroupOptions): Promise<Cgroups> {
  const trees = v2 ? [mount] : [...new Set(controllers.map((name) => path.join(mount, name)).filter((tree) => existsSync(tree)))];
  // The runtime makes groups in every tree there is, also those without a controller (systemd, unified).
  const everyTree = v2 ? trees : (await readdir(mount)).map((name) => path.join(mount, name));
  const kubepods = path.join('/', root, 'kubepods');
  const known = new Map<string, string>();

  const tree = (controller: string): string => (v2 ? mount : path.join(mount, controller));
  const put = async (controller: string, group: string, file: string, value: string | number): Promise<void> => {
    const target = path.join(tree(controller), group, file);
    try {
      await writeFile(target, String(value));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return; // the controller is not there
      throw new Error(`failed to write ${value} to ${target}: ${(error as Error).message}`, { cause: error });
    }
  };

  async function enableBelow(group: string): Promise<void> {
    const available = (await readFile(path.join(mount, group, 'cgroup.controllers'), 'utf8').catch(() => ''))
      .trim()
      .split(' ')
      .filter(Boolean);
    for (const name of available) await writeFile(path.join(mount, group, 'cgroup.subtree_control'), `+${name}`).catch(() => undefined);
  }

  async function make(group: string): Promise<void> {
    const steps = group.split('/').filter(Boolean);
    if (v2) {
      let above = '';
      for (const step of steps) {
        await enableBelow(above);
        above = path.join(above, step);
        await mkdir(path.join(mount, above), { recursive: true });
      }
      return;
    }
    for (const base of trees) await mkdir(path.join(base, group), { recursive: true });
    // A cpuset without processors takes no process; it does not inherit by itself.
    let above = tree('cpuset');
    if (!trees.includes(above)) return;
    for (const step of steps) {
      const below = path.join(above, step);
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        const own = (await readFile(path.join(below, file), 'utf8').catch(() => 'none')).trim();
        if (own === '')
          await writeFile(path.join(below, file), (await readFile(path.join(above, file), 'utf8')).trim()).catch(() => undefined);
      }
      above = below;
    }
  }

  async function apply(group: string, resources: CgroupResources): Promise<void> {
    const { cpuShares, cpuQuota, memoryBytes, hugepages, pids } = resources;
    if (v2) {
      if (cpuShares !== undefined) await put('', group, 'cpu.weight', sharesToWeight(cpuShares));
      if (cpuQuota !== undefined) await put('', group, 'cpu.max', `${cpuQuota < 0 ? 'max' : cpuQuota} ${cpuPeriod}`);
      if (memoryBytes !== undefined) await put('', group, 'memory.max', memoryBytes < 0 ? 'max' : memoryBytes);
      if (pids !== undefined) await put('', group, 'pids.max', pids);
      for (const [size, bytes] of hugepages ?? []) await put('', group, `hugetlb.${size}.max`, bytes);
      return;
    }
    if (cpuShares !== undefined) await put('cpu', group, 'cpu.shares', cpuShares);
    if (cpuQuota !== undefined) {
      await put('cpu', group, 'cpu.cfs_period_us', cpuPeriod);
      await put('cpu', group, 'cpu.cfs_quota_us', cpuQuota);
    }
    if (memoryBytes !== undefined) await put('memory', group, 'memory.limit_in_bytes', memoryBytes);
    if (pids !== undefined) await put('pids', group, 'pids.max', pids);
    for (const [size, bytes] of hugepages ?? []) await put('hugetlb', group, `hugetlb.${size}.limit_in_bytes`, bytes);
  }

  const groupOf = (pod: Pod): string => path.join(kubepods, classDirectory[qosOf(pod)], `pod${uidOf(pod)}`);

  async function find(uid: string): Promise<string | undefined> {
    const remembered = known.get(uid);
    if (remembered) return remembered;
    return Object.values(classDirectory)
      .map((directory) => path.join(kubepods, directory, `pod${uid}`))
      .find((group) => existsSync(path.join(v2 ? mount : tree('memory'), group)));
  }

  for (const directory of Object.values(classDirectory)) await make(path.join(kubepods, directory));
  await apply(path.join(kubepods, 'besteffort'), { cpuShares: minimumShares });
  log.debug('Cgroups are ready', { root: kubepods, version: v2 ? 2 : 1 });

  let shared = '';
  return {
    parent: groupOf,
    async ensure(pod) {
      const group = groupOf(pod);
      if (known.has(uidOf(pod))) return;
      await make(group);
      await apply(group, podCgroupResources(pod));
      known.set(uidOf(pod), group);
    },
    update: (pod) => apply(groupOf(pod), podCgroupResources(pod)),
    async remove(uid) {
      const group = await find(uid);
      if (group) await Promise.all(everyTree.map((base) => removeTree(path.join(base, group))));
      known.delete(uid);
    },
    async pods() {
      const lists = await Promise.all(
        Object.values(classDirectory).map((directory) =>
          readdir(path.join(v2 ? mount : tree('memory'), kubepods, directory)).catch(() => []),
        ),
      );
      return lists.flat().flatMap((name) => (name.startsWith('pod') ? [name.slice(3)] : []));
    },
    async shareAmong(pods) {
      let burstable = 0;
      for (const pod of pods) if (qosOf(pod) === 'Burstable') burstable += podRequests(pod).get('cpu')?.milliValue() ?? 0;
      const shares = milliToShares(burstable);
      if (shared === String(shares)) return;
      shared = String(shares);
      await apply(path.join(kubepods, 'burstable'), { cpuShares: shares });
    },
    async read(uid, controller, file) {
      const group = await find(uid);
      if (!group) return undefined;
      return readFile(path.join(tree(controller), group, file), 'utf8').then(
        (content) => content.trim(),
        () => undefined,
      );
    },
  };
}
