/**
 * Encryption at rest: which resources' values are encrypted in the store, and how. Step of the pod's way: "stored".
 * Upstream counterpart: apiserver/pkg/server/options/encryptionconfig, apiserver/pkg/storage/value. Invariants: what is on disk of such a
 * resource is what upstream would write, and bound to its key; without a configuration the store is the store itself.
 * Read first: transformer.ts, encrypted-store.ts.
 */
import type { Clock } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { goDuration } from '../http/request-timeout.ts';
import { builtInResources } from '../registry/served.ts';
import { aesCbc, aesGcm, secretbox } from './aes.ts';
import { encryptionErrors } from './configuration.ts';
import type { EncryptionConfiguration, Provider } from './configuration.ts';
import type { TransformerFor } from './encrypted-store.ts';
import { KmsProvider } from './kms.ts';
import { Chain, identity } from './transformer.ts';
import type { Transformer } from './transformer.ts';

export { EncryptedStore } from './encrypted-store.ts';
export type { TransformerFor } from './encrypted-store.ts';
export type { EncryptionConfiguration } from './configuration.ts';

export interface Encryption {
  transformerFor: TransformerFor;
  /** Of the providers that are other programs: why one cannot be used. */
  checks: readonly { name: string; check(): string | undefined }[];
  close(): void;
}

/** Throws an Error that says all that is wrong. */
export async function encryptionOf(
  configuration: EncryptionConfiguration,
  { clock, log }: { clock: Clock; log: Log },
): Promise<Encryption> {
  const errors = encryptionErrors(configuration);
  if (errors.length > 0) throw new Error(errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`);
  const external: KmsProvider[] = [];
  const make = async (provider: Provider): Promise<Transformer> => {
    if (provider.aesgcm) return aesGcm(provider.aesgcm.keys ?? []);
    if (provider.aescbc) return aesCbc(provider.aescbc.keys ?? []);
    if (provider.secretbox) {
      const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js');
      return secretbox(provider.secretbox.keys ?? [], xsalsa20poly1305);
    }
    if (!provider.kms) return identity;
    const { name = '', endpoint = '', timeout = '3s' } = provider.kms;
    const kms = new KmsProvider({ name, endpoint, timeout: goDuration(timeout) ?? 3000, clock, log });
    external.push(kms);
    await kms.start();
    return kms;
  };
  const rules: { matches(group: string, resource: string): boolean; transformer: Transformer }[] = [];
  for (const { resources = [], providers = [] } of configuration.resources ?? []) {
    const transformer = new Chain(await Promise.all(providers.map(make)));
    for (const name of resources) rules.push({ matches: matcher(name), transformer });
  }
  const groups = builtInGroups();
  const known = new Map<string, Transformer | undefined>();
  const transformerFor: TransformerFor = (key) => {
    const place = placeOf(key, groups);
    if (!place) return undefined;
    const [folder, group, resource] = place;
    if (!known.has(folder)) known.set(folder, rules.find((rule) => rule.matches(group, resource))?.transformer);
    return known.get(folder);
  };
  return {
    transformerFor,
    checks: external.map((kms, index) => ({ name: `kms-provider-${index}`, check: () => kms.error })),
    close: () => external.forEach((kms) => kms.close()),
  };
}

/** "secrets", "deployments.apps", "*." (the core group), "*.apps", "*.*". */
function matcher(name: string): (group: string, resource: string) => boolean {
  if (name === '*.*') return () => true;
  const dot = name.indexOf('.');
  const [wanted, wantedGroup] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
  return (group, resource) => group === wantedGroup && (wanted === '*' || wanted === resource);
}

/** Folder in the store → group and resource, of built-in ones. */
const builtInGroups = (): Map<string, readonly [group: string, resource: string]> => {
  const folders = new Map<string, readonly [string, string]>();
  // Events of both groups lie together; they are the core group's.
  for (const { storagePrefix, kind } of builtInResources())
    if (!folders.has(storagePrefix) || kind.group === '') folders.set(storagePrefix, [kind.group, kind.resource]);
  return folders;
};

/** Custom resources lie under their group and their name. */
function placeOf(
  key: string,
  groups: ReadonlyMap<string, readonly [string, string]>,
): readonly [folder: string, group: string, resource: string] | undefined {
  if (!key.startsWith('/registry/')) return undefined;
  const first = key.indexOf('/', 10) + 1;
  if (first === 0) return undefined;
  const second = key.indexOf('/', first) + 1;
  // /registry/services/specs/ is found by its two parts, /registry/pods/ by its one.
  for (const end of second > 0 ? [second, first] : [first]) {
    const folder = key.slice(0, end);
    const found = groups.get(folder);
    if (found) return [folder, ...found];
  }
  const group = key.slice(10, first - 1);
  return second > 0 && group.includes('.') ? [key.slice(0, second), group, key.slice(first, second - 1)] : undefined;
}
