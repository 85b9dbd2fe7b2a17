import { isLabelKey, isValidLabelValue } from '#machinery/names';
import { invalidField, notSupported } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { SelectorError } from './error.ts';

/** upstream: apimachinery/pkg/selection; the words are those that selectors are written with. */
export type Operator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

/** One condition on one label. */
export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

export const operators: readonly Operator[] = ['in', 'notin', '=', '==', '!=', 'gt', 'lt', 'exists', '!'];

const smallest = -(1n << 63n);
const largest = (1n << 63n) - 1n;

/** A 64-bit integer as Go reads one; undefined where the text is none. */
export function integer(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined;
  const number = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return number < smallest || number > largest ? undefined : number;
}

const child = (path: string, name: string): string => (path ? `${path}.${name}` : name);

/** Checked: throws a SelectorError with upstream's text. upstream: labels.NewRequirement. */
export function requirement(key: string, operator: Operator, values: readonly string[], path = ''): Requirement {
  const errors: FieldError[] = [];
  const at = child(path, 'values');
  const keyErrors = isLabelKey(key);
  if (keyErrors.length) errors.push(invalidField(child(path, 'key'), key, keyErrors.join('; ')));
  switch (operator) {
    case 'in':
    case 'notin':
      if (values.length === 0) errors.push(invalidField(at, values, "for 'in', 'notin' operators, values set can't be empty"));
      break;
    case '=':
    case '==':
    case '!=':
      if (values.length !== 1) errors.push(invalidField(at, values, 'exact-match compatibility requires one single value'));
      break;
    case 'exists':
    case '!':
      if (values.length) errors.push(invalidField(at, values, 'values set must be empty for exists and does not exist'));
      break;
    case 'gt':
    case 'lt':
      if (values.length !== 1) errors.push(invalidField(at, values, "for 'Gt', 'Lt' operators, exactly one value is required"));
      for (const [index, value] of values.entries())
        if (integer(value) === undefined)
          errors.push(invalidField(`${at}[${index}]`, value, "for 'Gt', 'Lt' operators, the value must be an integer"));
      break;
    default:
      errors.push(notSupported(child(path, 'operator'), operator, operators));
  }
  for (const [index, value] of values.entries()) {
    const valueErrors = isValidLabelValue(value);
    if (valueErrors.length) errors.push(invalidField(`${at}[${index}][${key}]`, value, valueErrors.join('; ')));
  }
  if (errors.length) throw new SelectorError(aggregate(errors));
  return { key, operator, values };
}

/** Field errors as one text. upstream: apimachinery/pkg/util/errors Aggregate. */
function aggregate(errors: readonly FieldError[]): string {
  const lines = [...new Set(errors.map((error) => `${error.field}: ${error.message}`))];
  return lines.length === 1 ? lines[0]! : `[${lines.join(', ')}]`;
}

/** As it is written in a selector. */
export function formatRequirement({ key, operator, values }: Requirement): string {
  const list = (): string => [...values].sort().join(',');
  switch (operator) {
    case '!':
      return `!${key}`;
    case 'exists':
      return key;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${list()})`;
    case 'gt':
      return `${key}>${list()}`;
    case 'lt':
      return `${key}<${list()}`;
    default:
      return `${key}${operator}${list()}`;
  }
}
