/** upstream: ValidateLimitRange in pkg/apis/core/validation. */
import { isQualifiedName } from '#machinery/names';
import { compareQuantities, isQuantity, parseQuantity } from '#machinery/quantity';
import { duplicate, forbiddenField, invalidField, invalidFor, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { LimitRange, LimitRangeItem, Quantity } from '../facts/types.ts';
import { isOvercommitAllowed } from './resource-list.ts';
import { checkContainerResourceName, checkResourceName } from './validation/resources.ts';

function checkType(errors: Errors, path: string, type: string): void {
  const messages = isQualifiedName(type);
  invalidFor(errors, path, type, messages);
  if (!messages.length && !type.includes('/') && !['Pod', 'Container', 'PersistentVolumeClaim'].includes(type))
    errors.push(invalidField(path, type, 'must be a standard limit type or fully qualified'));
}

type List = 'max' | 'min' | 'default' | 'defaultRequest' | 'maxLimitRequestRatio';

function checkItem(errors: Errors, path: string, item: LimitRangeItem): void {
  const checkName = item.type === 'Pod' || item.type === 'Container' ? checkContainerResourceName : checkResourceName;
  const names = new Set<string>();
  const collect = (list: List): void => {
    for (const name in item[list]) {
      checkName(errors, `${path}.${list}[${name}]`, name);
      names.add(name);
    }
  };
  collect('max');
  collect('min');
  if (item.type === 'Pod') {
    for (const list of ['default', 'defaultRequest'] as const)
      if (Object.keys(item[list] ?? {}).length) errors.push(forbiddenField(`${path}.${list}`, "may not be specified when `type` is 'Pod'"));
  } else {
    collect('default');
    collect('defaultRequest');
  }
  if (item.type === 'PersistentVolumeClaim' && item.min?.['storage'] === undefined && item.max?.['storage'] === undefined)
    errors.push(required(`${path}.limits`, 'either minimum or maximum storage value is required, but neither was provided'));
  collect('maxLimitRequestRatio');
  for (const name of names) checkAmounts(errors, path, item, name);
}

/** What is less must not be more. */
function checkAmounts(errors: Errors, path: string, item: LimitRangeItem, name: string): void {
  const isPod = item.type === 'Pod';
  const amount = (list: List): Quantity | undefined => (isQuantity(item[list]?.[name]) ? item[list]![name] : undefined);
  const min = amount('min');
  const max = amount('max');
  const limit = isPod ? undefined : amount('default');
  const request = isPod ? undefined : amount('defaultRequest');
  const ratio = amount('maxLimitRequestRatio');
  const text = (value: Quantity): string => parseQuantity(value).toString();
  const compare = (a: Quantity | undefined, b: Quantity | undefined, list: List, shown: 'a' | 'b', words: [string, string]): void => {
    if (a === undefined || b === undefined || compareQuantities(a, b) <= 0) return;
    errors.push(
      invalidField(
        `${path}.${list}[${name}]`,
        text(shown === 'a' ? a : b),
        `${words[0]} value ${text(a)} is greater than ${words[1]} value ${text(b)}`,
      ),
    );
  };
  compare(min, max, 'min', 'a', ['min', 'max']);
  compare(min, request, 'defaultRequest', 'b', ['min', 'default request']);
  compare(request, max, 'defaultRequest', 'a', ['default request', 'max']);
  compare(request, limit, 'defaultRequest', 'a', ['default request', 'default limit']);
  compare(min, limit, 'default', 'a', ['min', 'default']);
  compare(limit, max, 'default', 'b', ['default', 'max']);
  if (ratio !== undefined) {
    const at = `${path}.maxLimitRequestRatio[${name}]`;
    if (compareQuantities(ratio, '1') < 0) errors.push(invalidField(at, text(ratio), `ratio ${text(ratio)} is less than 1`));
    if (min !== undefined && max !== undefined) {
      const most = parseQuantity(max).toNumber() / parseQuantity(min).toNumber();
      if (parseQuantity(ratio).toNumber() > most)
        errors.push(invalidField(at, text(ratio), `ratio ${text(ratio)} is greater than max/min = ${most.toFixed(6)}`));
    }
  }
  if (!isOvercommitAllowed(name) && limit !== undefined && request !== undefined && compareQuantities(limit, request) !== 0)
    errors.push(
      invalidField(
        `${path}.defaultRequest[${name}]`,
        text(request),
        `default value ${text(limit)} must equal to defaultRequest value ${text(request)} in ${name}`,
      ),
    );
}

export function validateLimitRange({ spec }: LimitRange): Errors {
  const errors: Errors = [];
  const types = new Set<string>();
  for (const [index, item] of (spec?.limits ?? []).entries()) {
    const path = `spec.limits[${index}]`;
    checkType(errors, `${path}.type`, item.type ?? '');
    if (types.has(item.type)) errors.push(duplicate(`${path}.type`, item.type));
    types.add(item.type);
    checkItem(errors, path, item);
  }
  return errors;
}
