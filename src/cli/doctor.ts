import { existsSync } from 'node:fs';
import { existingCluster, listClusters, pathsOf, requirements, whySimulated } from '#cluster';
import { verifyStore } from '#store';
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
  for (const { name } of listClusters()) {
    const { store } = pathsOf(name);
    // A cluster that never got so far.
    if (!existsSync(store)) continue;
    let failure: unknown;
    const summary = await verifyStore(store).catch((error: unknown) => void (failure = error));
    const reason = failure instanceof Error ? failure.message : String(failure);
    check(
      summary !== undefined,
      `The store of cluster ${name} is what was written: ${summary?.records} records, revision ${summary?.revision}`,
      `${reason}: restore cluster ${name} from a snapshot with "coxswain snapshot restore"`,
    );
  }
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
