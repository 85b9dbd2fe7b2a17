/** Errors about fields. upstream: apimachinery/pkg/util/validation/field (texts are read by clients and tests). */

export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'InternalError'
  | 'FieldValueTypeInvalid';

export interface FieldError {
  type: FieldErrorType;
  /** As upstream writes it: spec.containers[0].name, metadata.labels[a/b]. */
  field: string;
  /** The message without the field in front. */
  message: string;
}

/** Fields that are maps in Go, which prints those by their keys. */
const maps = new Set(['matchLabels', 'nodeSelector', 'labels', 'annotations', 'requests', 'limits']);
const sorted = (key: string, value: unknown): unknown =>
  maps.has(key) && typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** How upstream prints a bad value inside a message. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return JSON.stringify(value, sorted);
}

const withDetail = (text: string, detail: string): string => (detail ? `${text}: ${detail}` : text);

export const notFoundField = (field: string, value: unknown): FieldError => ({
  type: 'FieldValueNotFound',
  field,
  message: `Not found: ${shown(value)}`,
});
export const required = (field: string, detail = ''): FieldError => ({
  type: 'FieldValueRequired',
  field,
  message: withDetail('Required value', detail),
});
export const duplicate = (field: string, value: unknown): FieldError => ({
  type: 'FieldValueDuplicate',
  field,
  message: `Duplicate value: ${shown(value)}`,
});
export const invalidField = (field: string, value: unknown, detail: string): FieldError => ({
  type: 'FieldValueInvalid',
  field,
  message: withDetail(`Invalid value: ${shown(value)}`, detail),
});
export const typeInvalid = (field: string, value: unknown, detail: string): FieldError => ({
  type: 'FieldValueTypeInvalid',
  field,
  message: withDetail(`Invalid value: ${shown(value)}`, detail),
});
/** `sorted` false: told in the order given, as upstream does where it has a list and no set. */
export const notSupported = (field: string, value: unknown, supported: readonly string[], sorted = true): FieldError => ({
  type: 'FieldValueNotSupported',
  field,
  message: withDetail(
    `Unsupported value: ${shown(value)}`,
    supported.length
      ? `supported values: ${(sorted ? supported.toSorted() : supported).map((item) => JSON.stringify(item)).join(', ')}`
      : '',
  ),
});
export const forbiddenField = (field: string, detail: string): FieldError => ({
  type: 'FieldValueForbidden',
  field,
  message: withDetail('Forbidden', detail),
});
export const tooLong = (field: string, limit: number): FieldError => ({
  type: 'FieldValueTooLong',
  field,
  message: limit >= 0 ? `Too long: may not be more than ${limit} bytes` : 'Too long: value is too long',
});
export const tooMany = (field: string, actual: number, limit: number): FieldError => ({
  type: 'FieldValueTooMany',
  field,
  message: limit >= 0 ? `Too many: ${actual}: must have at most ${limit} items` : `Too many: ${actual}: has too many items`,
});
export const internalField = (field: string, detail: string): FieldError => ({
  type: 'InternalError',
  field,
  message: `Internal error: ${detail}`,
});
