/** What another server serves, as it tells: the aggregated document where it has one, else that of one group version. */
import type { ResourceFact, SubresourceFact } from '#api/facts';

interface ResourceEntry {
  name: string;
  singularName?: string;
  namespaced?: boolean;
  group?: string;
  version?: string;
  kind: string;
  verbs?: string[];
  shortNames?: string[];
  categories?: string[];
}

/** From an APIResourceList. */
export function factsOf(group: string, version: string, list: unknown): ResourceFact[] {
  const entries = ((list as { resources?: ResourceEntry[] } | null)?.resources ?? []).filter(({ name, kind }) => name && kind);
  return entries
    .filter(({ name }) => !name.includes('/'))
    .map((entry) => ({
      group,
      version,
      resource: entry.name,
      kind: entry.kind,
      singular: entry.singularName ?? '',
      namespaced: entry.namespaced ?? false,
      verbs: entry.verbs ?? [],
      ...(entry.shortNames?.length && { shortNames: entry.shortNames }),
      ...(entry.categories?.length && { categories: entry.categories }),
      subresources: entries
        .filter(({ name }) => name.startsWith(`${entry.name}/`))
        .map((sub): SubresourceFact => ({
          name: sub.name.slice(entry.name.length + 1),
          kind: sub.kind,
          verbs: sub.verbs ?? [],
          ...(sub.group !== undefined && { group: sub.group }),
          ...(sub.version !== undefined && { version: sub.version }),
        })),
      type: '',
    }));
}
