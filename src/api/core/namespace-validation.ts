/** upstream: ValidateNamespace and its subresources in pkg/apis/core/validation. */
import { validateFinalizerName } from '#machinery/names';
import { invalidField } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { Namespace } from '../facts/types.ts';

const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

export function validateNamespace({ spec }: Namespace): Errors {
  const errors: Errors = [];
  for (const [index, name] of (spec?.finalizers ?? []).entries()) {
    const path = `spec.finalizers[${index}]`;
    errors.push(...validateFinalizerName(name, path));
    if (!name.includes('/') && !standardFinalizers.has(name))
      errors.push(invalidField(path, name, 'name is neither a standard finalizer name nor is it fully qualified'));
  }
  return errors;
}

export function validateNamespaceStatus({ metadata, status }: Namespace): Errors {
  const wanted = metadata?.deletionTimestamp ? 'Terminating' : 'Active';
  if (status?.phase === wanted) return [];
  const text = metadata?.deletionTimestamp
    ? "may only be 'Terminating' if `deletionTimestamp` is not empty"
    : "may only be 'Active' if `deletionTimestamp` is empty";
  return [invalidField('status.Phase', status?.phase ?? '', text)];
}
