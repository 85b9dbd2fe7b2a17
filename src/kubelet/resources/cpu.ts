/** Between thousandths of a CPU and what the kernel counts in. upstream: pkg/kubelet/cm/helpers_linux.go. */
export const minimumShares = 2;
export const maximumShares = 262_144;
export const cpuPeriod = 100_000;
const minimumQuota = 1000;

export function milliToShares(milli: number): number {
  if (milli === 0) return minimumShares;
  return Math.min(maximumShares, Math.max(minimumShares, Math.trunc((milli * 1024) / 1000)));
}

export const sharesToMilli = (shares: number): number => (shares >= minimumShares ? Math.ceil((shares * 1000) / 1024) : 0);

/** Microseconds of CPU a period; 0 for no limit. */
export function milliToQuota(milli: number, period = cpuPeriod): number {
  if (milli === 0) return 0;
  return Math.max(minimumQuota, Math.trunc((milli * period) / 1000));
}

export const quotaToMilli = (quota: number, period: number): number => (quota <= 0 ? 0 : Math.trunc((quota * 1000) / period));

/** cgroup v2's weight for v1's shares: 2…262144 onto 1…10000. upstream: runc libcontainer/cgroups ConvertCPUSharesToCgroupV2Value. */
export const sharesToWeight = (shares: number): number => (shares === 0 ? 0 : 1 + Math.trunc(((shares - 2) * 9999) / 262_142));
