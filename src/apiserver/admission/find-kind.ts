import { CustomResourceDefinition } from '#api';
import type { Kind } from '#api';
import { kindFact } from '#api/facts';
import type { ServerDependencies } from '../contract.ts';
import { kindOf } from '../registry/served.ts';

/** The kind that an object names by its apiVersion and kind: built in, or of a custom resource. */
export async function findKind(
  { client }: Pick<ServerDependencies, 'client'>,
  { apiVersion = '', kind = '' }: { apiVersion?: string; kind?: string },
): Promise<Kind | undefined> {
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const fact = kindFact(group, version, kind);
  if (fact) return kindOf(fact);
  const { items } = await client.list(CustomResourceDefinition);
  const found = items.find(
    ({ spec }) => spec.group === group && spec.names.kind === kind && spec.versions.some(({ name, served }) => name === version && served),
  );
  return found && { group, version, kind, resource: found.spec.names.plural, namespaced: found.spec.scope === 'Namespaced', apiVersion };
}
