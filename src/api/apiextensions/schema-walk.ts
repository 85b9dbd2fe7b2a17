/** Ways through a JSON schema as a CustomResourceDefinition has it. upstream: SchemaHas in pkg/apis/apiextensions/validation. */
import type { JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool } from '../facts/types.ts';

/** Fields that JSON can leave null. */
export type Schema = JSONSchemaProps;

/** The one schema of all items; undefined where there is none or a list of them. */
export const itemsOf = ({ items }: { items?: JSONSchemaPropsOrArray }): Schema | undefined =>
  items && !Array.isArray(items) ? items : undefined;

export const schemaOf = (value: JSONSchemaPropsOrBool | undefined): Schema | undefined =>
  typeof value === 'object' && value !== null ? value : undefined;

function* childrenOf(schema: Schema): Generator<Schema> {
  if (Array.isArray(schema.items)) yield* schema.items;
  else if (schema.items) yield schema.items;
  for (const list of [schema.allOf, schema.anyOf, schema.oneOf]) if (list) yield* list;
  if (schema.not) yield schema.not;
  for (const map of [schema.properties, schema.patternProperties, schema.definitions]) if (map) yield* Object.values(map);
  for (const more of [schema.additionalProperties, schema.additionalItems]) {
    const inner = schemaOf(more);
    if (inner) yield inner;
  }
  for (const dependency of Object.values(schema.dependencies ?? {})) if (!Array.isArray(dependency)) yield dependency;
}

/** Whether the schema or one inside it is such. */
export function schemaHas(schema: Schema | undefined, isSuch: (schema: Schema) => boolean): boolean {
  if (!schema) return false;
  if (isSuch(schema)) return true;
  for (const child of childrenOf(schema)) if (schemaHas(child, isSuch)) return true;
  return false;
}

/** Why the schema has no structural form at all; undefined where it has one. upstream: NewStructural. */
export function unsupportedField(schema: Schema | undefined): string | undefined {
  if (!schema) return undefined;
  if (schema.id) return "OpenAPIV3Schema 'id' is not supported";
  if (schema.$schema) return "OpenAPIV3Schema 'schema' is not supported";
  if (schema.$ref) return "OpenAPIV3Schema '$ref' is not supported";
  for (const field of ['patternProperties', 'dependencies'] as const)
    if (Object.keys(schema[field] ?? {}).length) return `OpenAPIV3Schema '${field}' is not supported`;
  if (schema.additionalItems != null) return "OpenAPIV3Schema 'additionalItems' is not supported";
  if (Object.keys(schema.definitions ?? {}).length) return "OpenAPIV3Schema 'definitions' is not supported";
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
  if (Array.isArray(schema.items)) return "OpenAPIV3Schema 'items' must be a schema, but is an array";
  for (const child of childrenOf(schema)) {
    const problem = unsupportedField(child);
    if (problem) return problem;
  }
  return undefined;
}
