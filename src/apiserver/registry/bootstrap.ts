/** Objects that are always there. upstream: pkg/controlplane/controller/{systemnamespaces,kubernetesservice}. */
import { Namespace } from '#api';
import type { Client } from '#client';
import { isAlreadyExists } from '#machinery/status';
import type { ApiServerOptions } from '../options.ts';
import { reconcileKubernetesService } from './kubernetes-service.ts';

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export async function bootstrap(options: ApiServerOptions, client: Client, signal: AbortSignal): Promise<void> {
  await Promise.all(systemNamespaces.map((name) => ensureNamespace(client, name)));
  signal.throwIfAborted();
  if (options.advertise) await reconcileKubernetesService(client, options.advertise, options.serviceCidrs ?? ['10.96.0.0/12']);
}

async function ensureNamespace(client: Client, name: string): Promise<void> {
  try {
    await client.create(Namespace, { metadata: { name } });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
