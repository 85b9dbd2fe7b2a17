import { down as stopCluster } from '#cluster';
import { clusterName, steps } from './output.ts';

export async function down(_parameters: string[], options: Record<string, unknown>): Promise<void> {
  const name = clusterName(options);
  await stopCluster(name, { purge: options['purge'] === true });
  steps.done(
    options['purge']
      ? `Cluster ${name} and its data are gone`
      : `Cluster ${name} is stopped; "coxswain up" starts it again, "coxswain down --purge" removes its data`,
  );
}
