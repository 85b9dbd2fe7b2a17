/**
 * Puts the parts together: certificates, sandboxed machines, processes, the control plane and the machines' components.
 * The only folder that knows all others. Upstream counterpart: kubeadm, kind. Read first: control-plane.ts and machine.ts; up.ts for the command.
 * What runs a cluster is loaded when it is called: most subcommands only look at files.
 * Invariant: what `up` could not finish, or `down` stops, leaves no process, mount, namespace, cgroup or nftables rule behind.
 */
import type { ClusterConfig } from './config.ts';
import type { ClusterPaths } from './paths.ts';
import type { RunningCluster, StartClusterOptions } from './start-cluster.ts';

export { up } from './up.ts';
export type { UpOptions, UpResult } from './up.ts';
export { down, existingCluster, listClusters } from './down.ts';
export { findKubectl } from './kubectl.ts';
export { requirements, whySimulated } from './requirements.ts';
export { bundle } from './program.ts';
export { pathsOf } from './paths.ts';
export type { RunningCluster, StartClusterOptions };

/** A cluster inside a program; see start-cluster.ts. */
export async function startCluster(options?: StartClusterOptions): Promise<RunningCluster> {
  return (await import('./start-cluster.ts')).startCluster(options);
}

/** The process of one machine; see run-machine.ts. */
export async function runMachine(cluster: string, index: number, options: { images: string[] }): Promise<void> {
  return (await import('./run-machine.ts')).runMachine(cluster, index, options);
}

/** Loads an archive on every machine; see images.ts. */
export async function loadImages(paths: ClusterPaths, config: ClusterConfig, archive: string): Promise<string[]> {
  return (await import('./images.ts')).loadImages(paths, config, archive);
}
