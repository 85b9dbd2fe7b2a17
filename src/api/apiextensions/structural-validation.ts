/**
 * Structural schemas: every field's type is said once, outside of allOf, anyOf, oneOf and not, so that objects can be pruned, defaulted
 * and merged. upstream: apiextensions-apiserver/pkg/apiserver/schema/{validation,complete}.go.
 */
import { forbiddenField, invalidField, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { equal } from '#machinery/meta';
import { itemsOf, schemaOf } from './schema-walk.ts';
import type { Schema } from './schema-walk.ts';

type Level = 'root' | 'item' | 'field';

const intOrString = [{ type: 'integer' }, { type: 'string' }];
const isIntOrString = (anyOf: Schema[] | undefined): boolean => equal(anyOf, intOrString);
const noType: Record<Level, string> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};

/** Sorted by their text, as upstream has them. */
export function validateStructural(schema: Schema, path: string): Errors {
  const errors: Errors = [];
  checkInvariants(errors, path, schema, 'root');
  checkCompleteness(errors, schema, schema, path, path);
  const text = ({ field, message }: Errors[number]): string => `${field}: ${message}`;
  return errors.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

function checkInvariants(errors: Errors, path: string, schema: Schema, level: Level): void {
  const { type = '', properties = {} } = schema;
  const items = itemsOf(schema);
  if (type === 'array' && !items) errors.push(required(`${path}.items`, 'must be specified'));
  if (items) checkInvariants(errors, `${path}.items`, items, 'item');
  for (const [name, property] of Object.entries(properties)) checkInvariants(errors, `${path}.properties[${name}]`, property, 'field');
  if (schema.additionalProperties != null) {
    if (level === 'root') errors.push(forbiddenField(`${path}.additionalProperties`, 'must not be used at the root'));
    const inner = schemaOf(schema.additionalProperties);
    if (inner) checkInvariants(errors, `${path}.additionalProperties`, inner, 'field');
  }
  checkExtensions(errors, path, schema);
  checkValueRules(errors, path, schema, isIntOrString(schema.anyOf), isIntOrString(schema.allOf?.[0]?.anyOf));
  const embedded = schema['x-kubernetes-embedded-resource'] ?? false;
  checkType(errors, path, schema, level);
  if (embedded && schema.additionalProperties != null)
    errors.push(forbiddenField(`${path}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set'));
  if (level === 'root' && type && type !== 'object') errors.push(invalidField(`${path}.type`, type, 'must be object at the root'));
  if (level === 'root' || embedded)
    for (const name of ['kind', 'apiVersion'])
      if (properties[name] && properties[name].type !== 'string')
        errors.push(invalidField(`${path}.properties[${name}].type`, properties[name].type ?? '', 'must be string'));
  if (properties['metadata'])
    checkMetadata(errors, `${path}.properties[metadata]`, properties['metadata'], level === 'root' || embedded, level);
  if (embedded && !schema['x-kubernetes-preserve-unknown-fields'] && Object.keys(properties).length === 0)
    errors.push(
      required(
        `${path}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    );
}

function checkType(errors: Errors, path: string, schema: Schema, level: Level): void {
  const { type = '' } = schema;
  if (schema['x-kubernetes-embedded-resource'] && type !== 'object') {
    const detail = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(type ? invalidField(`${path}.type`, type, detail) : required(`${path}.type`, detail));
  } else if (!type && !schema['x-kubernetes-int-or-string'] && !schema['x-kubernetes-preserve-unknown-fields'])
    errors.push(required(`${path}.type`, noType[level]));
}

function checkExtensions(errors: Errors, path: string, schema: Schema): void {
  if (!schema['x-kubernetes-int-or-string']) return;
  for (const extension of ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const)
    if (schema[extension]) errors.push(invalidField(`${path}.${extension}`, true, 'must be false if x-kubernetes-int-or-string is true'));
}

const isZero = (value: unknown): boolean =>
  value == null || value === '' || value === false || (typeof value === 'object' && Object.keys(value).length === 0);

/** Metadata is the same in all objects; a schema may only narrow the name. */
function checkMetadata(errors: Errors, path: string, schema: Schema, ofObject: boolean, level: Level): void {
  if (ofObject && schema.type !== 'object') errors.push(invalidField(`${path}.type`, schema.type ?? '', 'must be object'));
  if (level !== 'root') return;
  const { type: _type, default: _default, properties = {}, ...rest } = schema;
  const names = Object.keys(properties).every((name) => name === 'name' || name === 'generateName');
  if (!names || !Object.values(rest).every(isZero))
    errors.push(forbiddenField(path, 'must not specify anything other than name and generateName, but metadata is implicitly specified'));
}

function checkValueRules(errors: Errors, path: string, schema: Schema, skipAnyOf: boolean, skipFirstAllOf: boolean): void {
  if (!skipAnyOf) for (const [index, each] of (schema.anyOf ?? []).entries()) checkNested(errors, `${path}.anyOf[${index}]`, each);
  for (const [index, each] of (schema.allOf ?? []).entries())
    checkNested(errors, `${path}.allOf[${index}]`, each, skipFirstAllOf && index === 0);
  for (const [index, each] of (schema.oneOf ?? []).entries()) checkNested(errors, `${path}.oneOf[${index}]`, each);
  if (schema.not) checkNested(errors, `${path}.not`, schema.not);
}

/** What a schema inside of allOf, anyOf, oneOf or not leaves to the one outside. */
const outside: readonly [keyof Schema, string][] = [
  ['type', 'must be empty to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
];

function checkNested(errors: Errors, path: string, schema: Schema, skipAnyOf = false): void {
  checkValueRules(errors, path, schema, skipAnyOf, false);
  const items = itemsOf(schema);
  if (items) checkNested(errors, `${path}.items`, items);
  for (const [name, property] of Object.entries(schema.properties ?? {})) checkNested(errors, `${path}.properties[${name}]`, property);
  if (schema.additionalProperties != null && schema.additionalProperties !== false)
    errors.push(forbiddenField(`${path}.additionalProperties`, 'must be undefined to be structural'));
  for (const [field, detail] of outside) {
    const value = schema[field];
    const given = field === 'default' ? value != null : field.endsWith('-type') ? value !== undefined : !isZero(value);
    if (given) errors.push(forbiddenField(`${path}.${field}`, detail));
  }
  if (schema.properties?.['metadata'])
    errors.push(forbiddenField(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
}

/** Everything that a value rule speaks of has its type outside of it. */
function checkCompleteness(errors: Errors, rules: Schema, schema: Schema, path: string, rulesPath: string): void {
  if (rules.not) checkNestedCompleteness(errors, rules.not, schema, path, `${rulesPath}.not`);
  for (const field of ['allOf', 'anyOf', 'oneOf'] as const)
    for (const [index, each] of (rules[field] ?? []).entries())
      checkNestedCompleteness(errors, each, schema, path, `${rulesPath}.${field}[${index}]`);
}

function checkNestedCompleteness(errors: Errors, rules: Schema, schema: Schema | undefined, path: string, rulesPath: string): void {
  if (!schema) {
    errors.push(required(path, `because it is defined in ${rulesPath}`));
    return;
  }
  checkCompleteness(errors, rules, schema, path, rulesPath);
  const items = itemsOf(rules);
  if (items) checkNestedCompleteness(errors, items, itemsOf(schema), `${path}.items`, `${rulesPath}.items`);
  for (const [name, property] of Object.entries(rules.properties ?? {})) {
    const at = `properties[${name}]`;
    checkNestedCompleteness(errors, property, schema.properties?.[name], `${path}.${at}`, `${rulesPath}.${at}`);
  }
}
