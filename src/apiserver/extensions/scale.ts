/** The scale subresource of custom resources: where its numbers are and what they may be. upstream: pkg/registry/customresource/validator.go. */
import type { CustomResourceSubresourceScale } from '#api';
import type { KindRules } from '#api';
import { invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { isObject } from './schema.ts';

const maxInt32 = 2 ** 31 - 1;
const withoutDot = (path: string): string => path.replace(/^\./, '');

function at(object: unknown, path: string): unknown {
  let value = object;
  for (const field of withoutDot(path).split('.')) value = isObject(value) ? value[field] : undefined;
  return value;
}

export const scaleRules = (scale: CustomResourceSubresourceScale): NonNullable<KindRules['scale']> => ({
  specReplicas: withoutDot(scale.specReplicasPath),
  statusReplicas: withoutDot(scale.statusReplicasPath),
  selector: (object) => (scale.labelSelectorPath ? String((at(object, scale.labelSelectorPath) as string | undefined) ?? '') : ''),
});

export function checkScaleSpec(object: unknown, scale: CustomResourceSubresourceScale | undefined): FieldError[] {
  return scale ? checkCount(object, scale.specReplicasPath) : [];
}

export function checkScaleStatus(object: unknown, scale: CustomResourceSubresourceScale | undefined): FieldError[] {
  if (!scale) return [];
  const errors = checkCount(object, scale.statusReplicasPath);
  const selector = scale.labelSelectorPath ? at(object, scale.labelSelectorPath) : undefined;
  if (selector !== undefined && typeof selector !== 'string')
    errors.push(
      invalidField(scale.labelSelectorPath!, '', `${scale.labelSelectorPath} accessor error: ${String(selector)} is not a string`),
    );
  return errors;
}

/** A field on the way whose parent is no object. upstream: apimachinery's NestedFieldNoCopy. */
function obstacle(object: unknown, path: string): string | undefined {
  let value = object;
  for (const field of withoutDot(path).split('.')) {
    if (value === undefined || value === null) return undefined;
    if (!isObject(value))
      return `${path} accessor error: ${typeof value === 'string' ? value : JSON.stringify(value)} is of the type ${typeof value}, expected map[string]interface{}`;
    value = value[field];
  }
  return undefined;
}

function checkCount(object: unknown, path: string): FieldError[] {
  const blocked = obstacle(object, path);
  if (blocked) return [invalidField(path, 0, blocked)];
  const count = at(object, path);
  if (count === undefined) return [];
  if (typeof count !== 'bigint' && (typeof count !== 'number' || !Number.isInteger(count)))
    return [
      invalidField(
        path,
        0,
        `${path} accessor error: ${typeof count === 'string' ? count : JSON.stringify(count)} is of the type ${typeof count === 'number' ? 'float64' : typeof count}, expected int64`,
      ),
    ];
  if (count < 0) return [invalidField(path, count, 'should be a non-negative integer')];
  if (count > maxInt32) return [invalidField(path, count, `should be less than or equal to ${maxInt32}`)];
  return [];
}
