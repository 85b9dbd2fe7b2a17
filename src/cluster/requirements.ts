/** Whether this machine can run real containers, and what it lacks. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Requirements {
  /** Real containers can run here now. */
  containers: boolean;
  root: boolean;
  linux: boolean;
  /** Debian packages that are missing. */
  missingPackages: string[];
  /** apt-get can install them. */
  installable: boolean;
  /** Where the standard network plugins are, if they are there; the cluster's machines have their own. */
  cniBinDir: string | undefined;
  /** What makes containers: crun where it is, since it costs a fraction of runc's processor time. */
  ociRuntime: 'crun' | 'runc';
  /** A negative oom_score_adj is allowed (CAP_SYS_RESOURCE). */
  mayRaiseOomScore: boolean;
}

const cniDirectories = ['/usr/lib/cni', '/opt/cni/bin', '/usr/libexec/cni'];

/** Packages without which containers run all the same. */
const optional = new Set(['busybox-static', 'crun']);

const program = (name: string): boolean =>
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/usr/local/bin'].some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

export function requirements(): Requirements {
  const linux = process.platform === 'linux';
  const root = process.getuid?.() === 0;
  const needed: [present: boolean, packageName: string][] = [
    [program('containerd') && program('ctr'), 'containerd'],
    [program('runc'), 'runc'],
    [program('crun'), 'crun'],
    [program('nft'), 'nftables'],
    [program('ip'), 'iproute2'],
    [program('conntrack'), 'conntrack'],
    [program('nsenter') && program('unshare'), 'util-linux'],
    [existsSync('/bin/busybox'), 'busybox-static'],
  ];
  const missingPackages = linux ? needed.filter(([present]) => !present).map(([, name]) => name) : [];
  let capabilities = 0n;
  try {
    capabilities = BigInt(`0x${/CapEff:\s*([0-9a-f]+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
  } catch {
    // Not Linux: no capabilities to speak of.
  }
  const capSysResource = 24n;
  return {
    containers: linux && root && missingPackages.every((name) => optional.has(name)),
    root,
    linux,
    missingPackages,
    installable: linux && root && missingPackages.length > 0 && program('apt-get'),
    cniBinDir: cniDirectories.find((directory) => existsSync(join(directory, 'bridge'))),
    ociRuntime: program('crun') ? 'crun' : 'runc',
    mayRaiseOomScore: (capabilities & (1n << capSysResource)) !== 0n,
  };
}

/** One sentence on why pods are simulated, with what to do about it. */
export function whySimulated(found: Requirements): string {
  if (!found.linux) return 'Pods are simulated: real containers need Linux.';
  if (!found.root)
    return `Pods are simulated: real containers need root${found.missingPackages.length ? ` and the packages ${found.missingPackages.join(', ')}` : ''}.`;
  return `Pods are simulated: real containers need the packages ${found.missingPackages.join(', ')} (apt-get install ${found.missingPackages.join(' ')}).`;
}
