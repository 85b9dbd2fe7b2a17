/** JSON schemas of the built-in types, from the schema table. upstream: kube-openapi/pkg/builder, builder3. */
import { schema } from '#api/facts';
import type { FieldFact, TypeFact } from '#api/facts';
import { descriptions } from './descriptions.ts';
import type { TypeDescription } from './type-comments.ts';
import { published } from '../../api/facts/published.ts';
import type { PublishedType } from '../../api/facts/published.ts';

export type JsonSchema = Record<string, unknown>;
export type Dialect = 'v2' | 'v3';

const scalars: Record<string, JsonSchema> = {
  string: { type: 'string' },
  bytes: { type: 'string', format: 'byte' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  any: {},
};

/** Types whose JSON is one of several, where version 3 can say so. */
const alternatives: Record<string, JsonSchema> = {
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { oneOf: [{ type: 'string' }, { type: 'number' }] },
};

export const refOf = (type: string, dialect: Dialect): string =>
  dialect === 'v2' ? `#/definitions/${type}` : `#/components/schemas/${type}`;

function valueSchema(type: string, dialect: Dialect): JsonSchema {
  if (type.startsWith('[]')) return { type: 'array', items: innerSchema(type.slice(2), dialect, innerZero(type)) };
  const scalar = scalars[type];
  if (scalar) return { ...scalar };
  return { $ref: refOf(type, dialect) };
}

/** What lists of lists hold: Go's zero is its default. */
const innerZero = (type: string): unknown => (type === '[]string' ? '' : undefined);

/** A reference has no room for neighbours in version 3. */
function innerSchema(type: string, dialect: Dialect, standard: unknown, values?: string[]): JsonSchema {
  const value = valueSchema(type, dialect);
  const neighbours = { ...(standard !== undefined && dialect === 'v3' && { default: standard }), ...(values && { enum: values }) };
  if (Object.keys(neighbours).length === 0) return value;
  return '$ref' in value && dialect === 'v3' ? { allOf: [value], ...neighbours } : { ...value, ...neighbours };
}

function fieldSchema(name: string, fact: FieldFact, dialect: Dialect, told: PublishedType): JsonSchema {
  const inner = (): JsonSchema => innerSchema(fact.type, dialect, told.innerDefaults?.[name], told.enums?.[name]);
  let made: JsonSchema;
  if (fact.repeated) made = { type: 'array', items: inner() };
  else if (fact.map) made = { type: 'object', additionalProperties: inner() };
  else {
    const value = valueSchema(fact.type, dialect);
    made = '$ref' in value && dialect === 'v3' && !told.bare?.includes(name) ? { allOf: [value] } : value;
    const values = told.enums?.[name];
    if (values) made['enum'] = values;
  }
  if (fact.format && !fact.repeated && !fact.map && !('$ref' in made)) made['format'] = fact.format;
  const standard = told.defaults?.[name];
  if (standard !== undefined && dialect === 'v3') made['default'] = standard;
  if (fact.listType) made['x-kubernetes-list-type'] = fact.listType;
  if (fact.listMapKeys) made['x-kubernetes-list-map-keys'] = fact.listMapKeys;
  if (fact.mapType) made['x-kubernetes-map-type'] = fact.mapType;
  if (fact.patchStrategy) made['x-kubernetes-patch-strategy'] = fact.patchStrategy;
  if (fact.patchMergeKey) made['x-kubernetes-patch-merge-key'] = fact.patchMergeKey;
  return made;
}

/** `about`: upstream's words, where they are at hand; ours otherwise. */
export function typeSchema(name: string, dialect: Dialect, about?: TypeDescription): JsonSchema {
  const fact: TypeFact = schema[name]!;
  const text = about?.text || descriptions[name]?.[''];
  const described = text ? { description: text } : {};
  if (dialect === 'v3' && alternatives[name]) return { ...alternatives[name], ...described };
  if (!fact.fields) {
    if (fact.scalar === 'any' || fact.scalar === undefined) return described;
    return { ...described, type: fact.scalar, ...(fact.format && { format: fact.format }) };
  }
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  const told = descriptions[name];
  const beyond = published[name] ?? {};
  for (const [field, fieldFact] of Object.entries(fact.fields)) {
    properties[field] = fieldSchema(field, fieldFact, dialect, beyond);
    const description = about?.fields.get(field) ?? told?.[field];
    if (description && !beyond.bare?.includes(field)) properties[field]['description'] = description;
    if (fieldFact.required) required.push(field);
  }
  return {
    type: 'object',
    ...described,
    properties,
    ...(required.length > 0 && { required }),
    ...(fact.gvks && { 'x-kubernetes-group-version-kind': fact.gvks }),
    ...(fact.mapType && { 'x-kubernetes-map-type': fact.mapType }),
    ...(beyond.unions && { 'x-kubernetes-unions': beyond.unions }),
  };
}

/** `names` and every type that they are made of. */
export function closure(names: Iterable<string>): string[] {
  const found = new Set<string>();
  const visit = (name: string): void => {
    const type = name.replace(/^(\[\])+/, '');
    if (found.has(type) || !schema[type]) return;
    found.add(type);
    for (const fact of Object.values(schema[type].fields ?? {})) visit(fact.type);
  };
  for (const name of names) visit(name);
  return [...found].sort();
}
