import { goFormat } from '#machinery/patch';
import { elementOf, formatElement, PathElementError } from './path-element.ts';
import { asList, asMap, kindFor } from './schema.ts';
import type { ListSchema, MapSchema, ScalarKind, TypeSchema } from './schema.ts';

/** Why an applied configuration does not fit its type; empty when it does. upstream: structured-merge-diff/typed/validate.go. */
export function validateApplied(value: unknown, schema: TypeSchema, path = ''): string[] {
  switch (kindFor(schema, value)) {
    case 'scalar':
      return ofScalar(value, schema.scalar!, path);
    case 'list':
      return ofList(value, schema.list!, path);
    case 'map':
      return ofMap(value, schema.map!, path);
  }
}

const at = (path: string, text: string): string => (path ? `${path}: ${text}` : text);

function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'bigint') return 'int64';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return 'map[string]interface {}';
}

const shown = (value: unknown): string => (asMap(value) || Array.isArray(value) ? goFormat(value) : JSON.stringify(value));

function ofScalar(value: unknown, kind: ScalarKind, path: string): string[] {
  if (value === null || value === undefined) return [];
  const type = typeof value;
  switch (kind) {
    case 'numeric':
      return type === 'number' || type === 'bigint' ? [] : [at(path, `expected numeric (int or float), got ${goType(value)}`)];
    case 'string':
      return type === 'string' ? [] : [at(path, `expected string, got &value.valueUnstructured{Value:${shown(value)}}`)];
    case 'boolean':
      return type === 'boolean' ? [] : [at(path, `expected boolean, got &{${goFormat(value)}}`)];
    case 'untyped':
      return type !== 'object' ? [] : [at(path, `expected any scalar, got &{${goFormat(value)}}`)];
  }
}

function ofList(value: unknown, list: ListSchema, path: string): string[] {
  if (value === null || value === undefined) return [];
  const items = asList(value);
  if (!items) return [at(path, `expected list, got &{${goFormat(value)}}`)];
  const errors: string[] = [];
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    let step = `[${index}]`;
    if (list.type !== 'atomic') {
      try {
        const element = elementOf(list, item);
        step = formatElement(element);
        if (seen.has(element)) errors.push(at(path, `duplicate entries for key ${step}`));
        seen.add(element);
      } catch (error) {
        if (!(error instanceof PathElementError)) throw error;
        return [...errors, at(path, `element ${index}: ${error.message}`)];
      }
    }
    errors.push(...validateApplied(item, list.element, path + step));
  }
  return errors;
}

function ofMap(value: unknown, map: MapSchema, path: string): string[] {
  if (value === null || value === undefined) return [];
  const object = asMap(value);
  if (!object) return [at(path, `expected map, got &{${goFormat(value)}}`)];
  const errors: string[] = [];
  for (const name of Object.keys(object)) {
    const type = map.field(name) ?? map.element;
    if (!type) return [...errors, `${path}.${name}: field not declared in schema`];
    errors.push(...validateApplied(object[name], type, `${path}.${name}`));
  }
  return errors;
}

/** All of them in one text. */
export const validationText = (errors: readonly string[]): string =>
  errors.length === 1 ? errors[0]! : ['errors:', ...errors.map((error) => `  ${error}`)].join('\n');
