import { existingCluster, listClusters, requirements, whySimulated } from '#cluster';
import { steps } from './output.ts';

export async function doctor(_parameters: string[], options: Record<string, unknown>): Promise<number> {
  let problems = 0;
  const check = (good: boolean, text: string, remedy: string): void => {
    if (good) steps.done(text);
    else {
      problems++;
      steps.failed(remedy);
    }
  };
  const found = requirements();
  check(found.containers, 'Real containers can run on this machine', whySimulated(found));
  for (const { name, config } of listClusters())
    check(
      config !== undefined,
      `The settings of cluster ${name} can be read`,
      `The settings of cluster ${name} are damaged: restore its cluster.json or remove it with "coxswain down --purge --name ${name}"`,
    );
  if (typeof options['name'] === 'string') {
    const { running, config } = existingCluster(options['name']);
    check(
      running,
      `Cluster ${config.name} is running`,
      `Cluster ${config.name} is stopped: start it with "coxswain up --name ${config.name}"`,
    );
  }
  return problems === 0 ? 0 : 1;
}
