import { readFileSync } from 'node:fs';
import { existingCluster } from '#cluster';
import { clusterName } from './output.ts';

export async function kubeconfig(_parameters: string[], options: Record<string, unknown>): Promise<void> {
  const { paths } = existingCluster(clusterName(options));
  process.stdout.write(readFileSync(paths.kubeconfig, 'utf8'));
}
