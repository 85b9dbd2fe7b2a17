/** A custom resource's schema as it is published. upstream: apiextensions-apiserver/pkg/controller/openapi/{builder,v2}. */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '#api';
import { common } from '../openapi/descriptions.ts';
import { refOf } from '../openapi/schemas.ts';
import type { Dialect } from '../openapi/schemas.ts';
import { additionalOf, itemsOf } from './schema.ts';
import type { JsonObject, Schema } from './schema.ts';

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** What every object has. */
function metadataProperties(dialect: Dialect): JsonObject {
  const ref = { $ref: refOf(objectMeta, dialect) };
  return {
    apiVersion: { type: 'string', description: common.apiVersion },
    kind: { type: 'string', description: common.kind },
    metadata: { ...(dialect === 'v3' ? { allOf: [ref] } : ref), description: common.metadata },
  };
}

export function publishedSchema(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  dialect: Dialect,
): JsonObject {
  const schema = version.schema?.openAPIV3Schema;
  const selectable = version.selectableFields?.map(({ jsonPath }) => ({ fieldPath: jsonPath.replace(/^\./, '') }));
  const extra = selectable?.length ? { 'x-kubernetes-selectable-fields': selectable } : {};
  const keeps = definition.spec.preserveUnknownFields || schema?.['x-kubernetes-preserve-unknown-fields'];
  // kubectl would take properties for all that there may be.
  if (!schema || (dialect === 'v2' && keeps)) return { type: 'object', ...extra };
  const published = publish(schema, dialect);
  return { ...published, properties: { ...(published['properties'] as JsonObject), ...metadataProperties(dialect) }, ...extra };
}

function publish(schema: Schema, dialect: Dialect): JsonObject {
  const made: JsonObject = { ...schema };
  const keeps = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema['x-kubernetes-int-or-string'] && dialect === 'v3' && !schema.anyOf && !schema.allOf)
    made['anyOf'] = [{ type: 'integer' }, { type: 'string' }];
  if (dialect === 'v2') simplify(made, schema, keeps);
  if (made['properties'])
    made['properties'] = Object.fromEntries(Object.entries(schema.properties!).map(([name, each]) => [name, publish(each, dialect)]));
  const items = itemsOf(schema);
  if (made['items'] && items) made['items'] = publish(items, dialect);
  const additional = additionalOf(schema);
  if (additional) made['additionalProperties'] = publish(additional, dialect);
  if (schema['x-kubernetes-embedded-resource'] && !(keeps && dialect === 'v2')) {
    made['properties'] = { ...(made['properties'] as JsonObject | undefined), ...metadataProperties(dialect) };
    made['required'] = [...new Set([...(schema.required ?? []), 'kind', 'apiVersion'])];
  }
  return made;
}

/** Version 2 knows no alternatives, no null and, as published, no defaults, and kubectl reads properties and items as all that there may be. */
function simplify(made: JsonObject, schema: Schema, keeps: boolean): void {
  for (const field of ['allOf', 'oneOf', 'anyOf', 'not', 'nullable', 'default']) delete made[field];
  if (schema.nullable || keeps) {
    delete made['items'];
    delete made['properties'];
  }
  if (schema.nullable) delete made['type'];
  if (schema.type === 'array' && !made['items']) delete made['type'];
  if (schema.type === 'object' && keeps) delete made['type'];
  const required = (schema.required ?? []).filter((name) => !(made['properties'] && schema.properties?.[name]?.nullable));
  if (additionalOf(schema)?.nullable || required.length === 0) delete made['required'];
  else made['required'] = required;
}
