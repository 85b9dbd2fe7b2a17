/** Encryption at rest, from --encryption-provider-config. upstream: apiserver/pkg/server/options/etcd.go, encryptionconfig/controller. */
import { EncryptedStore, encryptionOf } from '#apiserver';
import type { ApiServerOptions, Encryption, EncryptionConfiguration } from '#apiserver';
import type { Context, Disposables } from '#machinery/lifecycle';
import type { Store } from '#store';
import type { FlagValues } from '../flags/table.ts';
import { readDocument } from './configuration-file.ts';
import type { kubeApiserverFlags } from './kube-apiserver-flags.ts';
import { watchFiles } from './watch-file.ts';

type Values = FlagValues<typeof kubeApiserverFlags>;
const flag = 'encryption-provider-config';

/** The store with what is encrypted in it, and its health checks. Without a configuration the store itself. */
export async function encryptedStore(
  store: Store,
  values: Values,
  context: Context,
  held: Disposables,
): Promise<{ store: Store; extensions: NonNullable<ApiServerOptions['extensions']> }> {
  const path = values[flag];
  const reloads = values['encryption-provider-config-automatic-reload'];
  if (path === '') {
    if (reloads) throw new Error('--encryption-provider-config-automatic-reload must be set with --encryption-provider-config');
    return { store, extensions: [] };
  }
  const { clock, log } = context;
  const load = async (): Promise<Encryption> => {
    try {
      return await encryptionOf(readDocument(flag, path) as EncryptionConfiguration, { clock, log });
    } catch (error) {
      throw new Error(`Cannot use ${path}: ${(error as Error).message}`, { cause: error });
    }
  };
  let encryption = await load();
  held.add(() => encryption.close());
  const encrypted = new EncryptedStore(store, encryption.transformerFor);
  if (reloads) {
    const watching = watchFiles([path], context, () => {
      load().then(
        (next) => {
          encryption.close();
          encryption = next;
          encrypted.use(next.transformerFor);
        },
        (error: unknown) => log.error('Changed encryption configuration cannot be used, the one before stays in force', { error }),
      );
    });
    held.add(() => watching[Symbol.dispose]());
  }
  return {
    store: encrypted,
    extensions: [
      ({ health }) => {
        // What may change has one check for all, as upstream's.
        if (reloads)
          health.add({
            name: 'kms-providers',
            check: () => encryption.checks.map(({ check }) => check()).find((why) => why !== undefined),
          });
        else for (const check of encryption.checks) health.add(check);
      },
    ],
  };
}
