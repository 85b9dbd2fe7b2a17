/** upstream: ValidateCustomResourceDefinitionOpenAPISchema in pkg/apis/apiextensions/validation. */
import { forbiddenField, invalidField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { ValidationRule } from '../facts/types.ts';
import { findField } from './field-path.ts';
import { itemsOf, schemaHas, schemaOf, unsupportedField } from './schema-walk.ts';
import type { Schema } from './schema-walk.ts';

export const schemaTypes = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const metaFields = ['metadata', 'kind', 'apiVersion'];

/** What an update need not get better at than what is stored. */
export interface SchemaChecks {
  validTypes: boolean;
  atomicSets: boolean;
  listMapKeys: boolean;
}

/** What holds at one place of the schema. */
interface Place {
  /** Why there can be no default. */
  noDefault?: string;
  insideMetadata?: boolean;
}

export function checkSchema(errors: Errors, path: string, schema: Schema, checks: SchemaChecks, isRoot = true, place: Place = {}): void {
  checkSupported(errors, path, schema, checks, place);
  if (schema.uniqueItems)
    errors.push(forbiddenField(`${path}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'));
  const { properties = {}, additionalProperties } = schema;
  if (additionalProperties != null) {
    if (Object.keys(properties).length && additionalProperties !== true)
      errors.push(forbiddenField(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'));
    const inner = schemaOf(additionalProperties);
    const within = place.insideMetadata ? { ...place, noDefault: 'inside additionalProperties applying to object metadata' } : place;
    if (inner) checkSchema(errors, `${path}.additionalProperties`, inner, checks, false, within);
  }
  for (const [name, property] of Object.entries(properties)) {
    let within = place;
    if ((isRoot || schema['x-kubernetes-embedded-resource']) && metaFields.includes(name)) {
      within = { ...place, insideMetadata: true };
      if (isRoot) within.noDefault = `in top-level ${name}`;
    }
    checkSchema(errors, `${path}.properties[${name}]`, property, checks, false, within);
  }
  if (schema.not) checkSchema(errors, `${path}.not`, schema.not, checks, false, place);
  for (const field of ['allOf', 'oneOf', 'anyOf'] as const)
    for (const [index, each] of (schema[field] ?? []).entries())
      checkSchema(errors, `${path}.${field}[${index}]`, each, checks, false, place);
  for (const [name, each] of Object.entries(schema.definitions ?? {}))
    checkSchema(errors, `${path}.definitions[${name}]`, each, checks, false, place);
  if (Array.isArray(schema.items))
    for (const [index, each] of schema.items.entries()) checkSchema(errors, `${path}.items[${index}]`, each, checks, false, place);
  else if (schema.items) checkSchema(errors, `${path}.items`, schema.items, checks, false, place);
  for (const [name, each] of Object.entries(schema.dependencies ?? {}))
    if (!Array.isArray(each)) checkSchema(errors, `${path}.dependencies[${name}]`, each, checks, false, place);
  checkExtensions(errors, path, schema, checks);
  for (const [index, rule] of (schema['x-kubernetes-validations'] ?? []).entries())
    checkRule(errors, `${path}.x-kubernetes-validations[${index}]`, rule, schema);
}

const given = (value: object | undefined): boolean => value !== undefined && Object.keys(value).length > 0;

/** upstream: specStandardValidatorV3. */
function checkSupported(errors: Errors, path: string, schema: Schema, checks: SchemaChecks, place: Place): void {
  const { type } = schema;
  if (checks.validTypes && type && !schemaTypes.includes(type)) errors.push(unsupported(`${path}.type`, type, schemaTypes));
  if (schema.default != null && place.noDefault) errors.push(forbiddenField(`${path}.default`, `must not be set ${place.noDefault}`));
  const refuse = (field: string): number => errors.push(forbiddenField(`${path}.${field}`, `${field} is not supported`));
  if (schema.id) refuse('id');
  if (schema.additionalItems != null) refuse('additionalItems');
  if (given(schema.patternProperties)) refuse('patternProperties');
  if (given(schema.definitions)) refuse('definitions');
  if (schema.dependencies !== undefined) refuse('dependencies');
  if (schema.$ref !== undefined) refuse('$ref');
  if (type === 'null') errors.push(forbiddenField(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'));
  if (Array.isArray(schema.items) && schema.items.length)
    errors.push(forbiddenField(`${path}.items`, 'items must be a schema object and not an array'));
  if (place.insideMetadata && schema['x-kubernetes-embedded-resource'])
    errors.push(forbiddenField(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta'));
}

const itemOfSet = 'must be atomic as item of a list with x-kubernetes-list-type=set';

/** Whether the items of a set are compared whole. */
function setItemProblem(schema: Schema): 'x-kubernetes-list-type' | 'x-kubernetes-map-type' | undefined {
  const items = itemsOf(schema);
  if (schema['x-kubernetes-list-type'] !== 'set' || !items) return undefined;
  const list = items['x-kubernetes-list-type'];
  if (items.type === 'array' && list !== undefined && list !== 'atomic') return 'x-kubernetes-list-type';
  return items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic' ? 'x-kubernetes-map-type' : undefined;
}

function checkExtensions(errors: Errors, path: string, schema: Schema, checks: SchemaChecks): void {
  const { type = '', 'x-kubernetes-map-type': mapType, 'x-kubernetes-list-type': listType } = schema;
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    errors.push(invalidField(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'));
  const wantType = (detail: string): number =>
    errors.push(type ? invalidField(`${path}.type`, type, detail) : required(`${path}.type`, detail));
  if (mapType !== undefined && type !== 'object') wantType('must be object if x-kubernetes-map-type is specified');
  if (mapType !== undefined && mapType !== 'atomic' && mapType !== 'granular')
    errors.push(unsupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']));
  if (listType !== undefined && type !== 'array') wantType('must be array if x-kubernetes-list-type is specified');
  else if (checks.atomicSets) {
    const problem = setItemProblem(schema);
    if (problem) errors.push(invalidField(`${path}.items.${problem}`, itemsOf(schema)?.['x-kubernetes-list-type'], itemOfSet));
  }
  if (listType !== undefined && listType !== 'atomic' && listType !== 'set' && listType !== 'map')
    errors.push(unsupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map']));
  checkListMap(errors, path, schema);
  if (checks.listMapKeys) checkListMapKeys(errors, path, schema);
}

function checkListMap(errors: Errors, path: string, schema: Schema): void {
  const { 'x-kubernetes-list-type': listType, 'x-kubernetes-list-map-keys': keys = [] } = schema;
  const keysPath = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length && listType !== 'map') {
    const detail = 'must be map if x-kubernetes-list-map-keys is non-empty';
    const at = `${path}.x-kubernetes-list-type`;
    errors.push(listType === undefined ? required(at, detail) : invalidField(at, listType, detail));
  }
  if (listType !== 'map') return;
  if (keys.length === 0) errors.push(required(keysPath, 'must not be empty if x-kubernetes-list-type is map'));
  if (schema.items == null) errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
  const items = itemsOf(schema);
  if (schema.items != null && !items)
    errors.push(invalidField(`${path}.items`, schema.items, 'must only have a single schema if x-kubernetes-list-type is map'));
  if (!items) return;
  if (items.type !== 'object') {
    errors.push(invalidField(`${path}.items.type`, items.type ?? '', "must be object if parent array's x-kubernetes-list-type is map"));
    return;
  }
  for (const [index, key] of keys.entries()) {
    const property = items.properties?.[key];
    if (!property) errors.push(invalidField(keysPath, keys, 'entries must all be names of item properties'));
    else if (property.type === 'array' || property.type === 'object')
      errors.push(
        invalidField(
          `${path}.items.properties[${key}].type`,
          items.type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    if (keys.indexOf(key) < index) errors.push(invalidField(keysPath, keys, 'must not contain duplicate entries'));
  }
}

/** Keys are always there. upstream: validateMapListKeysMapSet. */
function checkListMapKeys(errors: Errors, path: string, schema: Schema): void {
  const listType = schema['x-kubernetes-list-type'];
  const items = itemsOf(schema);
  if (!items || (listType !== 'set' && listType !== 'map')) return;
  if (items.nullable)
    errors.push(forbiddenField(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`));
  if (listType !== 'map') return;
  for (const key of schema['x-kubernetes-list-map-keys'] ?? []) {
    const property = items.properties?.[key];
    if (!property) continue;
    const at = `${path}.items.properties[${key}]`;
    if (!items.required?.includes(key) && property.default == null)
      errors.push(
        required(`${at}.default`, 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'),
      );
    if (property.nullable)
      errors.push(forbiddenField(`${at}.nullable`, 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable'));
  }
}

const lineBreak = /[\n\r]/;

function checkRule(errors: Errors, path: string, rule: Partial<ValidationRule>, schema: Schema): void {
  const { message = '', messageExpression = '', fieldPath = '', reason } = rule;
  const text = (rule.rule ?? '').trim();
  const trimmed = message.trim();
  if (!text) errors.push(required(`${path}.rule`, 'rule is not specified'));
  else if (message && !trimmed) errors.push(invalidField(`${path}.message`, message, 'must be non-empty if specified'));
  else if (lineBreak.test(trimmed)) errors.push(invalidField(`${path}.message`, message, 'must not contain line breaks'));
  else if (lineBreak.test(text) && !trimmed)
    errors.push(required(`${path}.message`, 'message must be specified if rule contains line breaks'));
  if (messageExpression && !messageExpression.trim())
    errors.push(required(`${path}.messageExpression`, 'messageExpression must be non-empty if specified'));
  if (reason !== undefined && !reasons.includes(reason)) errors.push(unsupported(`${path}.reason`, reason, reasons));
  if (!fieldPath) return;
  if (!fieldPath.trim()) errors.push(invalidField(`${path}.fieldPath`, fieldPath, 'must be non-empty if specified'));
  if (lineBreak.test(fieldPath)) errors.push(invalidField(`${path}.fieldPath`, fieldPath, 'must not contain line breaks'));
  if (!unsupportedField(schema) && 'problem' in findField(fieldPath, schema, true))
    errors.push(invalidField(`${path}.fieldPath`, fieldPath, 'must be a valid path'));
}

/** What of the rules above all stored schemas already keep. */
export function checksFor(schemas: readonly (Schema | undefined)[]): SchemaChecks {
  const none = (isSuch: (schema: Schema) => boolean): boolean => !schemas.some((schema) => schemaHas(schema, isSuch));
  return {
    validTypes: none(({ type }) => type !== undefined && type !== '' && !schemaTypes.includes(type)),
    atomicSets: none((schema) => setItemProblem(schema) !== undefined),
    listMapKeys: none((schema) => {
      const errors: Errors = [];
      checkListMapKeys(errors, '', schema);
      return errors.length > 0;
    }),
  };
}
