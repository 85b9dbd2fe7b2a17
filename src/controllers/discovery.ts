import type { CustomResourceDefinition, Kind } from '#api';
import { APIService, CustomResourceDefinition as CustomResourceDefinitionKind } from '#api';
import { resources } from '#api/facts';
import type { Client, Informer } from '#client';
import { isTrue } from './conditions.ts';
import type { ControllerContext } from './contract.ts';

export interface Discovered {
  kind: Kind;
  verbs: readonly string[];
}

export interface Discovery {
  resources: Discovered[];
  /** Group versions that could not be asked for. */
  failures: { groupVersion: string; error: unknown }[];
}

const builtIn: readonly Discovered[] = (() => {
  const seen = new Set<string>();
  const found: Discovered[] = [];
  // The tables list a group's preferred version first.
  for (const { group, version, kind, resource, namespaced, verbs } of resources) {
    const key = `${group}/${resource}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const apiVersion = group ? `${group}/${version}` : version;
    found.push({ kind: Object.freeze({ group, version, kind, resource, namespaced, apiVersion }), verbs });
  }
  return found;
})();

const customVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** "v1" before "v2beta1" before "v1alpha3"; newer before older. upstream: apimachinery/pkg/version CompareKubeAwareVersionStrings. */
export function compareVersions(a: string, b: string): number {
  const rank = (version: string): number[] => {
    const parts = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (!parts) return [0, 0, 0];
    return [parts[2] === 'alpha' ? 1 : parts[2] === 'beta' ? 2 : 3, Number(parts[1]), Number(parts[3] ?? 0)];
  };
  const [one, other] = [rank(a), rank(b)];
  for (const index of [0, 1, 2]) if (one[index] !== other[index]) return other[index]! - one[index]!;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The kind that an established CRD serves, in its preferred version. */
export function customKind(definition: CustomResourceDefinition): Kind | undefined {
  if (!isTrue(definition.status?.conditions, 'Established')) return undefined;
  const { group, names, scope, versions } = definition.spec;
  const [version] = versions
    .filter((each) => each.served)
    .map((each) => each.name)
    .toSorted(compareVersions);
  if (!version) return undefined;
  return {
    group,
    version,
    kind: names.kind,
    resource: names.plural,
    namespaced: scope === 'Namespaced',
    apiVersion: `${group}/${version}`,
  };
}

interface ResourceList {
  resources?: { name: string; kind: string; namespaced: boolean; verbs: string[] }[];
}

/** The resources of a group version that another server answers for. */
async function aggregated(client: Client, group: string, version: string): Promise<Discovered[]> {
  const list = (await client.transport.raw!(`/apis/${group}/${version}`)) as ResourceList;
  return (list.resources ?? [])
    .filter(({ name }) => !name.includes('/'))
    .map(({ name, kind, namespaced, verbs }) => ({
      kind: { group, version, kind, resource: name, namespaced, apiVersion: `${group}/${version}` },
      verbs,
    }));
}

/** Everything that is served, each resource once: the built-in kinds from the tables, custom ones from their definitions, the rest by asking. */
export async function discover(context: ControllerContext): Promise<Discovery> {
  const definitions: Informer<CustomResourceDefinition> = context.lister(CustomResourceDefinitionKind);
  const services = context.lister(APIService);
  await Promise.all([definitions.synced, services.synced]);
  const found = [...builtIn];
  const failures: Discovery['failures'] = [];
  for (const definition of definitions.list()) {
    const kind = customKind(definition);
    if (kind) found.push({ kind, verbs: customVerbs });
  }
  const seen = new Set<string>();
  for (const service of services.list()) {
    const { group = '', version = '', service: backend } = service.spec ?? {};
    if (!backend || seen.has(group) || !context.client.transport.raw) continue;
    seen.add(group);
    try {
      found.push(...(await aggregated(context.client, group, version)));
    } catch (error) {
      failures.push({ groupVersion: `${group}/${version}`, error });
    }
  }
  return { resources: found, failures };
}
