/**
 * Objects against their schema, with upstream's errors and texts. What an update did not change may stay wrong (ratcheting).
 * upstream: apiextensions-apiserver/pkg/apiserver/validation, kube-openapi/pkg/validation/validate.
 */
import { RE2JS } from 're2js';
import { equal } from '#machinery/meta';
import { invalidField, required, tooLong, tooMany, typeInvalid } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { formatCheck } from './formats.ts';
import { canonical } from './list-types.ts';
import { fieldSchemaOf, isObject, itemsOf, propertyOf } from './schema.ts';
import type { Schema } from './schema.ts';

/** The value that stood in the same place; absent where there is none that belongs to it. */
export interface Before {
  value: unknown;
}

interface Result {
  errors: FieldError[];
  /** Checks that were made: of several alternatives the one that went furthest tells what is wrong. */
  checks: number;
}

/** `path`: where the value sits, "" at the root. Without `before` everything is checked. */
export function validateSchema(value: unknown, schema: Schema, path = '', before?: Before): FieldError[] {
  const { errors } = validate(value, schema, '', before);
  return errors.map((error) => ({ ...error, field: located(path, error.field) }));
}

/** Errors of combinations have no place of their own. */
const located = (path: string, field: string): string => {
  if (field === noPlace) return path || '<nil>';
  const inner = field.startsWith('.') ? field.slice(1) : field;
  return inner === '' ? path || '<nil>' : !path ? inner : inner.startsWith('[') ? path + inner : `${path}.${inner}`;
};
const noPlace = '<nil>';

function validate(value: unknown, schema: Schema, path: string, before: Before | undefined): Result {
  const result = check(value, schema, path, before);
  if (result.errors.length > 0 && before && equal(before.value, value)) return { errors: [], checks: result.checks };
  return result;
}

const jsonType = (value: unknown): string => {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'bigint') return 'integer';
  // Greater ones were written with an exponent, or as what int64 cannot hold.
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'number';
  return typeof value;
};

const wantedTypes = (schema: Schema): string[] =>
  schema['x-kubernetes-int-or-string'] ? ['integer', 'string'] : schema.type ? [schema.type] : [];

/** undefined: fine. */
function typeProblem(value: unknown, schema: Schema, path: string): FieldError | undefined {
  const wanted = wantedTypes(schema);
  const format = formatCheck(schema.format) ? schema.format! : '';
  if (wanted.length === 0 && !format) return undefined;
  const wrong = (type: string, found: string): FieldError =>
    typeInvalid(path, found, `${path} in body must be of type ${type}: ${JSON.stringify(found)}`);
  const found = jsonType(value);
  if (found === 'null') return wanted.length > 0 && !schema.nullable ? wrong(wanted.join(','), 'null') : undefined;
  const fits = wanted.includes(found) || (found === 'integer' && wanted.includes('number'));
  const numeric = wanted.includes('number') || wanted.includes('integer');
  if (format && found !== 'string' && found !== 'array') return fits ? undefined : wrong(format, '');
  if (format && !numeric) return undefined;
  return fits ? undefined : wrong(wanted.join(','), found);
}

function check(value: unknown, schema: Schema, path: string, before: Before | undefined): Result {
  const errors: FieldError[] = [];
  let checks = 1;
  const problem = typeProblem(value, schema, path);
  checks++;
  if (problem) errors.push(problem);
  else checks++;
  const merge = (result: Result): void => {
    errors.push(...result.errors);
    checks += result.checks;
  };
  if (value !== null && value !== undefined) {
    merge(checkCombinations(value, schema, path, before));
    if (typeof value === 'string') checkString(errors, value, schema, path);
    else if (typeof value === 'number' || typeof value === 'bigint') checkNumber(errors, value, schema, path);
    else if (Array.isArray(value)) merge(checkArray(value, schema, path, before));
  }
  checkEnum(errors, value, schema, path);
  if (isObject(value)) merge(checkObject(value, schema, path, before));
  return { errors, checks };
}

const combination = (path: string, text: string): FieldError => invalidField(noPlace, '', `${JSON.stringify(path)} must ${text}`);

function checkCombinations(value: unknown, schema: Schema, path: string, before: Before | undefined): Result {
  const errors: FieldError[] = [];
  let checks = 1;
  const merge = (result: Result | undefined): void => {
    if (!result) return;
    errors.push(...result.errors);
    checks += result.checks;
  };
  const valid = (result: Result): boolean => result.errors.length === 0;
  const best = (results: readonly Result[]): Result | undefined => {
    let found: Result | undefined;
    for (const result of results) if (!found || result.checks > found.checks) found = result;
    return found;
  };
  // The alternatives that stand for x-kubernetes-int-or-string say nothing that the type does not.
  if (schema.anyOf?.length) {
    const results = schema.anyOf.map((each) => check(value, each, path, before));
    const first = results.find(valid);
    if (!first) errors.push(combination(path, 'validate at least one schema (anyOf)'));
    merge(first ?? best(results));
  }
  if (schema.oneOf?.length) {
    const results = schema.oneOf.map((each) => check(value, each, path, before));
    const count = results.filter(valid).length;
    if (count !== 1) {
      const detail = count === 0 ? 'Found none valid' : `Found ${count} valid alternatives`;
      errors.push(combination(path, `validate one and only one schema (oneOf). ${detail}`));
      if (count === 0) merge(best(results));
    } else merge(results.find(valid));
  }
  if (schema.allOf?.length) {
    const results = schema.allOf.map((each) => check(value, each, path, before));
    for (const result of results) merge(result);
    const count = results.filter(valid).length;
    if (count !== results.length)
      errors.push(combination(path, `validate all the schemas (allOf)${count === 0 ? '. None validated' : ''}`));
  }
  if (schema.not && valid(check(value, schema.not, path, before))) errors.push(combination(path, 'not validate the schema (not)'));
  return { errors, checks };
}

const patterns = new Map<string, RE2JS | Error>();

function compiledPattern(pattern: string): RE2JS | Error {
  let compiled = patterns.get(pattern);
  if (!compiled) {
    try {
      compiled = RE2JS.compile(pattern);
    } catch (error) {
      compiled = error instanceof Error ? error : new Error(String(error));
    }
    patterns.set(pattern, compiled);
  }
  return compiled;
}

/** Why a text is no regular expression; undefined where it is one. */
export function patternProblem(pattern: string): string | undefined {
  const compiled = compiledPattern(pattern);
  return compiled instanceof Error ? compiled.message : undefined;
}

function matches(pattern: string, text: string): boolean | Error {
  const compiled = compiledPattern(pattern);
  return compiled instanceof Error ? compiled : compiled.matcher(text).find();
}

function checkString(errors: FieldError[], value: string, schema: Schema, path: string): void {
  const { maxLength, minLength, pattern } = schema;
  const length = maxLength !== undefined || minLength !== undefined ? Array.from(value).length : 0;
  if (maxLength !== undefined && length > maxLength) errors.push(tooLong(path, maxLength));
  else if (minLength !== undefined && length < minLength)
    errors.push(invalidField(path, value, `${path} in body should be at least ${minLength} chars long`));
  else if (pattern) {
    const matched = matches(pattern, value);
    if (matched instanceof Error)
      errors.push(invalidField(path, value, `${path} in body should match '${pattern}, but pattern is invalid: ${matched.message}'`));
    else if (!matched) errors.push(invalidField(path, value, `${path} in body should match '${pattern}'`));
  }
  const format = formatCheck(schema.format);
  if (format && !format(value))
    errors.push(typeInvalid(path, value, `${path} in body must be of type ${schema.format}: ${JSON.stringify(value)}`));
}

function checkNumber(errors: FieldError[], value: number | bigint, schema: Schema, path: string): void {
  const { maximum, minimum, multipleOf } = schema;
  const wrong = (text: string): number => errors.push(invalidField(path, value, `${path} in body should be ${text}`));
  if (multipleOf !== undefined) {
    const ratio = multipleOf < 1 ? (1 / multipleOf) * Number(value) : Number(value) / multipleOf;
    if (multipleOf <= 0) errors.push(invalidField(path, value, `factor MultipleOf declared for ${path} must be positive: ${multipleOf}`));
    else if (Math.abs(ratio - Math.round(ratio)) > 1e-9) wrong(`a multiple of ${multipleOf}`);
  }
  if (minimum !== undefined) {
    if (schema.exclusiveMinimum ? value <= minimum : value < minimum)
      wrong(schema.exclusiveMinimum ? `greater than ${minimum}` : `greater than or equal to ${minimum}`);
  }
  if (maximum !== undefined) {
    if (schema.exclusiveMaximum ? value >= maximum : value > maximum)
      wrong(schema.exclusiveMaximum ? `less than ${maximum}` : `less than or equal to ${maximum}`);
  }
}

/** Compares as JSON has it. Allowed values are listed as they stand in the schema. */
function checkEnum(errors: FieldError[], value: unknown, schema: Schema, path: string): void {
  const allowed = schema.enum;
  if (!allowed?.length || allowed.some((each) => canonical(each) === canonical(value))) return;
  const listed = allowed.map((each) => JSON.stringify(typeof each === 'string' ? each : JSON.stringify(each))).join(', ');
  errors.push({
    type: 'FieldValueNotSupported',
    field: path,
    message: `Unsupported value: ${JSON.stringify(value ?? null)}: supported values: ${listed}`,
  });
}

function checkArray(value: readonly unknown[], schema: Schema, path: string, before: Before | undefined): Result {
  const errors: FieldError[] = [];
  let checks = 1;
  const items = itemsOf(schema);
  if (items)
    for (const [index, item] of value.entries()) {
      const result = validate(item, items, `${path}[${index}]`, beforeItem(item, schema, before));
      errors.push(...result.errors);
      checks += result.checks;
    }
  const { minItems, maxItems } = schema;
  if (minItems !== undefined && value.length < minItems)
    errors.push(invalidField(path, value.length, `${path} in body should have at least ${minItems} items`));
  if (maxItems !== undefined && value.length > maxItems) errors.push(tooMany(path, value.length, maxItems));
  if (schema.uniqueItems && new Set(value.map(canonical)).size < value.length)
    errors.push(invalidField(path, '', `${path} in body shouldn't contain duplicates`));
  return { errors, checks };
}

/** Items of lists with keys belong to those with the same key; other items to none. */
export function beforeItem(item: unknown, schema: Schema, before: Before | undefined): Before | undefined {
  if (!before || schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(before.value) || !isObject(item)) return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const items = itemsOf(schema);
  const keyOf = (entry: Record<string, unknown>, key: string): unknown => entry[key] ?? propertyOf(items, key)?.default;
  const found = before.value.find(
    (other: unknown) => isObject(other) && keys.every((key) => canonical(keyOf(other, key)) === canonical(keyOf(item, key))),
  );
  return found === undefined ? undefined : { value: found };
}

/** What stood in the same field. */
export function beforeField(name: string, schema: Schema, before: Before | undefined): Before | undefined {
  if (!before || !isObject(before.value) || !Object.hasOwn(before.value, name)) return undefined;
  return fieldSchemaOf(schema, name) ? { value: before.value[name] } : undefined;
}

function checkObject(value: Record<string, unknown>, schema: Schema, path: string, before: Before | undefined): Result {
  const errors: FieldError[] = [];
  let checks = 0;
  const { minProperties, maxProperties, additionalProperties } = schema;
  const count = Object.keys(value).length;
  if (minProperties !== undefined && count < minProperties)
    errors.push(invalidField(path, count, `${path} in body should have at least ${minProperties} properties`));
  if (maxProperties !== undefined && count > maxProperties) errors.push(tooMany(path, count, maxProperties));
  for (const [name, item] of Object.entries(value)) {
    const property = propertyOf(schema, name);
    if (!property && additionalProperties === false) {
      errors.push(invalidField(path, name, `${path}.${name} in body is a forbidden property`));
      continue;
    }
    const field = property ?? fieldSchemaOf(schema, name);
    if (!field) continue;
    const at = property && !path ? name : `${path}.${name}`;
    // The root's kind and version are of the request, not of what was stored.
    const known = path === '' && (name === 'kind' || name === 'apiVersion') ? undefined : beforeField(name, schema, before);
    const result = validate(item, field, at, known);
    errors.push(...result.errors);
    checks += result.checks;
  }
  for (const name of schema.required ?? []) if (!Object.hasOwn(value, name)) errors.push(required(`${path}.${name}`));
  return { errors, checks };
}
