import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { existingCluster, loadImages } from '#cluster';
import { clusterName, steps } from './output.ts';

export async function image(parameters: string[], options: Record<string, unknown>): Promise<void> {
  const [action, ...archives] = parameters;
  if (action !== 'load') throw new Error(`Cannot do "image ${action}": the one action is "image load <archive...>"`);
  for (const archive of archives) if (!existsSync(archive)) throw new Error(`Cannot load ${archive}: there is no such file`);
  const { config, running, paths } = existingCluster(clusterName(options));
  if (config.runtime === 'simulated') throw new Error(`Cannot load images: the pods of ${config.name} are simulated and need none`);
  if (!running) throw new Error(`Cannot load images: ${config.name} is stopped; start it with "coxswain up"`);
  for (const archive of archives) {
    const names = await loadImages(paths, config, resolve(archive));
    steps.done(`${names.join(', ') || archive} on ${config.machines} ${config.machines === 1 ? 'machine' : 'machines'}`);
  }
}
