/** Serves the versions of one definition: their schemas, rules and storages. Loaded with the first definition there is. */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion, Kind } from '#api';
import type { ResourceFact } from '#api/facts';
import { structuralTypeSchema } from '#machinery/apply';
import type { StructuralSchema } from '#machinery/apply';
import type { KubeObject } from '#machinery/meta';
import type { ServedResource, WatchCache } from '../contract.ts';
import { compareVersions } from '../discovery/documents.ts';
import type { ServerParts } from '../options.ts';
import type { GenericStorage } from '../registry/generic/storage.ts';
import { isTrue } from './conditions.ts';
import { converterOf, renameVersion } from './conversion.ts';
import type { Convert } from './conversion.ts';
import { rulesOf, schemasOf } from './rules.ts';
import type { Schemas } from './rules.ts';
import { applyDefaults, conform, prune } from './structure.ts';
import { publishedSchema } from './open-api.ts';

/** In upstream's order. upstream: customresource_discovery_controller.go. */
const verbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];
/** What a definition that waits for its objects to go no longer lets do. */
const withoutCreate = verbs.filter((verb) => verb !== 'create');

/** A definition that is served. */
export interface Installed {
  readonly definition: CustomResourceDefinition;
  readonly storages: readonly GenericStorage[];
  readonly prefix: string;
  readonly cache: WatchCache;
  /** No more objects are made: the definition is being deleted. */
  terminate(): void;
  /** Takes it out of the table; its watches end. */
  remove(): void;
}

export const prefixOf = ({ spec }: CustomResourceDefinition): string => `/registry/${spec.group}/${spec.names.plural}/`;

const apiVersionOf = (definition: CustomResourceDefinition, version: string): string => `${definition.spec.group}/${version}`;

function kindOf(definition: CustomResourceDefinition, version: string): Kind {
  const { group, names, scope } = definition.spec;
  return {
    group,
    version,
    kind: names.kind,
    resource: names.plural,
    namespaced: scope === 'Namespaced',
    apiVersion: apiVersionOf(definition, version),
  };
}

function factOf(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion): ResourceFact {
  const { group, names, scope } = definition.spec;
  const accepted = definition.status?.acceptedNames ?? names;
  const { subresources } = version;
  return {
    group,
    version: version.name,
    resource: names.plural,
    kind: names.kind,
    singular: accepted.singular ?? '',
    namespaced: scope === 'Namespaced',
    verbs: isTrue(definition, 'Terminating') ? withoutCreate : verbs,
    ...(accepted.shortNames?.length && { shortNames: accepted.shortNames }),
    ...(accepted.categories?.length && { categories: accepted.categories }),
    subresources: [
      ...(subresources?.status ? [{ name: 'status', kind: names.kind, verbs: ['get', 'patch', 'update'] }] : []),
      ...(subresources?.scale
        ? [{ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: ['get', 'patch', 'update'] }]
        : []),
    ],
    type: '',
  };
}

/** Names the best version to use instead, where there is a better one. */
function deprecationOf({ spec }: CustomResourceDefinition, version: CustomResourceDefinitionVersion): string | undefined {
  if (!version.deprecated) return undefined;
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const [better] = spec.versions
    .filter(({ name, served, deprecated }) => served && !deprecated && compareVersions(version.name, name) < 0)
    .map(({ name }) => name)
    .sort((a, b) => compareVersions(b, a));
  const named = (name: string): string => `${spec.group}/${name} ${spec.names.kind}`;
  return `${named(version.name)} is deprecated${better ? `; use ${named(better)}` : ''}`;
}

async function servedOf(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  schemas: Schemas,
  storageKind: Kind,
): Promise<ServedResource> {
  const kind = kindOf(definition, version.name);
  const schema = schemas.get(kind.apiVersion)!;
  const { expressionRules } = await import('./expression-rules.ts');
  const rules = rulesOf(kind, version, schemas, await expressionRules(schema));
  const deprecation = deprecationOf(definition, version);
  return {
    fact: factOf(definition, version),
    kind,
    rules,
    ...(deprecation !== undefined && { deprecation }),
    storagePrefix: prefixOf(definition),
    storageKind,
    conform: (value) => conform(value, schema),
    typeSchema: structuralTypeSchema(schema as StructuralSchema, true),
    openApiSchema: (dialect) => publishedSchema(definition, version, dialect),
  };
}

/**
 * Makes what takes time; the answer serves the definition, in place of what is installed of an older state, in one step: no request
 * finds a gap.
 */
export async function prepare(
  { resources, table }: ServerParts,
  definition: CustomResourceDefinition,
  convertWith: (definition: CustomResourceDefinition) => Promise<Convert>,
): Promise<(present: Installed | undefined) => Installed> {
  const { versions, conversion } = definition.spec;
  const schemas = schemasOf(definition);
  const stored = versions.find(({ storage }) => storage)!;
  const storageKind = kindOf(definition, stored.name);
  const served = await Promise.all(
    versions.filter((version) => version.served).map((version) => servedOf(definition, version, schemas, storageKind)),
  );
  // Objects of one version alone need no conversion.
  const storedVersions = new Set([stored.name, ...(definition.status?.storedVersions ?? [])]);
  const convert = conversion?.strategy === 'Webhook' ? await convertWith(definition) : renameVersion;
  const reshape = (object: KubeObject): void => {
    const schema = schemas.get(object.apiVersion ?? '');
    if (!schema) return;
    prune(object as Record<string, unknown>, schema);
    applyDefaults(object, schema);
  };
  for (const resource of served)
    resource.equivalents = {
      kinds: served.filter((other) => other !== resource).map(({ kind }) => kind),
      convert: async (object, { apiVersion }) => (await converterOf(convert, apiVersion, apiVersion, reshape).toServed([object]))[0]!,
    };
  return (present) => {
    present?.remove();
    const storages = served.map((resource) => {
      const alone = storedVersions.size === 1 && resource.kind.version === stored.name;
      const converter = alone ? undefined : converterOf(convert, resource.kind.apiVersion, storageKind.apiVersion, reshape);
      return resources.add(resource, converter, { answersDeleted: false, garbageCollection: 'delete', uncached: false, deferred: false });
    });
    const prefix = prefixOf(definition);
    return {
      definition,
      storages,
      prefix,
      cache: storages[0]!.cache,
      terminate() {
        for (const storage of storages) {
          const entry = table.find(storage.served.kind.group, storage.served.kind.version, storage.served.kind.resource);
          if (!entry || entry.served.fact.verbs === withoutCreate) continue;
          table.add({ ...entry, served: { ...entry.served, fact: { ...entry.served.fact, verbs: withoutCreate } } });
        }
      },
      remove() {
        for (const { served: resource } of storages) table.remove(resource.kind.group, resource.kind.version, resource.kind.resource);
        // Its watches are told by the cache; nobody waits for that.
        void resources.drop(prefix);
      },
    };
  };
}
