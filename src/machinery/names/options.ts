import { forbiddenField, invalidField, notSupported, required } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { DeleteOptions } from '../../api/facts/types.ts';
import { validateFieldManager } from './managed-fields.ts';

/** The options of requests. upstream: apimachinery/pkg/apis/meta/v1/validation/validation.go. */

export interface WriteOptions {
  dryRun?: readonly string[];
  fieldManager?: string;
  fieldValidation?: string;
}

export const validateDryRun = (dryRun: readonly string[] | undefined, path = 'dryRun'): FieldError[] =>
  (dryRun ?? []).every((value) => value === 'All') ? [] : [notSupported(path, dryRun, ['All'])];

export const validateFieldValidation = (value: string | undefined, path = 'fieldValidation'): FieldError[] =>
  ['', 'Ignore', 'Warn', 'Strict'].includes(value ?? '') ? [] : [notSupported(path, value, ['', 'Ignore', 'Strict', 'Warn'])];

/** CreateOptions and UpdateOptions. */
export const validateWriteOptions = (options: WriteOptions): FieldError[] => [
  ...validateFieldManager(options.fieldManager, 'fieldManager'),
  ...validateDryRun(options.dryRun),
  ...validateFieldValidation(options.fieldValidation),
];

export function validatePatchOptions(options: WriteOptions & { force?: boolean }, isApply: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (isApply) {
    if (!options.fieldManager) errors.push(required('fieldManager', 'is required for apply patch'));
  } else if (options.force !== undefined) errors.push(forbiddenField('force', 'may not be specified for non-apply patch'));
  return [...errors, ...validateWriteOptions(options)];
}

export function validateDeleteOptions(options: DeleteOptions): FieldError[] {
  const errors: FieldError[] = [];
  const { orphanDependents, propagationPolicy } = options;
  if (orphanDependents !== undefined && propagationPolicy !== undefined)
    errors.push(invalidField('propagationPolicy', propagationPolicy, 'orphanDependents and deletionPropagation cannot be both set'));
  if (propagationPolicy !== undefined && !['Foreground', 'Background', 'Orphan'].includes(propagationPolicy))
    errors.push(notSupported('propagationPolicy', propagationPolicy, ['Foreground', 'Background', 'Orphan', 'nil'], false));
  errors.push(...validateDryRun(options.dryRun));
  if (options.ignoreStoreReadErrorWithClusterBreakingPotential) {
    const path = 'ignoreStoreReadErrorWithClusterBreakingPotential';
    const clash = (name: string): FieldError => invalidField(path, true, `cannot be set together with .${name}`);
    if (options.dryRun?.length) errors.push(clash('dryRun'));
    if (propagationPolicy !== undefined) errors.push(clash('propagationPolicy'));
    if (orphanDependents !== undefined) errors.push(clash('orphanDependents'));
    if (options.gracePeriodSeconds !== undefined) errors.push(clash('gracePeriodSeconds'));
    if (options.preconditions !== undefined) errors.push(clash('preconditions'));
  }
  return errors;
}
