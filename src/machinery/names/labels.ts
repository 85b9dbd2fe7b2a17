import { forbiddenField, invalidField, required } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { LabelSelector, LabelSelectorRequirement } from '../../api/facts/types.ts';
import { isQualifiedName, isValidLabelValue } from './keys.ts';

/** Labels and label selectors. upstream: apimachinery/pkg/apis/meta/v1/validation/validation.go. */

export const validateLabelName = (name: string, path: string): FieldError[] =>
  isQualifiedName(name).map((message) => invalidField(path, name, message));

// Objects of one owner repeat their labels: what was found valid need not be matched again.
const validPairs = new Set<string>();
const rememberedPairs = 16_384;

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const key in labels) {
    const value = labels[key] ?? '';
    const pair = `${key}=${value}`;
    if (validPairs.has(pair)) continue;
    const before = errors.length;
    errors.push(...validateLabelName(key, path));
    for (const message of isValidLabelValue(value)) errors.push(invalidField(path, value, message));
    if (errors.length > before) continue;
    if (validPairs.size >= rememberedPairs) validPairs.clear();
    validPairs.add(pair);
  }
  return errors;
}

export interface LabelSelectorOptions {
  /** For objects stored before the rule existed. */
  allowInvalidLabelValue?: boolean;
  allowUnknownOperator?: boolean;
}

export function validateLabelSelector(selector: LabelSelector | undefined, path: string, options: LabelSelectorOptions = {}): FieldError[] {
  if (!selector) return [];
  return [
    ...validateLabels(selector.matchLabels, `${path}.matchLabels`),
    ...(selector.matchExpressions ?? []).flatMap((requirement, index) =>
      validateLabelSelectorRequirement(requirement, `${path}.matchExpressions[${index}]`, options),
    ),
  ];
}

export function validateLabelSelectorRequirement(
  { key = '', operator = '', values = [] }: Partial<LabelSelectorRequirement>,
  path: string,
  options: LabelSelectorOptions = {},
): FieldError[] {
  const errors: FieldError[] = [];
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length) errors.push(forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  } else if (!options.allowUnknownOperator) errors.push(invalidField(`${path}.operator`, operator, 'not a valid selector operator'));
  errors.push(...validateLabelName(key, `${path}.key`));
  if (!options.allowInvalidLabelValue)
    for (const [index, value] of values.entries())
      for (const message of isValidLabelValue(value)) errors.push(invalidField(`${path}.values[${index}]`, value, message));
  return errors;
}
