/** What this machine is and has. upstream: cAdvisor's machine info. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import os from 'node:os';
import { hugepageSizeName } from '../pod-runtime/linux-resources.ts';

export interface Machine {
  cpus: number;
  memoryBytes: number;
  /** The runtime's names: "2MB". */
  hugepageSizes: string[];
  /** Bytes set aside by size: "2Mi" → bytes. */
  hugepages: Map<string, number>;
  cgroupV2: boolean;
  swapController: boolean;
  machineId: string;
  bootId: string;
  systemUuid: string;
  kernelVersion: string;
  osImage: string;
  architecture: string;
  operatingSystem: string;
  maxPids: number;
}

const text = (file: string): string => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
};

const exists = (file: string): boolean => statSync(file, { throwIfNoEntry: false }) !== undefined;

const architectures: Record<string, string> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
  s390x: 's390x',
  ppc64: 'ppc64le',
  riscv64: 'riscv64',
};

function hugepages(): Map<string, number> {
  const found = new Map<string, number>();
  const root = '/sys/kernel/mm/hugepages';
  let entries: string[] = [];
  try {
    entries = readdirSync(root);
  } catch {
    // A kernel without huge pages has no such directory.
  }
  for (const entry of entries) {
    const kilobytes = Number(/^hugepages-(\d+)kB$/.exec(entry)?.[1]);
    if (!kilobytes) continue;
    const name = kilobytes >= 1024 * 1024 ? `${kilobytes / 1024 / 1024}Gi` : kilobytes >= 1024 ? `${kilobytes / 1024}Mi` : `${kilobytes}Ki`;
    found.set(name, Number(text(`${root}/${entry}/nr_hugepages`)) * kilobytes * 1024);
  }
  return found;
}

export function readMachine(cgroupMount = '/sys/fs/cgroup'): Machine {
  const release = text('/etc/os-release');
  const total = Number(/MemTotal:\s+(\d+) kB/.exec(text('/proc/meminfo'))?.[1] ?? 0) * 1024 || os.totalmem();
  const pages = hugepages();
  const cgroupV2 = exists(`${cgroupMount}/cgroup.controllers`);
  return {
    cpus: os.availableParallelism(),
    memoryBytes: total,
    hugepages: pages,
    hugepageSizes: [...pages.keys()].map(hugepageSizeName),
    cgroupV2,
    // The root of the tree has no such file, a group does.
    swapController: cgroupV2
      ? exists(`${cgroupMount}${/^0::(.*)$/m.exec(text('/proc/self/cgroup'))?.[1] ?? ''}/memory.swap.max`)
      : exists(`${cgroupMount}/memory/memory.memsw.limit_in_bytes`),
    machineId: text('/etc/machine-id') || text('/var/lib/dbus/machine-id'),
    bootId: text('/proc/sys/kernel/random/boot_id'),
    systemUuid: text('/sys/class/dmi/id/product_uuid') || text('/etc/machine-id'),
    kernelVersion: os.release(),
    osImage: /^PRETTY_NAME="?(.*?)"?$/m.exec(release)?.[1] ?? '',
    architecture: architectures[os.arch()] ?? os.arch(),
    operatingSystem: os.platform(),
    maxPids: Number(text('/proc/sys/kernel/pid_max')) || 32_768,
  };
}

export interface FilesystemUse {
  capacityBytes: number;
  availableBytes: number;
  inodes: number;
  inodesFree: number;
}

export async function filesystemUse(directory: string): Promise<FilesystemUse> {
  const { bsize, blocks, bavail, files, ffree } = await statfs(directory);
  return { capacityBytes: bsize * blocks, availableBytes: bsize * bavail, inodes: files, inodesFree: ffree };
}

/** What the machine's processes do not need: memory that can be had without swapping. upstream: cAdvisor's working set, subtracted. */
export function availableMemory(): number {
  return Number(/MemAvailable:\s+(\d+) kB/.exec(text('/proc/meminfo'))?.[1] ?? 0) * 1024;
}

export function processCount(): number {
  return Number(/\/(\d+) /.exec(text('/proc/loadavg'))?.[1] ?? 0);
}
