import { ConfigMap } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { forbiddenField, invalidField, tooLong } from '#machinery/status';
import type { FieldError } from '#machinery/status';

/** upstream: pkg/apis/core/validation ValidateConfigMap. */
const maxSize = 1024 * 1024;

function validate(object: ConfigMap): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(object.data ?? {})) {
    for (const message of configMapKeyErrors(key)) errors.push(invalidField(`data[${key}]`, key, message));
    if (object.binaryData?.[key] !== undefined) errors.push(invalidField(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    size += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(object.binaryData ?? {})) {
    for (const message of configMapKeyErrors(key)) errors.push(invalidField(`binaryData[${key}]`, key, message));
    size += Buffer.byteLength(value, 'base64');
  }
  if (size > maxSize) errors.push(tooLong('', maxSize));
  return errors;
}

/** What is wrong with a key of a ConfigMap or Secret; empty when nothing is. upstream: apimachinery IsConfigMapKey. */
export function configMapKeyErrors(key: string): string[] {
  const errors: string[] = [];
  if (key.length > 253) errors.push('must be no more than 253 characters');
  if (!/^[-._a-zA-Z0-9]+$/.test(key))
    errors.push(
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    );
  if (key === '.') errors.push("must not be '.'");
  if (key === '..') errors.push("must not be '..'");
  else if (key.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}

function validateUpdate(object: ConfigMap, old: ConfigMap): FieldError[] {
  const errors: FieldError[] = [];
  if (old.immutable === true) {
    if (object.immutable !== true) errors.push(forbiddenField('immutable', 'field is immutable when `immutable` is set'));
    if (JSON.stringify(object.data ?? {}) !== JSON.stringify(old.data ?? {}))
      errors.push(forbiddenField('data', 'field is immutable when `immutable` is set'));
    if (JSON.stringify(object.binaryData ?? {}) !== JSON.stringify(old.binaryData ?? {}))
      errors.push(forbiddenField('binaryData', 'field is immutable when `immutable` is set'));
  }
  return [...errors, ...validate(object)];
}

export const configMapRules = defineKind<ConfigMap>({
  kind: ConfigMap,
  validate,
  validateUpdate,
  columns: [
    {
      name: 'Data',
      type: 'string',
      cell: (object) => String(Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length),
    },
  ],
});
