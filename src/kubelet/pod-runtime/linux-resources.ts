/** A container's requests and limits in the kernel's words. upstream: pkg/kubelet/kuberuntime/kuberuntime_container_linux.go. */
import type { Container, Pod } from '#api';
import { parseQuantity, value } from '#machinery/quantity';
import type { HugepageLimit, LinuxContainerResources } from '#runtime';
import { podLevelResources } from '../pod-spec.ts';
import { cpuMilli, memoryBytes, oomScoreAdjust } from '../qos.ts';
import { cpuPeriod, milliToQuota, milliToShares } from '../resources/cpu.ts';

export interface MachineFacts {
  memoryBytes: number;
  /** "2MB", "1GB": what the kernel offers. */
  hugepageSizes: readonly string[];
  cgroupV2: boolean;
  /** The kernel accounts swap, so containers must be told to use none. */
  swapController: boolean;
}

const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

/** "2Mi" → "2MB", as cgroup files are named. */
export function hugepageSizeName(quantity: string): string {
  let size = parseQuantity(quantity).value();
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size}${units[unit]!}`;
}

function hugepageLimits(pod: Pod, container: Container, sizes: readonly string[]): HugepageLimit[] {
  const wanted = new Map<string, number>();
  for (const limits of [podLevelResources(pod)?.limits, container.resources?.limits])
    for (const [name, amount] of Object.entries((limits ?? {}) as Record<string, string>))
      if (name.startsWith('hugepages-')) wanted.set(hugepageSizeName(name.slice('hugepages-'.length)), value(amount));
  return sizes.map((pageSize) => ({ pageSize, limit: wanted.get(pageSize) ?? 0 }));
}

export function linuxResources(pod: Pod, container: Container, machine: MachineFacts): LinuxContainerResources {
  const requests = container.resources?.requests as Record<string, unknown> | undefined;
  const limits = container.resources?.limits as Record<string, unknown> | undefined;
  const podLimits = podLevelResources(pod)?.limits as Record<string, unknown> | undefined;
  const cpuLimit = cpuMilli(limits) || cpuMilli(podLimits);
  const memoryLimit = memoryBytes(limits) || memoryBytes(podLimits);
  const shares = requests?.['cpu'] === undefined && cpuLimit ? milliToShares(cpuLimit) : milliToShares(cpuMilli(requests));
  const hugepages = hugepageLimits(pod, container, machine.hugepageSizes);
  return {
    cpuShares: shares,
    cpuPeriod,
    cpuQuota: milliToQuota(cpuLimit),
    ...(memoryLimit && { memoryLimitInBytes: memoryLimit }),
    oomScoreAdj: oomScoreAdjust(pod, container, machine.memoryBytes),
    ...(hugepages.length && { hugepageLimits: hugepages }),
    ...(machine.swapController && !machine.cgroupV2 && memoryLimit && { memorySwapLimitInBytes: memoryLimit }),
    ...(machine.cgroupV2 && {
      unified: { 'memory.oom.group': '1', ...(machine.swapController && { 'memory.swap.max': '0' }) },
    }),
  };
}
