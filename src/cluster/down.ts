/** Stops a cluster and leaves nothing running: processes, containers, namespaces, mounts, cgroups. Its data stays unless asked otherwise. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { systemClock } from '#machinery/clock';
import { readConfig } from './config.ts';
import type { ClusterConfig } from './config.ts';
import { home, pathsOf } from './paths.ts';
import type { ClusterPaths } from './paths.ts';
import { endProcess, runningProcess } from './processes.ts';
import { removeSandbox } from './sandbox.ts';

/** Rejects with the sentence the user sees where there is no such cluster. */
export function existingCluster(name: string): { paths: ClusterPaths; config: ClusterConfig; running: boolean } {
  const paths = pathsOf(name);
  const config = readConfig(paths.config);
  if (!config)
    throw new Error(
      `Cannot find the cluster ${name}: there is none of that name; "coxswain list" shows those there are, "coxswain up" makes one`,
    );
  return { paths, config, running: runningProcess(paths, 'machine-1') !== undefined };
}

export function listClusters(): { name: string; config: ClusterConfig | undefined; running: boolean }[] {
  const directory = home();
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(pathsOf(entry.name).config))
    .map(({ name }) => {
      let config: ClusterConfig | undefined;
      try {
        config = readConfig(pathsOf(name).config);
      } catch {
        config = undefined; // Damaged; `down --purge` removes it.
      }
      return { name, config, running: runningProcess(pathsOf(name), 'machine-1') !== undefined };
    });
}

export async function down(name: string, options: { purge: boolean }): Promise<void> {
  const paths = pathsOf(name);
  if (!existsSync(paths.state))
    throw new Error(`Cannot find the cluster ${name}: there is none of that name; "coxswain list" shows those there are`);
  let config: ClusterConfig | undefined;
  try {
    config = readConfig(paths.config);
  } catch (error) {
    if (!options.purge) throw error;
  }
  const processes = existsSync(paths.run)
    ? readdirSync(paths.run)
        .filter((file) => file.endsWith('.pid'))
        .map((file) => file.slice(0, -'.pid'.length))
    : [];
  // The control plane last: the others still speak to it.
  for (const process of processes.sort().reverse()) await endProcess(paths, process, systemClock, 10_000);
  if (process.platform === 'linux' && process.getuid?.() === 0 && config?.runtime !== 'simulated')
    await removeSandbox(paths, config?.machines ?? 0);
  rmSync(paths.run, { recursive: true, force: true });
  if (options.purge) {
    (await import('./kubeconfig.ts')).removeFromKubeconfig(name);
    rmSync(paths.state, { recursive: true, force: true });
  }
}
