/** Counts that may be percentages. upstream: pkg/apis/apps/validation. */
import { isValidPercent } from '#machinery/names';
import { checkNonnegative, invalidField, invalidFor } from './checks.ts';
import type { Errors } from './checks.ts';
import type { IntOrString } from './facts/types.ts';

const isPercent = (value: IntOrString | undefined): value is string => typeof value === 'string' && isValidPercent(value).length === 0;

/** The number in front of the percent sign, or the count. */
export const countOf = (value: IntOrString | undefined): number =>
  typeof value === 'string' ? Number.parseInt(value, 10) || 0 : (value ?? 0);

export function checkCountOrPercent(errors: Errors, path: string, value: IntOrString | undefined): void {
  if (typeof value === 'string') invalidFor(errors, path, value, isValidPercent(value));
  else checkNonnegative(errors, path, value);
}

export function checkAtMostAll(errors: Errors, path: string, value: IntOrString | undefined): void {
  if (isPercent(value) && countOf(value) > 100) errors.push(invalidField(path, value, 'must not be greater than 100%'));
}
