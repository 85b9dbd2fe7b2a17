import { duplicate, invalidField, notSupported, required, tooLong } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { Condition } from '../../api/facts/types.ts';
import { validateLabelName } from './labels.ts';
import { byteLength, regexError } from './texts.ts';

/** metav1.Condition. upstream: apimachinery/pkg/apis/meta/v1/validation/validation.go. */

const longestReason = 1024;
const longestMessage = 32 * 1024;
const reasonExpression = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?';
const reasonPattern = new RegExp(`^${reasonExpression}$`);
const reasonText =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'";

export function validateConditions(conditions: readonly Condition[] | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const types = new Set<string>();
  for (const [index, condition] of (conditions ?? []).entries()) {
    if (types.has(condition.type)) errors.push(duplicate(`${path}[${index}].type`, condition.type));
    types.add(condition.type);
    errors.push(...validateCondition(condition, `${path}[${index}]`));
  }
  return errors;
}

export function validateCondition(condition: Condition, path: string): FieldError[] {
  const { type = '', status = '', observedGeneration, lastTransitionTime, reason = '', message = '' } = condition as Partial<Condition>;
  const errors = validateLabelName(type, `${path}.type`);
  if (!['True', 'False', 'Unknown'].includes(status)) errors.push(notSupported(`${path}.status`, status, ['False', 'True', 'Unknown']));
  if (observedGeneration !== undefined && observedGeneration < 0)
    errors.push(invalidField(`${path}.observedGeneration`, observedGeneration, 'must be greater than or equal to zero'));
  if (!lastTransitionTime) errors.push(required(`${path}.lastTransitionTime`));
  if (reason === '') errors.push(required(`${path}.reason`));
  else {
    if (!reasonPattern.test(reason))
      errors.push(
        invalidField(
          `${path}.reason`,
          reason,
          regexError(reasonText, reasonExpression, 'my_name', 'MY_NAME', 'MyName', 'ReasonA,ReasonB', 'ReasonA:ReasonB'),
        ),
      );
    if (byteLength(reason) > longestReason) errors.push(tooLong(`${path}.reason`, longestReason));
  }
  if (byteLength(message) > longestMessage) errors.push(tooLong(`${path}.message`, longestMessage));
  return errors;
}
