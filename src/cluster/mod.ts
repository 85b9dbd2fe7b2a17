/**
 * Puts the parts together: certificates, sandboxed machines, processes, the control plane and the machines' components.
 * The only folder that knows all others. Upstream counterpart: kubeadm, kind. Read first: control-plane.ts and machine.ts; up.ts for the command.
 * What runs a cluster is loaded when it is called: most subcommands only look at files.
 * Invariant: what `up` could not finish, or `down` stops, leaves no process, mount, namespace, cgroup or nftables rule behind.
 */
import type { Context, Running } from '#machinery/lifecycle';
import type { Client, HttpTransportOptions } from '#client';
import type { RunningControllers } from '#controllers';
import type { ApiServerSettings, StartedApiServer } from './api-server.ts';
import type { ClusterConfig } from './config.ts';
import type { ControllerClients } from './controller-clients.ts';
import type { ControllerManagerSettings } from './controller-manager.ts';
import type { ClusterPaths } from './paths.ts';
import type { RunMachineOptions } from './run-machine.ts';
import type { SchedulerSettings } from './scheduler.ts';
import type { RunningCluster, StartClusterOptions } from './start-cluster.ts';

export { up } from './up.ts';
export type { UpOptions, UpResult } from './up.ts';
export { clusterParts } from './config.ts';
export type { ClusterPart } from './config.ts';
export { down, existingCluster, listClusters } from './down.ts';
export { findKubectl } from './kubectl.ts';
export { unpackTool } from './kubectl-layer.ts';
export { requirements, whySimulated } from './requirements.ts';
export { bundle, programFor } from './program.ts';
export { pathsOf } from './paths.ts';
export { storeError } from './store.ts';
export type { ApiServerSettings, ControllerManagerSettings, SchedulerSettings, StartedApiServer };
export type { ApiServerSecurity } from './security.ts';
export type { PartSettings } from './part-settings.ts';
export type { RunningCluster, StartClusterOptions };

/** A cluster inside a program; see start-cluster.ts. */
export async function startCluster(options?: StartClusterOptions): Promise<RunningCluster> {
  return (await import('./start-cluster.ts')).startCluster(options);
}

/** The process of one machine; see run-machine.ts. */
export async function runMachine(cluster: string, index: number, options: RunMachineOptions): Promise<void> {
  return (await import('./run-machine.ts')).runMachine(cluster, index, options);
}

/** Loads an archive on every machine; see images.ts. */
export async function loadImages(paths: ClusterPaths, config: ClusterConfig, archive: string): Promise<string[]> {
  return (await import('./images.ts')).loadImages(paths, config, archive);
}

/** The API server alone; see api-server.ts. */
export async function startApiServer(settings: ApiServerSettings, context: Context): Promise<StartedApiServer> {
  return (await import('./api-server.ts')).startApiServer(settings, context);
}

/** The controllers alone; see controller-manager.ts. */
export async function startControllerManager(settings: ControllerManagerSettings, context: Context): Promise<RunningControllers> {
  return (await import('./controller-manager.ts')).startControllerManager(settings, context);
}

/** For who loads it before the moment it is needed. */
export const schedulerStarter = async (): Promise<typeof startScheduler> => (await import('./scheduler.ts')).startScheduler;

/** The scheduler alone; see scheduler.ts. */
export async function startScheduler(settings: SchedulerSettings, context: Context): Promise<Running> {
  return (await import('./scheduler.ts')).startScheduler(settings, context);
}

/** Clients for the controllers over HTTP, each as its service account; see controller-clients.ts. */
export async function controllerClients(own: Client, server: HttpTransportOptions): Promise<ControllerClients> {
  return (await import('./controller-clients.ts')).controllerClients(own, server);
}
