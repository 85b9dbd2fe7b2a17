import { existingCluster, listClusters } from '#cluster';
import { clusterName, print, table } from './output.ts';

type Options = Record<string, string | boolean | undefined>;

export async function list(_parameters: string[], options: Options): Promise<void> {
  const clusters = listClusters();
  await print(
    clusters.map(({ name, config, running }) => ({
      name,
      running,
      ...(config && { runtime: config.runtime, machines: config.machines, server: `https://127.0.0.1:${config.port}` }),
    })),
    options['output'],
    () =>
      clusters.length === 0
        ? 'No clusters; "coxswain up" makes one.\n'
        : table(
            ['NAME', 'STATE', 'RUNTIME', 'MACHINES', 'SERVER'],
            clusters.map(({ name, config, running }) => [
              name,
              config ? (running ? 'running' : 'stopped') : 'damaged',
              config?.runtime ?? '',
              String(config?.machines ?? ''),
              config ? `https://127.0.0.1:${config.port}` : '',
            ]),
          ),
  );
}

export async function status(_parameters: string[], options: Options): Promise<number> {
  const { config, running, paths } = existingCluster(clusterName(options));
  const facts = {
    name: config.name,
    running,
    runtime: config.runtime,
    machines: config.machines,
    server: `https://127.0.0.1:${config.port}`,
    kubeconfig: paths.kubeconfig,
    state: paths.state,
  };
  await print(facts, options['output'], () =>
    Object.entries(facts)
      .map(([key, value]) => `${`${key}:`.padEnd(12)} ${value}\n`)
      .join(''),
  );
  return running ? 0 : 1;
}
