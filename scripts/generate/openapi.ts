/**
 * What the published documents say beyond the types: defaults (version 3 alone has them), the values of enumerations, unions. Behaviour does
 * not come from these, so they are a table of their own, loaded when a document is made.
 */

export interface PublishedType {
  defaults?: Record<string, unknown>;
  /** Of the items of lists and the values of maps. */
  innerDefaults?: Record<string, unknown>;
  enums?: Record<string, string[]>;
  /** References that nothing is said about. */
  bare?: string[];
  unions?: unknown[];
}

interface Property {
  description?: string;
  default?: unknown;
  items?: Property;
  additionalProperties?: Property;
  $ref?: string;
}

interface Definition {
  properties?: Record<string, Property>;
  'x-kubernetes-unions'?: unknown[];
}

/**
 * `documents`: the texts of api/openapi-spec/v3; `generated`: pkg/generated/openapi/zz_generated.openapi.go, which alone tells the values
 * of enumerations.
 */
export function publishedTypes(names: readonly string[], documents: Iterable<string>, generated: string): Record<string, PublishedType> {
  const definitions = new Map<string, Definition>();
  for (const text of documents) {
    const { components } = JSON.parse(text) as { components?: { schemas?: Record<string, Definition> } };
    for (const [name, definition] of Object.entries(components?.schemas ?? {})) definitions.set(name, definition);
  }
  const enums = enumerations(generated);
  const table: Record<string, PublishedType> = {};
  for (const name of names) {
    const definition = definitions.get(name);
    if (!definition) continue;
    const type: PublishedType = {};
    for (const [field, property] of Object.entries(definition.properties ?? {})) {
      const inner = property.items ?? property.additionalProperties;
      if (property.default !== undefined) (type.defaults ??= {})[field] = property.default;
      if (inner?.default !== undefined) (type.innerDefaults ??= {})[field] = inner.default;
      const values = enums.get(name.split('.').slice(-3).join('_'))?.get(field);
      if (values) (type.enums ??= {})[field] = values;
      if (property.$ref) (type.bare ??= []).push(field);
    }
    if (definition['x-kubernetes-unions']) type.unions = definition['x-kubernetes-unions'];
    if (Object.keys(type).length > 0) table[name] = type;
  }
  return table;
}

/** By "core_v1_ContainerPort" and field. */
function enumerations(generated: string): Map<string, Map<string, string[]>> {
  const found = new Map<string, Map<string, string[]>>();
  for (const [, name, body] of generated.matchAll(/^func schema_(\w+)\(ref [\s\S]*?\{\n([\s\S]*?)^\}/gm)) {
    const fields = new Map<string, string[]>();
    let field = '';
    for (const line of body!.split('\n')) {
      const property = /^\t{5}"([^"]+)": \{$/.exec(line);
      if (property) field = property[1]!;
      const values = /^\t+Enum: +\[\]interface\{\}\{(.*)\},$/.exec(line);
      if (values) fields.set(field, JSON.parse(`[${values[1]}]`) as string[]);
    }
    if (fields.size > 0) found.set(name!.split('_').slice(-3).join('_'), fields);
  }
  return found;
}
