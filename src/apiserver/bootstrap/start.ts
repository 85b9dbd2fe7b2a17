import { ConfigMap } from '#api';
import type { Client } from '#client';
import { timestamp } from '#machinery/clock';
import type { Clock } from '#machinery/clock';
import { equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { isConflict, isStatus } from '#machinery/status';
import type { Store } from '#store';
import type { ApiServerOptions } from '../options.ts';
import { decodeStored } from '../registry/generic/encoding.ts';
import { storagePrefix } from '../registry/served.ts';
import { corrected, ensureBootstrap } from './ensure.ts';
import { entry } from './entry.ts';
import type { Entry } from './entry.ts';
import type { AuthenticationConfigOptions } from './kubernetes-service.ts';
import { authenticationConfigEntry, bootstrapObjects, ensureKubernetesService, kubernetesServiceEntries, seedStore } from './index.ts';
import { isLoopback, pointsAsWanted } from './kubernetes-service.ts';

/**
 * Fills a new store with a cluster's first objects. The answer is called when the server can be asked, and completes what an older start
 * left; where nothing is to be done, which is seen in the store itself, it asks nobody: a request would load all objects of its kind.
 */
export async function prepareStore(options: ApiServerOptions): Promise<(client: Client) => Promise<void>> {
  const { store, clock, random } = options;
  if (options.bootstrap === false) return () => Promise.resolve();
  const { kubernetesService, ...authentication } = options.bootstrap ?? {};
  const objects = [...bootstrapObjects(), tokenTrackingEntry(clock)];
  const config = authentication.clientCa || authentication.frontProxy ? authenticationConfigEntry(authentication) : undefined;
  const service = kubernetesService ? kubernetesServiceEntries(kubernetesService, clock) : [];
  if (kubernetesService && isLoopback(kubernetesService.advertiseAddress))
    options.log.error('The Service kubernetes has no endpoints: an address of the loopback reaches nobody else', {
      address: kubernetesService.advertiseAddress,
    });
  if (await seedStore(store, [...objects, ...(config ? [config] : []), ...service], clock, random)) return () => Promise.resolve();
  const missing = await without(store, objects, (entry, found) => corrected(entry, found) === undefined);
  const renewed = await without(store, config ? [config] : [], sameData);
  const moved = await without(store, service, pointsAsWanted);
  return async (client) => {
    if (missing.length > 0) await ensureBootstrap(client, missing);
    if (renewed.length > 0) await publishAuthentication(client, authentication);
    if (!kubernetesService || moved.length === 0) return;
    try {
      // Another server's endpoints are this server's now.
      await ensureKubernetesService(client, kubernetesService, clock);
    } catch (error) {
      // A server that pods cannot find serves everybody else. upstream: kubernetesservice.Controller.Start.
      if (!isStatus(error)) throw error;
      options.log.error('Cannot write the Service kubernetes', { address: kubernetesService.advertiseAddress, error });
    }
  };
}

/** The entries without those that the store has as they should be. */
async function without(store: Store, entries: Entry[], fine: (entry: Entry, found: KubeObject) => boolean): Promise<Entry[]> {
  const rest: Entry[] = [];
  for (const entry of entries) {
    const { namespace, name } = entry.object.metadata ?? {};
    const key = `${storagePrefix(entry.kind.group, entry.kind.resource)}${namespace ? `${namespace}/` : ''}${name}`;
    const record = (await store.range({ key })).keyValues[0];
    if (!record || !fine(entry, decodeStored(record.value))) rest.push(entry);
  }
  return rest;
}

const sameData = ({ object }: Entry, found: KubeObject): boolean => equal((found as ConfigMap).data, (object as ConfigMap).data);

/** Since when use of tokens kept in Secrets is noted: their cleaner trusts nothing before. upstream: pkg/controlplane/controller/legacytokentracking. */
const tokenTrackingEntry = (clock: Clock): Entry =>
  entry(ConfigMap, {
    metadata: { namespace: 'kube-system', name: 'kube-apiserver-legacy-service-account-token-tracking' },
    data: { since: timestamp(clock).slice(0, 10) },
  });

/** Tells extension API servers whom this server believes now: authorities may have been made anew. */
export async function publishAuthentication(client: Client, options: AuthenticationConfigOptions): Promise<void> {
  const wanted = authenticationConfigEntry(options);
  await ensureBootstrap(client, [wanted]);
  await renew(client, wanted.object as ConfigMap);
}

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
