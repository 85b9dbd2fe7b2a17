/**
 * Puts the parts together: certificates, sandboxed machines, processes, the control plane and the machines' components.
 * The only folder that knows all others. Upstream counterpart: kubeadm, kind. Read first: control-plane.ts and machine.ts; up.ts for the command.
 * Invariant: what `up` could not finish, or `down` stops, leaves no process, mount, namespace, cgroup or nftables rule behind.
 */
export { up } from './up.ts';
export type { UpOptions, UpResult } from './up.ts';
export { down, existingCluster, listClusters } from './down.ts';
export { findKubectl } from './kubectl.ts';
export { requirements, whySimulated } from './requirements.ts';
export { pathsOf } from './paths.ts';
export { loadImages } from './images.ts';
export { runMachine } from './run-machine.ts';
export { startCluster } from './start-cluster.ts';
export type { RunningCluster, StartClusterOptions } from './start-cluster.ts';
