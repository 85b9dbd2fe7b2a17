/** upstream: pkg/registry/storage/volumeattributesclass/strategy.go. */
import { VolumeAttributesClass } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { forbiddenField } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { same } from '../same.ts';
import { checkDriver, checkParameters } from './parameters.ts';
import { ageColumn, text } from '../columns.ts';

function validateVolumeAttributesClass({ driverName, parameters }: VolumeAttributesClass): Errors {
  const errors: Errors = [];
  checkDriver(errors, 'driverName', driverName);
  checkParameters(errors, 'parameters', parameters, false);
  return errors;
}

export const volumeAttributesClassRules = defineKind<VolumeAttributesClass>({
  kind: VolumeAttributesClass,
  validate: validateVolumeAttributesClass,
  validateUpdate: (attributes, old) => {
    const errors: Errors = [];
    for (const field of ['driverName', 'parameters'] as const)
      if (!same(attributes[field], old[field])) errors.push(forbiddenField(field, `updates to ${field} are forbidden.`));
    return [...errors, ...validateVolumeAttributesClass(attributes)];
  },
  columns: [text('DriverName', (attributes) => attributes.driverName), ageColumn],
});
