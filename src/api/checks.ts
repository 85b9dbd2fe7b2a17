/**
 * Checks that the validation of many kinds shares. Each adds what it finds wrong to `errors`; paths are upstream's.
 * upstream: pkg/apis/core/validation, apimachinery/pkg/api/validation.
 */
import { equal } from '#machinery/meta';
import {
  fieldImmutable,
  isDNS1123Label,
  isDNS1123Subdomain,
  isNegativeError,
  isQualifiedName,
  isValidPortName,
  isValidPortNum,
  validateLabels,
  validateLabelSelector,
} from '#machinery/names';
import type { LabelSelectorOptions, NameRule } from '#machinery/names';
import { forbiddenField, invalidField, required } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { IntOrString, LabelSelector } from './facts/types.ts';
import { same } from './same.ts';

export type Errors = FieldError[];

/** A check against a list that is told in its own order. upstream: field.NotSupported. */
export const unsupported = (path: string, value: unknown, supported: readonly string[]): FieldError => ({
  type: 'FieldValueNotSupported',
  field: path,
  message: `Unsupported value: ${JSON.stringify(value ?? '')}${supported.length ? `: supported values: ${supported.map((item) => JSON.stringify(item)).join(', ')}` : ''}`,
});

/** One error for each message about `value`. */
export function invalidFor(errors: Errors, path: string, value: unknown, messages: readonly string[]): void {
  for (const message of messages) errors.push(invalidField(path, value, message));
}

/** The value must be one of the list; an absent one is required. */
export function checkOneOf(errors: Errors, path: string, value: string | undefined, supported: readonly string[]): void {
  if (!value) errors.push(required(path));
  else if (!supported.includes(value)) errors.push(unsupported(path, value, supported));
}

export function checkNonnegative(errors: Errors, path: string, value: number | undefined): void {
  if (value !== undefined && value < 0) errors.push(invalidField(path, value, isNegativeError));
}

export const notPositive = 'must be greater than zero';

export function checkPositive(errors: Errors, path: string, value: number): void {
  if (value <= 0) errors.push(invalidField(path, value, notPositive));
}

export function checkImmutable(errors: Errors, path: string, value: unknown, old: unknown): void {
  if (!equal(value, old) && !same(value, old)) errors.push(invalidField(path, value, fieldImmutable));
}

export const checkLabel = (errors: Errors, path: string, value: string): void => invalidFor(errors, path, value, isDNS1123Label(value));
export const checkSubdomain = (errors: Errors, path: string, value: string): void =>
  invalidFor(errors, path, value, isDNS1123Subdomain(value));
export const checkQualifiedName = (errors: Errors, path: string, value: string): void =>
  invalidFor(errors, path, value, isQualifiedName(value));

/** A reference to an object by name: required, and a name of its kind. */
export function checkName(errors: Errors, path: string, value: string | undefined, rule: NameRule): void {
  if (!value) errors.push(required(path));
  else invalidFor(errors, path, value, rule(value, false));
}

export function requireText(errors: Errors, path: string, value: string | undefined, detail = ''): void {
  if (!value) errors.push(required(path, detail));
}

export function checkSelector(errors: Errors, path: string, selector: LabelSelector | undefined, options?: LabelSelectorOptions): void {
  if (selector) errors.push(...validateLabelSelector(selector, path, options));
}

export function checkLabels(errors: Errors, path: string, labels: Record<string, string> | undefined): void {
  if (labels) errors.push(...validateLabels(labels, path));
}

/** upstream: ValidatePortNumOrName. */
export function checkPort(errors: Errors, path: string, port: IntOrString | undefined): void {
  if (typeof port === 'string') invalidFor(errors, path, port, isValidPortName(port));
  else invalidFor(errors, path, port ?? 0, isValidPortNum(port ?? 0));
}

/** Whether a map or list has anything in it. */
export const some = (value: object | null | undefined): boolean => {
  if (!value) return false;
  for (const _ in value) return true;
  return false;
};

export { forbiddenField, invalidField, required };
export { duplicate, internalField, notFoundField, tooLong, tooMany } from '#machinery/status';
export type { FieldError };
