/** The OpenAPI documents: version 3 a group version at a time, version 2 all in one. */
import { groups as builtInGroups, schema } from '#api/facts';
import type { ResourceFact, SubresourceFact } from '#api/facts';
import type { DiscoveryGroup } from '../discovery/documents.ts';
import { release } from '../discovery/version.ts';
import { traitsOf } from '../registry/served.ts';
import type { ResourceTable } from '../registry/table.ts';
import { common } from './descriptions.ts';
import { informationPath, versionInformation } from './information.ts';
import type { Information } from './information.ts';
import { PathBuilder } from './paths.ts';
import type { ResourceModel } from './paths.ts';
import { closure, refOf, typeSchema } from './schemas.ts';
import { descriptionsOf } from './type-comments.ts';
import type { Dialect, JsonSchema } from './schemas.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
/** upstream: apiextensions-apiserver/pkg/controller/openapi/builder. */
const customInfo = { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' };

/** Groups whose kinds client-go does not know: what custom resources are deleted with is not told to be of them. */
const notClients = new Set(['admission.k8s.io', 'apiextensions.k8s.io', 'apiregistration.k8s.io', 'imagepolicy.k8s.io']);

/** What verbs need that is of no kind's own. */
const ofVerbs: Record<string, readonly string[]> = {
  delete: ['DeleteOptions', 'Status'],
  deletecollection: ['DeleteOptions', 'Status'],
  patch: ['Patch'],
  watch: ['WatchEvent'],
};

/** "stable.example.com", "v1", "CronTab" → com.example.stable.v1.CronTab. */
export const customTypeName = (group: string, version: string, kind: string): string =>
  [...group.split('.').reverse(), version, kind].join('.');

const byGvk = new Map<string, string>();

function builtInType(group: string, version: string, kind: string): string | undefined {
  if (byGvk.size === 0)
    for (const [name, type] of Object.entries(schema)) {
      if (name.startsWith(meta)) continue;
      for (const gvk of type.gvks ?? []) byGvk.set(`${gvk.group}/${gvk.version}/${gvk.kind}`, name);
    }
  return byGvk.get(`${group}/${version}/${kind}`);
}

interface Collected {
  /** Built-in type names needed. */
  types: Set<string>;
  /** Schemas of custom resources. */
  custom: Record<string, JsonSchema>;
  models: ResourceModel[];
}

function collect(facts: readonly ResourceFact[], table: ResourceTable, dialect: Dialect): Collected {
  const collected: Collected = { types: new Set(), custom: {}, models: [] };
  for (const fact of facts) {
    const served = table.find(fact.group, fact.version, fact.resource)?.served;
    const own = served?.openApiSchema;
    let type = fact.type;
    let listType = builtInType(fact.group, fact.version, `${fact.kind}List`) ?? fact.type;
    if (own) {
      type = customTypeName(fact.group, fact.version, fact.kind);
      listType = customTypeName(fact.group, fact.version, `${fact.kind}List`);
      const gvk = { group: fact.group, version: fact.version, kind: fact.kind };
      const schemaOfOne = own(dialect);
      const selectable = schemaOfOne['x-kubernetes-selectable-fields'];
      collected.custom[type] = { ...schemaOfOne, 'x-kubernetes-group-version-kind': [gvk] };
      collected.custom[listType] = {
        type: 'object',
        required: ['items'],
        properties: {
          apiVersion: { type: 'string', description: common.apiVersion },
          items: { type: 'array', items: { $ref: refOf(type, dialect) } },
          kind: { type: 'string', description: common.kind },
          metadata: reference(`${meta}ListMeta`, dialect),
        },
        'x-kubernetes-group-version-kind': [{ ...gvk, kind: `${fact.kind}List` }],
        ...(selectable !== undefined && { 'x-kubernetes-selectable-fields': selectable }),
      };
    } else {
      collected.types.add(type);
      collected.types.add(listType);
    }
    const verbs = new Set([...fact.verbs, ...fact.subresources.flatMap((sub) => sub.verbs)].filter((verb) => !own || verb !== 'watch'));
    for (const verb of verbs) for (const name of ofVerbs[verb] ?? []) collected.types.add(meta + name);
    if (own) collected.types.add(`${meta}ListMeta`).add(`${meta}ObjectMeta`);
    const subresourceType = (sub: SubresourceFact): string | undefined => {
      if (sub.kind === fact.kind) return sub.name === 'log' ? undefined : type;
      return builtInType(sub.group ?? fact.group, sub.version ?? fact.version, sub.kind);
    };
    for (const sub of fact.subresources) {
      const needed = subresourceType(sub);
      if (needed && needed !== type) collected.types.add(needed);
    }
    // A removed namespace is told as a Status, whatever the storage beneath says.
    const answersDeleted = !own && traitsOf(fact.group, fact.resource).answersDeleted && fact.resource !== 'namespaces';
    collected.models.push({ fact, type, listType, subresourceType, custom: own !== undefined, answersDeleted });
  }
  return collected;
}

const reference = (type: string, dialect: Dialect): JsonSchema =>
  dialect === 'v3' ? { allOf: [{ $ref: refOf(type, dialect) }] } : { $ref: refOf(type, dialect) };

async function schemasOf({ types, custom }: Collected, dialect: Dialect): Promise<JsonSchema> {
  const names = closure(types);
  const descriptions = await descriptionsOf(names);
  const made: [string, JsonSchema][] = names.map((name) => [name, typeSchema(name, dialect, descriptions.get(name))]);
  return Object.fromEntries([...made, ...Object.entries(custom)].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const isBuiltIn = (group: string, version: string): boolean =>
  builtInGroups.some(({ name, versions }) => name === group && versions.includes(version));

/** What discovery answers with. */
const answered = (informations: readonly Information[]): string[] => informations.flatMap(({ operation }) => operation.answer ?? []);

const info = { title: 'Kubernetes', version: `${release.major}.${release.minor}` };
const security = { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header', description: 'Bearer token' } };
const byPath = (paths: Record<string, JsonSchema>): JsonSchema =>
  Object.fromEntries(Object.entries(paths).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** Version 3, for one group version. */
export async function groupVersionDocument(
  group: string,
  version: string,
  facts: readonly ResourceFact[],
  table: ResourceTable,
): Promise<JsonSchema> {
  const builtIn = isBuiltIn(group, version);
  const collected = collect(facts, table, 'v3');
  const builder = new PathBuilder('v3');
  for (const model of collected.models) builder.add(model);
  if (builtIn) {
    const about = versionInformation(group, version);
    builder.paths[about.path] = informationPath(about, 'v3');
    for (const type of answered([about])) collected.types.add(type);
  }
  const schemas = await schemasOf(collected, 'v3');
  const options = schemas[`${meta}DeleteOptions`] as { 'x-kubernetes-group-version-kind': { group: string }[] } | undefined;
  if (!builtIn && options)
    options['x-kubernetes-group-version-kind'] = options['x-kubernetes-group-version-kind'].filter((gvk) => !notClients.has(gvk.group));
  return {
    openapi: '3.0.0',
    info: builtIn ? info : customInfo,
    paths: byPath(builder.paths),
    components: { schemas, ...(builtIn && { securitySchemes: security }) },
  };
}

/** Version 3, for one path beside the resources. */
export async function informationDocument(about: Information): Promise<JsonSchema> {
  const collected: Collected = { types: new Set(answered([about])), custom: {}, models: [] };
  return {
    openapi: '3.0.0',
    info,
    paths: { [about.path]: informationPath(about, 'v3') },
    components: { ...(collected.types.size > 0 && { schemas: await schemasOf(collected, 'v3') }), securitySchemes: security },
  };
}

/** Version 2: everything this server itself serves. */
export async function wholeDocument(
  groups: readonly DiscoveryGroup[],
  table: ResourceTable,
  general: readonly Information[],
): Promise<JsonSchema> {
  const facts = groups
    .flatMap(({ versions }) => versions.flatMap(({ resources }) => resources))
    .filter((fact) => fact.type !== '' || table.find(fact.group, fact.version, fact.resource));
  const collected = collect(facts, table, 'v2');
  const builder = new PathBuilder('v2');
  for (const model of collected.models) builder.add(model);
  const versions = groups.flatMap(({ name, versions: served }) =>
    served.filter(({ version }) => isBuiltIn(name, version)).map(({ version }) => versionInformation(name, version)),
  );
  for (const about of [...general, ...versions]) builder.paths[about.path] = informationPath(about, 'v2');
  for (const type of answered([...general, ...versions])) collected.types.add(type);
  return {
    swagger: '2.0',
    info,
    paths: byPath(builder.paths),
    definitions: await schemasOf(collected, 'v2'),
    securityDefinitions: security,
    security: [{ BearerToken: [] }],
  };
}
