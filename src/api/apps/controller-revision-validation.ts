/** upstream: ValidateControllerRevisionCreate, ValidateControllerRevisionUpdate in pkg/apis/apps/validation. */
import { checkImmutable, checkNonnegative, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { ControllerRevision } from '../facts/types.ts';

export function validateControllerRevision({ revision, data }: ControllerRevision): Errors {
  const errors: Errors = [];
  checkNonnegative(errors, 'revision', revision);
  if (data == null) errors.push(required('data', 'data is mandatory'));
  else if (typeof data !== 'object' || Array.isArray(data)) errors.push(required('data', 'data must be a valid JSON object'));
  return errors;
}

export function validateControllerRevisionUpdate(revision: ControllerRevision, old: ControllerRevision): Errors {
  const errors: Errors = [];
  checkNonnegative(errors, 'revision', revision.revision);
  checkImmutable(errors, 'data', revision.data, old.data);
  return errors;
}
