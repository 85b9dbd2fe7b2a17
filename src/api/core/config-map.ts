import { ConfigMap } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { isConfigMapKey } from '#machinery/names';
import { forbiddenField, invalidField, tooLong } from '#machinery/status';
import type { FieldError } from '#machinery/status';

/** upstream: pkg/apis/core/validation ValidateConfigMap. */
const maxSize = 1024 * 1024;

function validate(object: ConfigMap): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(object.data ?? {})) {
    for (const message of isConfigMapKey(key)) errors.push(invalidField(`data[${key}]`, key, message));
    if (object.binaryData?.[key] !== undefined) errors.push(invalidField(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    size += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(object.binaryData ?? {})) {
    for (const message of isConfigMapKey(key)) errors.push(invalidField(`binaryData[${key}]`, key, message));
    size += Buffer.byteLength(value, 'base64');
  }
  if (size > maxSize) errors.push(tooLong('', maxSize));
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
      cell: (object) => Object.keys(object.data ?? {}).length + Object.keys(object.binaryData ?? {}).length,
    },
  ],
});
