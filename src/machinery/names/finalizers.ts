import { forbiddenField, invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { isQualifiedName } from './keys.ts';

/** upstream: apimachinery/pkg/api/validation/objectmeta.go. */

const orphan = 'orphan';
const foreground = 'foregroundDeletion';

export const validateFinalizerName = (name: string, path: string): FieldError[] =>
  isQualifiedName(name).map((message) => invalidField(path, name, message));

export function validateFinalizers(finalizers: readonly string[] | undefined, path: string): FieldError[] {
  if (!finalizers?.length) return [];
  const errors = finalizers.flatMap((name) => validateFinalizerName(name, path));
  if (finalizers.includes(orphan) && finalizers.includes(foreground))
    errors.push(invalidField(path, finalizers, `finalizer ${orphan} and ${foreground} cannot be both set`));
  return errors;
}

/** An object that is being deleted takes no new finalizers. */
export function validateNoNewFinalizers(
  finalizers: readonly string[] | undefined,
  old: readonly string[] | undefined,
  path: string,
): FieldError[] {
  const extra = [...new Set(finalizers)].filter((name) => !old?.includes(name)).sort();
  if (extra.length === 0) return [];
  const list = `[]string{${extra.map((name) => JSON.stringify(name)).join(', ')}}`;
  return [forbiddenField(path, `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`)];
}
