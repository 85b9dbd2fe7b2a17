/** The OpenAPI documents: version 3 a group version at a time, version 2 all in one. */
import { schema } from '#api/facts';
import type { ResourceFact, SubresourceFact } from '#api/facts';
import type { DiscoveryGroup } from '../discovery/documents.ts';
import { release } from '../discovery/version.ts';
import type { ResourceTable } from '../registry/table.ts';
import { common } from './descriptions.ts';
import { PathBuilder } from './paths.ts';
import type { ResourceModel } from './paths.ts';
import { closure, refOf, typeSchema } from './schemas.ts';
import { descriptionsOf } from './type-comments.ts';
import type { Dialect, JsonSchema } from './schemas.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const always = ['DeleteOptions', 'Status', 'Patch', 'ListMeta', 'ObjectMeta', 'WatchEvent'].map((name) => meta + name);

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
  const collected: Collected = { types: new Set(always), custom: {}, models: [] };
  for (const fact of facts) {
    const served = table.find(fact.group, fact.version, fact.resource)?.served;
    const own = served?.openApiSchema;
    let type = fact.type;
    let listType = builtInType(fact.group, fact.version, `${fact.kind}List`) ?? fact.type;
    if (own) {
      type = customTypeName(fact.group, fact.version, fact.kind);
      listType = customTypeName(fact.group, fact.version, `${fact.kind}List`);
      const gvk = { group: fact.group, version: fact.version, kind: fact.kind };
      collected.custom[type] = { ...own(dialect), 'x-kubernetes-group-version-kind': [gvk] };
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
      };
    } else {
      collected.types.add(type);
      collected.types.add(listType);
    }
    const subresourceType = (sub: SubresourceFact): string | undefined => {
      if (sub.kind === fact.kind) return sub.name === 'log' ? undefined : type;
      return builtInType(sub.group ?? fact.group, sub.version ?? fact.version, sub.kind);
    };
    for (const sub of fact.subresources) {
      const needed = subresourceType(sub);
      if (needed && needed !== type) collected.types.add(needed);
    }
    collected.models.push({ fact, type, listType, subresourceType, strategicMerge: !own });
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

/** Version 3, for one group version. */
export async function groupVersionDocument(facts: readonly ResourceFact[], table: ResourceTable): Promise<JsonSchema> {
  const collected = collect(facts, table, 'v3');
  const builder = new PathBuilder('v3');
  for (const model of collected.models) builder.add(model);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: `${release.major}.${release.minor}` },
    paths: builder.paths,
    components: {
      schemas: await schemasOf(collected, 'v3'),
      securitySchemes: { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header', description: 'Bearer token' } },
    },
  };
}

/** Version 2: everything this server itself serves. */
export async function wholeDocument(groups: readonly DiscoveryGroup[], table: ResourceTable): Promise<JsonSchema> {
  const facts = groups
    .flatMap(({ versions }) => versions.flatMap(({ resources }) => resources))
    .filter((fact) => fact.type !== '' || table.find(fact.group, fact.version, fact.resource));
  const collected = collect(facts, table, 'v2');
  const builder = new PathBuilder('v2');
  for (const model of collected.models) builder.add(model);
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: `${release.major}.${release.minor}` },
    paths: builder.paths,
    definitions: await schemasOf(collected, 'v2'),
    securityDefinitions: { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header', description: 'Bearer token' } },
    security: [{ BearerToken: [] }],
  };
}
