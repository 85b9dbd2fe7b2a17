/**
 * The version 2 document as protocol buffers, which is how Go clients ask for it. upstream: google/gnostic-models openapiv2 (numbers).
 * Only what our documents have is in the table.
 */
import { messageCodec } from '#machinery/codec';
import type { MessageField } from '#machinery/codec';
import type { JsonSchema } from './schemas.ts';

const of = (number: number, type: string): MessageField => ({ number, type });
const many = (number: number, type: string): MessageField => ({ number, type, repeated: true });
const named = (type: string): Record<string, MessageField> => ({ name: of(1, 'string'), value: of(2, type) });
const parameter = (offset: 0 | 1): Record<string, MessageField> => ({
  required: of(1, 'bool'),
  in: of(2, 'string'),
  description: of(3, 'string'),
  name: of(4, 'string'),
  type: of(5 + offset, 'string'),
  format: of(6 + offset, 'string'),
  unique_items: of(19 + offset, 'bool'),
});

const codec = messageCodec({
  enums: {},
  messages: {
    Document: {
      swagger: of(1, 'string'),
      info: of(2, 'Info'),
      paths: of(8, 'Paths'),
      definitions: of(9, 'Definitions'),
      security: many(12, 'SecurityRequirement'),
      security_definitions: of(13, 'SecurityDefinitions'),
    },
    Info: { title: of(1, 'string'), version: of(2, 'string') },
    Paths: { path: many(2, 'NamedPathItem') },
    NamedPathItem: named('PathItem'),
    PathItem: {
      get: of(2, 'Operation'),
      put: of(3, 'Operation'),
      post: of(4, 'Operation'),
      delete: of(5, 'Operation'),
      options: of(6, 'Operation'),
      head: of(7, 'Operation'),
      patch: of(8, 'Operation'),
      parameters: many(9, 'ParametersItem'),
    },
    Operation: {
      tags: many(1, 'string'),
      description: of(3, 'string'),
      operation_id: of(5, 'string'),
      produces: many(6, 'string'),
      consumes: many(7, 'string'),
      parameters: many(8, 'ParametersItem'),
      responses: of(9, 'Responses'),
      schemes: many(10, 'string'),
      vendor_extension: many(13, 'NamedAny'),
    },
    ParametersItem: { parameter: of(1, 'Parameter') },
    Parameter: { body_parameter: of(1, 'BodyParameter'), non_body_parameter: of(2, 'NonBodyParameter') },
    BodyParameter: {
      description: of(1, 'string'),
      name: of(2, 'string'),
      in: of(3, 'string'),
      required: of(4, 'bool'),
      schema: of(5, 'Schema'),
    },
    NonBodyParameter: {
      query_parameter_sub_schema: of(3, 'QueryParameterSubSchema'),
      path_parameter_sub_schema: of(4, 'PathParameterSubSchema'),
    },
    QueryParameterSubSchema: parameter(1),
    PathParameterSubSchema: parameter(0),
    Responses: { response_code: many(1, 'NamedResponseValue') },
    NamedResponseValue: named('ResponseValue'),
    ResponseValue: { response: of(1, 'Response') },
    Response: { description: of(1, 'string'), schema: of(2, 'SchemaItem') },
    SchemaItem: { schema: of(1, 'Schema') },
    Definitions: { additional_properties: many(1, 'NamedSchema') },
    NamedSchema: named('Schema'),
    Schema: {
      _ref: of(1, 'string'),
      format: of(2, 'string'),
      title: of(3, 'string'),
      description: of(4, 'string'),
      default: of(5, 'Any'),
      multiple_of: of(6, 'double'),
      maximum: of(7, 'double'),
      exclusive_maximum: of(8, 'bool'),
      minimum: of(9, 'double'),
      exclusive_minimum: of(10, 'bool'),
      max_length: of(11, 'int64'),
      min_length: of(12, 'int64'),
      pattern: of(13, 'string'),
      max_items: of(14, 'int64'),
      min_items: of(15, 'int64'),
      unique_items: of(16, 'bool'),
      max_properties: of(17, 'int64'),
      min_properties: of(18, 'int64'),
      required: many(19, 'string'),
      enum: many(20, 'Any'),
      additional_properties: of(21, 'AdditionalPropertiesItem'),
      type: of(22, 'TypeItem'),
      items: of(23, 'ItemsItem'),
      all_of: many(24, 'Schema'),
      properties: of(25, 'Properties'),
      example: of(30, 'Any'),
      vendor_extension: many(31, 'NamedAny'),
    },
    Properties: { additional_properties: many(1, 'NamedSchema') },
    AdditionalPropertiesItem: { schema: of(1, 'Schema'), boolean: of(2, 'bool') },
    TypeItem: { value: many(1, 'string') },
    ItemsItem: { schema: many(1, 'Schema') },
    Any: { yaml: of(2, 'string') },
    NamedAny: named('Any'),
    SecurityRequirement: { additional_properties: many(1, 'NamedStringArray') },
    NamedStringArray: named('StringArray'),
    StringArray: { value: many(1, 'string') },
    SecurityDefinitions: { additional_properties: many(1, 'NamedSecurityDefinitionsItem') },
    NamedSecurityDefinitionsItem: named('SecurityDefinitionsItem'),
    SecurityDefinitionsItem: { api_key_security: of(2, 'ApiKeySecurity') },
    ApiKeySecurity: { type: of(1, 'string'), name: of(2, 'string'), in: of(3, 'string'), description: of(4, 'string') },
  },
});

/** JSON is YAML. */
const any = (value: unknown): JsonSchema => ({ yaml: `${JSON.stringify(value)}\n` });
const entries = (object: unknown, each: (value: JsonSchema) => unknown): { name: string; value: unknown }[] =>
  Object.entries((object ?? {}) as Record<string, JsonSchema>).map(([name, value]) => ({ name, value: each(value) }));
const extensions = (object: JsonSchema): { vendor_extension?: { name: string; value: JsonSchema }[] } => {
  const found = Object.entries(object).filter(([name]) => name.startsWith('x-'));
  return found.length > 0 ? { vendor_extension: found.map(([name, value]) => ({ name, value: any(value) })) } : {};
};

const renamed: Record<string, string> = {
  multipleOf: 'multiple_of',
  exclusiveMaximum: 'exclusive_maximum',
  exclusiveMinimum: 'exclusive_minimum',
  maxLength: 'max_length',
  minLength: 'min_length',
  maxItems: 'max_items',
  minItems: 'min_items',
  uniqueItems: 'unique_items',
  maxProperties: 'max_properties',
  minProperties: 'min_properties',
};
const same = new Set(['format', 'title', 'description', 'maximum', 'minimum', 'pattern', 'required']);

function schemaOf(schema: JsonSchema): JsonSchema {
  const out: JsonSchema = extensions(schema);
  for (const [name, value] of Object.entries(schema)) {
    if (same.has(name)) out[name] = value;
    else if (renamed[name]) out[renamed[name]] = value;
    else if (name === '$ref') out['_ref'] = value;
    else if (name === 'default' || name === 'example') out[name] = any(value);
    else if (name === 'enum') out['enum'] = (value as unknown[]).map(any);
    else if (name === 'type') out['type'] = { value: [value] };
    else if (name === 'items') out['items'] = { schema: [schemaOf(value as JsonSchema)] };
    else if (name === 'allOf') out['all_of'] = (value as JsonSchema[]).map(schemaOf);
    else if (name === 'properties') out['properties'] = { additional_properties: entries(value, schemaOf) };
    else if (name === 'additionalProperties')
      out['additional_properties'] = typeof value === 'boolean' ? { boolean: value } : { schema: schemaOf(value as JsonSchema) };
  }
  return out;
}

function parameterOf(given: JsonSchema): JsonSchema {
  const { uniqueItems, schema, ...rest } = given;
  if (given['in'] === 'body') return { parameter: { body_parameter: { ...rest, schema: schemaOf(schema as JsonSchema) } } };
  const shape = { ...rest, unique_items: uniqueItems };
  return {
    parameter: {
      non_body_parameter: given['in'] === 'path' ? { path_parameter_sub_schema: shape } : { query_parameter_sub_schema: shape },
    },
  };
}

const parametersOf = (given: unknown): JsonSchema => (given ? { parameters: (given as JsonSchema[]).map(parameterOf) } : {});
const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

function operationOf(operation: JsonSchema): JsonSchema {
  const { operationId, parameters, responses, ...rest } = operation;
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith('x-'))),
    ...extensions(operation),
    operation_id: operationId,
    ...parametersOf(parameters),
    responses: {
      response_code: entries(responses, ({ description, schema }) => ({
        response: { description, ...(schema !== undefined && { schema: { schema: schemaOf(schema as JsonSchema) } }) },
      })),
    },
  };
}

function pathOf(item: JsonSchema): JsonSchema {
  const out: JsonSchema = parametersOf(item['parameters']);
  for (const method of methods) if (item[method]) out[method] = operationOf(item[method] as JsonSchema);
  return out;
}

export function gnosticDocument(document: JsonSchema): Uint8Array {
  return codec.encode('Document', {
    swagger: document['swagger'],
    info: document['info'],
    paths: { path: entries(document['paths'], pathOf) },
    definitions: { additional_properties: entries(document['definitions'], schemaOf) },
    security: [{ additional_properties: [{ name: 'BearerToken', value: {} }] }],
    security_definitions: {
      additional_properties: entries(document['securityDefinitions'], (api_key_security) => ({ api_key_security })),
    },
  });
}
