/** The part of an OpenAPI v3 schema that CEL reads. Structural: `type` is given wherever there is a value of a known kind. */
export interface CelSchema {
  type?: string | undefined;
  format?: string | undefined;
  nullable?: boolean | undefined;
  properties?: Readonly<Record<string, CelSchema>> | undefined;
  additionalProperties?: CelSchema | boolean | undefined;
  items?: CelSchema | undefined;
  required?: readonly string[] | undefined;
  enum?: readonly unknown[] | undefined;
  default?: unknown;
  maxLength?: number | undefined;
  maxItems?: number | undefined;
  maxProperties?: number | undefined;
  'x-kubernetes-int-or-string'?: boolean | undefined;
  'x-kubernetes-embedded-resource'?: boolean | undefined;
  'x-kubernetes-preserve-unknown-fields'?: boolean | undefined;
  'x-kubernetes-list-type'?: string | undefined;
  'x-kubernetes-list-map-keys'?: readonly string[] | undefined;
}

const text: CelSchema = { type: 'string' };

/** The schema with what every object has: only as much of its metadata as rules may rely on. */
export function withObjectMeta(schema: CelSchema): CelSchema {
  return {
    ...schema,
    type: 'object',
    properties: {
      ...schema.properties,
      kind: text,
      apiVersion: text,
      metadata: { type: 'object', properties: { name: text, generateName: text } },
    },
  };
}
