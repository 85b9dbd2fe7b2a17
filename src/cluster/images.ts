import { containerdSocket, criRuntime } from '#runtime';
import { machineName } from './config.ts';
import type { ClusterConfig } from './config.ts';
import type { ClusterPaths } from './paths.ts';

/** Loads an archive on every machine, side by side; answers the names of its images. */
export async function loadImages(paths: ClusterPaths, config: ClusterConfig, archive: string): Promise<string[]> {
  const names = await Promise.all(
    Array.from({ length: config.machines }, async (_, index) => {
      await using runtime = await criRuntime(containerdSocket(paths.machine(machineName(index + 1)).run));
      return runtime.load(archive);
    }),
  );
  return names[0] ?? [];
}
