/** A custom resource's schema as it is published. upstream: apiextensions-apiserver/pkg/controller/openapi/builder. */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '#api';
import type { JsonObject } from './schema.ts';

export function publishedSchema(
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  _dialect: 'v2' | 'v3',
): JsonObject {
  const schema = version.schema?.openAPIV3Schema;
  if (!schema || definition.spec.preserveUnknownFields) return { type: 'object' };
  return schema as JsonObject;
}
