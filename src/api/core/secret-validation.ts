/** upstream: ValidateSecret, ValidateSecretUpdate in pkg/apis/core/validation. */
import { jsonSyntaxError } from '#machinery/codec';
import { isConfigMapKey } from '#machinery/names';
import { checkImmutable, forbiddenField, invalidField, invalidFor, required, tooLong } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { Secret } from '../facts/types.ts';
import { same } from '../same.ts';

const maxSize = 1024 * 1024;
const accountName = 'kubernetes.io/service-account.name';

function checkJson(errors: Errors, data: Record<string, string>, key: string): void {
  const path = `data[${key}]`;
  if (data[key] === undefined) {
    errors.push(required(path));
    return;
  }
  const text = Buffer.from(data[key], 'base64').toString();
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || Array.isArray(value)) {
      const found = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
      errors.push(
        invalidField(path, '<secret contents redacted>', `json: cannot unmarshal ${found} into Go value of type map[string]interface {}`),
      );
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    errors.push(invalidField(path, '<secret contents redacted>', jsonSyntaxError(text) ?? error.message));
  }
}

function checkType(errors: Errors, { type, data = {}, metadata }: Secret): void {
  const needs = (...keys: string[]): void => {
    for (const key of keys) errors.push(required(`data[${key}]`));
  };
  switch (type) {
    case 'kubernetes.io/service-account-token':
      if (!metadata?.annotations?.[accountName]) errors.push(required(`metadata.annotations[${accountName}]`));
      break;
    case 'kubernetes.io/dockercfg':
      checkJson(errors, data, '.dockercfg');
      break;
    case 'kubernetes.io/dockerconfigjson':
      checkJson(errors, data, '.dockerconfigjson');
      break;
    case 'kubernetes.io/basic-auth':
      if (data['username'] === undefined && data['password'] === undefined) needs('username', 'password');
      break;
    case 'kubernetes.io/ssh-auth':
      if (!data['ssh-privatekey']) needs('ssh-privatekey');
      break;
    case 'kubernetes.io/tls':
      needs(...['tls.crt', 'tls.key'].filter((key) => data[key] === undefined));
      break;
    default:
  }
}

export function validateSecret(secret: Secret): Errors {
  const errors: Errors = [];
  let size = 0;
  for (const [key, value] of Object.entries(secret.data ?? {})) {
    invalidFor(errors, `data[${key}]`, key, isConfigMapKey(key));
    size += Buffer.byteLength(value, 'base64');
  }
  if (size > maxSize) errors.push(tooLong('data', maxSize));
  checkType(errors, secret);
  return errors;
}

export function validateSecretUpdate(secret: Secret, old: Secret): Errors {
  const errors: Errors = [];
  checkImmutable(errors, 'type', secret.type, old.type);
  if (old.immutable === true) {
    if (secret.immutable !== true) errors.push(forbiddenField('immutable', 'field is immutable when `immutable` is set'));
    if (!same(secret.data, old.data)) errors.push(forbiddenField('data', 'field is immutable when `immutable` is set'));
  }
  return [...errors, ...validateSecret(secret)];
}
