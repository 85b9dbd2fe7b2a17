import type { Client } from '#client';
import { isConflict } from '#machinery/status';
import { equal } from '#machinery/meta';
import { ConfigMap } from '#api';
import type { ApiServerOptions } from '../options.ts';
import { ensureBootstrap } from './ensure.ts';
import { authenticationConfigEntry, bootstrapObjects, ensureKubernetesService, kubernetesServiceEntries, seedStore } from './index.ts';

/**
 * Fills a new store with a cluster's first objects. The answer is called when the server can be asked, and compares and completes what
 * an older start left.
 */
export async function prepareStore(options: ApiServerOptions): Promise<(client: Client) => Promise<void>> {
  const { store, clock, random } = options;
  if (options.bootstrap === false) return () => Promise.resolve();
  const { kubernetesService, ...authentication } = options.bootstrap ?? {};
  const entries = bootstrapObjects();
  const config = authentication.clientCa || authentication.frontProxy ? authenticationConfigEntry(authentication) : undefined;
  const first = [...entries, ...(config ? [config] : []), ...(kubernetesService ? kubernetesServiceEntries(kubernetesService, clock) : [])];
  const seeded = await seedStore(store, first, clock, random);
  return async (client) => {
    if (!seeded) {
      await ensureBootstrap(client, config ? [...entries, config] : entries);
      if (config) await renew(client, config.object as ConfigMap);
    }
    // Another server's endpoints are this server's now.
    if (kubernetesService && !seeded) await ensureKubernetesService(client, kubernetesService, clock);
  };
}

/** Authorities may have been made anew. */
async function renew(client: Client, wanted: ConfigMap): Promise<void> {
  const { namespace, name = '' } = wanted.metadata ?? {};
  for (;;) {
    const present = await client.get(ConfigMap, { ...(namespace && { namespace }), name });
    if (equal(present.data, wanted.data)) return;
    try {
      await client.update(ConfigMap, { ...present, ...(wanted.data && { data: wanted.data }) });
      return;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}
