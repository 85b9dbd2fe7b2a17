/**
 * What pods and the node use, as stats/summary answers it (upstream: kubelet/pkg/apis/stats/v1alpha1, pkg/kubelet/stats/cri_stats_provider.go).
 * Asked for, never sampled in the background: rates come from the difference to the last time anybody asked.
 */
import { readFile, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Pod } from '#api';
import type { Clock } from '#machinery/clock';
import type { ContainerStats, Runtime } from '#runtime';
import { metaTime } from './meta-time.ts';
import { availableMemory, filesystemUse } from './node/machine.ts';
import type { Machine } from './node/machine.ts';
import { labels } from './pod-runtime/labels.ts';
import { containerLogDirectory } from './pod-runtime/paths.ts';
import type { RuntimePod } from './pod-runtime/runtime-pod.ts';
import { sandboxReady } from './pod-runtime/runtime-pod.ts';
import { nameOf, namespaceOf, specOf, uidOf } from './pod-spec.ts';
import type { MountedVolume } from './volumes/contract.ts';

export interface StatsOptions {
  nodeName: string;
  runtime: Runtime;
  clock: Clock;
  machine: Machine;
  rootDirectory: string;
  podLogsDirectory: string;
  simulated: boolean;
  startedAt: number;
  pods(): Pod[];
  state(uid: string): RuntimePod | undefined;
  volumes(uid: string): ReadonlyMap<string, MountedVolume>;
}

interface Usage {
  at: number;
  nanoseconds: number;
  rate: number;
}

type Json = Record<string, unknown>;

/** Bytes and inodes below a directory, on its own file system; links count as themselves. */
export async function directoryUse(directory: string): Promise<{ bytes: number; inodes: number }> {
  const seen = new Set<number>();
  let bytes = 0;
  let inodes = 0;
  const root = await stat(directory).catch(() => undefined);
  if (!root) return { bytes, inodes };
  const walk = async (where: string): Promise<void> => {
    for (const entry of await readdir(where, { withFileTypes: true }).catch(() => [])) {
      const file = path.join(where, entry.name);
      const stats = entry.isSymbolicLink() ? undefined : await stat(file).catch(() => undefined);
      inodes++;
      if (!stats || stats.dev !== root.dev || (stats.nlink > 1 && !stats.isDirectory() && seen.has(stats.ino))) continue;
      seen.add(stats.ino);
      bytes += stats.blocks * 512;
      if (entry.isDirectory()) await walk(file);
    }
  };
  await walk(directory);
  return { bytes: bytes + root.blocks * 512, inodes: inodes + 1 };
}

export class Stats {
  readonly #options: StatsOptions;
  readonly #usage = new Map<string, Usage>();
  readonly #pids = new Map<string, number>();

  constructor(options: StatsOptions) {
    this.#options = options;
  }

  /** Nanocores since the last question about `key`. */
  #rate(key: string, nanoseconds: number, at: number): number {
    const last = this.#usage.get(key);
    if (last && at - last.at < 1) return last.rate;
    const rate =
      last && at > last.at && nanoseconds >= last.nanoseconds ? Math.trunc((nanoseconds - last.nanoseconds) / ((at - last.at) / 1000)) : 0;
    this.#usage.set(key, { at, nanoseconds, rate });
    return rate;
  }

  #container(name: string, startedAt: number, stats: ContainerStats | undefined, file: Json | undefined, logBytes: number): Json {
    const now = this.#options.clock.now();
    const cpu = stats?.cpu;
    const memory = stats?.memory;
    const at = cpu?.timestamp ? cpu.timestamp / 1e6 : now;
    const nanoseconds = cpu?.usageCoreNanoSeconds?.value ?? 0;
    const layer = stats?.writableLayer;
    return {
      name,
      startTime: metaTime(startedAt || now),
      cpu: {
        time: metaTime(at),
        usageNanoCores: cpu?.usageNanoCores?.value ?? this.#rate(stats?.attributes?.id ?? name, nanoseconds, at),
        usageCoreNanoSeconds: nanoseconds,
      },
      memory: {
        time: metaTime(memory?.timestamp ? memory.timestamp / 1e6 : now),
        ...(memory?.usageBytes && { usageBytes: memory.usageBytes.value ?? 0 }),
        workingSetBytes: memory?.workingSetBytes?.value ?? 0,
        ...(memory?.rssBytes && { rssBytes: memory.rssBytes.value ?? 0 }),
        ...(memory?.pageFaults && { pageFaults: memory.pageFaults.value ?? 0 }),
        ...(memory?.majorPageFaults && { majorPageFaults: memory.majorPageFaults.value ?? 0 }),
        ...(memory?.availableBytes && { availableBytes: memory.availableBytes.value ?? 0 }),
      },
      ...(file && {
        rootfs: { ...file, time: metaTime(now), usedBytes: layer?.usedBytes?.value ?? 0, inodesUsed: layer?.inodesUsed?.value ?? 0 },
        logs: { ...file, time: metaTime(now), usedBytes: logBytes, inodesUsed: 1 },
      }),
    };
  }

  async #fileSystem(): Promise<Json | undefined> {
    if (this.#options.simulated) return undefined;
    const use = await filesystemUse(this.#options.rootDirectory).catch(() => undefined);
    return use && { availableBytes: use.availableBytes, capacityBytes: use.capacityBytes, inodesFree: use.inodesFree, inodes: use.inodes };
  }

  /** Counters of the network interfaces that a process sees. */
  async #network(pid: number | 'self'): Promise<Json | undefined> {
    const table = await readFile(`/proc/${pid}/net/dev`, 'utf8').catch(() => undefined);
    if (table === undefined) return undefined;
    const interfaces = table.split('\n').flatMap((line) => {
      const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line);
      if (!match || match[1] === 'lo') return [];
      const [rxBytes = 0, , rxErrors = 0, , , , , , txBytes = 0, , txErrors = 0] = match[2]!.split(/\s+/).map(Number);
      return [{ name: match[1], rxBytes, rxErrors, txBytes, txErrors }];
    });
    const main = interfaces.find(({ name }) => name === 'eth0') ?? interfaces[0];
    return main && { time: metaTime(this.#options.clock.now()), ...main, interfaces };
  }

  async #sandboxPid(state: RuntimePod | undefined): Promise<number | undefined> {
    const id = state?.sandboxes.find(sandboxReady)?.id;
    if (!id || this.#options.simulated) return undefined;
    const known = this.#pids.get(id);
    if (known) return known;
    const { info } = await this.#options.runtime.runtime.podSandboxStatus({ podSandboxId: id, verbose: true });
    const pid = Number(/"pid":\s*(\d+)/.exec(info?.['info'] ?? '')?.[1] ?? 0);
    if (pid) this.#pids.set(id, pid);
    return pid || undefined;
  }

  async #pod(pod: Pod, all: readonly ContainerStats[], file: Json | undefined): Promise<Json> {
    const { clock, podLogsDirectory, simulated } = this.#options;
    const uid = uidOf(pod);
    const state = this.#options.state(uid);
    const containers: Json[] = [];
    let ephemeral = 0;
    for (const container of state?.containers ?? []) {
      if (container.state !== 'running') continue;
      const stats = all.find(({ attributes }) => attributes?.id === container.id);
      const logs = simulated ? 0 : (await directoryUse(containerLogDirectory(podLogsDirectory, pod, container.name))).bytes;
      ephemeral += logs + (stats?.writableLayer?.usedBytes?.value ?? 0);
      containers.push(this.#container(container.name, container.startedAt, stats, file, logs));
    }
    const volume: Json[] = [];
    for (const spec of specOf(pod).volumes ?? []) {
      const mounted = this.#options.volumes(uid).get(spec.name);
      if (!mounted?.path || simulated || (!spec.emptyDir && !spec.configMap && !spec.secret && !spec.projected && !spec.downwardAPI))
        continue;
      const { bytes, inodes } = await directoryUse(mounted.path);
      if (spec.emptyDir?.medium !== 'Memory') ephemeral += bytes;
      volume.push({ ...file, time: metaTime(clock.now()), name: spec.name, usedBytes: bytes, inodesUsed: inodes });
    }
    const sum = (part: string, field: string): number =>
      containers.reduce((total, container) => total + (((container[part] as Json | undefined)?.[field] as number | undefined) ?? 0), 0);
    const pid = await this.#sandboxPid(state);
    const network = pid ? await this.#network(pid) : undefined;
    const now = metaTime(clock.now());
    return {
      podRef: { name: nameOf(pod), namespace: namespaceOf(pod), uid },
      startTime: pod.status?.startTime ?? now,
      containers,
      cpu: { time: now, usageNanoCores: sum('cpu', 'usageNanoCores'), usageCoreNanoSeconds: sum('cpu', 'usageCoreNanoSeconds') },
      memory: {
        time: now,
        usageBytes: sum('memory', 'usageBytes'),
        workingSetBytes: sum('memory', 'workingSetBytes'),
        rssBytes: sum('memory', 'rssBytes'),
        pageFaults: sum('memory', 'pageFaults'),
        majorPageFaults: sum('memory', 'majorPageFaults'),
      },
      ...(network && { network }),
      ...(volume.length && { volume }),
      ...(file && { 'ephemeral-storage': { ...file, time: now, usedBytes: ephemeral } }),
    };
  }

  /** CPU time of the whole machine in nanoseconds. */
  async #nodeCpu(): Promise<number> {
    const first = (await readFile('/proc/stat', 'utf8').catch(() => '')).split('\n')[0] ?? '';
    const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = first.split(/\s+/).map(Number);
    return (user + nice + system + irq + softirq + steal) * 1e7;
  }

  /** Memory and CPU of every running container, by id. */
  async containers(): Promise<ContainerStats[]> {
    return (await this.#options.runtime.runtime.listContainerStats({})).stats ?? [];
  }

  async summary(): Promise<Json> {
    const { clock, machine, nodeName, startedAt, simulated } = this.#options;
    const now = clock.now();
    const time = metaTime(now);
    const all = await this.containers();
    const mine = all.filter(({ attributes }) => attributes?.labels?.[labels.uid]);
    const file = await this.#fileSystem();
    const nanoseconds = simulated ? 0 : await this.#nodeCpu();
    const available = simulated ? machine.memoryBytes : availableMemory();
    const network = simulated ? undefined : await this.#network('self');
    const pods: Json[] = [];
    for (const pod of this.#options.pods()) {
      const state = this.#options.state(uidOf(pod));
      if (state?.containers.some((container) => container.state === 'running')) pods.push(await this.#pod(pod, mine, file));
    }
    const used = file && {
      usedBytes: Number(file['capacityBytes']) - Number(file['availableBytes']),
      inodesUsed: Number(file['inodes']) - Number(file['inodesFree']),
    };
    // Those of containers that are gone are never asked for again.
    const ids = new Set(all.map(({ attributes }) => attributes?.id ?? ''));
    for (const key of this.#usage.keys()) if (key && !ids.has(key)) this.#usage.delete(key);
    if (this.#pids.size > 4 * pods.length + 16) this.#pids.clear();
    return {
      node: {
        nodeName,
        startTime: metaTime(startedAt),
        cpu: { time, usageNanoCores: this.#rate('', nanoseconds, now), usageCoreNanoSeconds: nanoseconds },
        memory: {
          time,
          availableBytes: available,
          usageBytes: machine.memoryBytes - available,
          workingSetBytes: machine.memoryBytes - available,
          rssBytes: 0,
          pageFaults: 0,
          majorPageFaults: 0,
        },
        ...(network && { network }),
        ...(file && {
          fs: { ...file, ...used, time },
          runtime: { imageFs: { ...file, ...used, time }, containerFs: { ...file, ...used, time } },
        }),
        rlimit: { time, maxpid: machine.maxPids, curproc: 0 },
      },
      pods,
    };
  }

  /** Bytes of local storage a pod uses, by what its limits count. */
  async ephemeralUse(pod: Pod): Promise<{ total: number; containers: Map<string, number>; emptyDirs: Map<string, number> }> {
    const uid = uidOf(pod);
    const all = await this.containers();
    const containers = new Map<string, number>();
    const emptyDirs = new Map<string, number>();
    for (const container of this.#options.state(uid)?.containers ?? []) {
      const layer = all.find(({ attributes }) => attributes?.id === container.id)?.writableLayer?.usedBytes?.value ?? 0;
      const logs = await directoryUse(containerLogDirectory(this.#options.podLogsDirectory, pod, container.name));
      if (!containers.has(container.name)) containers.set(container.name, layer + logs.bytes);
    }
    for (const spec of specOf(pod).volumes ?? []) {
      const mounted = this.#options.volumes(uid).get(spec.name);
      if (spec.emptyDir && mounted?.path) emptyDirs.set(spec.name, (await directoryUse(mounted.path)).bytes);
    }
    const disk = (specOf(pod).volumes ?? []).filter(({ emptyDir }) => emptyDir && emptyDir.medium !== 'Memory');
    const total =
      [...containers.values()].reduce((sum, bytes) => sum + bytes, 0) + disk.reduce((sum, { name }) => sum + (emptyDirs.get(name) ?? 0), 0);
    return { total, containers, emptyDirs };
  }
}
