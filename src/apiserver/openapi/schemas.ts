/** JSON schemas of the built-in types, from the schema table. upstream: kube-openapi/pkg/builder, builder3. */
import { schema } from '#api/facts';
import type { FieldFact, TypeFact } from '#api/facts';
import { descriptions } from './descriptions.ts';
import type { TypeDescription } from './type-comments.ts';

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
  if (type.startsWith('[]')) return { type: 'array', items: valueSchema(type.slice(2), dialect) };
  const scalar = scalars[type];
  if (scalar) return { ...scalar };
  return { $ref: refOf(type, dialect) };
}

function fieldSchema(fact: FieldFact, dialect: Dialect): JsonSchema {
  const value = valueSchema(fact.type, dialect);
  let made: JsonSchema;
  if (fact.repeated) made = { type: 'array', items: value };
  else if (fact.map) made = { type: 'object', additionalProperties: value };
  // A reference has no room for neighbours in version 3.
  else made = '$ref' in value && dialect === 'v3' ? { allOf: [value] } : value;
  if (fact.format && !fact.repeated && !fact.map && !('$ref' in made)) made['format'] = fact.format;
  if (fact.default !== undefined && !('$ref' in made)) made['default'] = fact.default;
  if (fact.enum) made['enum'] = fact.enum;
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
  for (const [field, fieldFact] of Object.entries(fact.fields)) {
    properties[field] = fieldSchema(fieldFact, dialect);
    const description = about?.fields.get(field) ?? told?.[field];
    if (description) properties[field]['description'] = description;
    if (fieldFact.required) required.push(field);
  }
  return {
    type: 'object',
    ...described,
    properties,
    ...(required.length > 0 && { required }),
    ...(fact.gvks && { 'x-kubernetes-group-version-kind': fact.gvks }),
    ...(fact.mapType && { 'x-kubernetes-map-type': fact.mapType }),
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
