/**
 * The generated tables: types, kinds, resources as discovery lists them, fields with their protobuf numbers and merge keys, CRI's messages.
 * Written by `npm run generate`, never by hand (this file excepted: it is their door). Big tables are read when first asked for.
 */
import resourcesTable from './resources.json' with { type: 'json' };

export interface SubresourceFact {
  name: string;
  verbs: string[];
  kind: string;
  group?: string;
  version?: string;
}

export interface ResourceFact {
  group: string;
  version: string;
  resource: string;
  kind: string;
  singular: string;
  namespaced: boolean;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  subresources: SubresourceFact[];
  /** The name of its type in the schema. */
  type: string;
}

export const groups: readonly { name: string; versions: string[] }[] = resourcesTable.groups;
export const resources: readonly ResourceFact[] = resourcesTable.resources;

const byResource = new Map(resources.map((fact) => [`${fact.group}/${fact.version}/${fact.resource}`, fact]));
const byKind = new Map(resources.map((fact) => [`${fact.group}/${fact.version}/${fact.kind}`, fact]));

export const resourceFact = (group: string, version: string, resource: string): ResourceFact | undefined =>
  byResource.get(`${group}/${version}/${resource}`);
export const kindFact = (group: string, version: string, kind: string): ResourceFact | undefined => byKind.get(`${group}/${version}/${kind}`);

export { schema } from './schema.ts';
export type { FieldFact, TypeFact } from './schema.ts';
