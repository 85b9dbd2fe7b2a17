/** What updates of all kinds have in common. upstream: apiserver/pkg/registry/rest/update.go. */
import { equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import type { FieldError } from '#machinery/status';

/** Makes the field what it was. */
export function restoreField(object: KubeObject, old: KubeObject, field: string): void {
  const target = object as Record<string, unknown>;
  const value = (old as Record<string, unknown>)[field];
  if (value === undefined) delete target[field];
  else target[field] = value;
}

/** What an update of the status may not touch. */
export function restoreAllButStatus(object: KubeObject, old: KubeObject): void {
  for (const field of new Set([...Object.keys(object), ...Object.keys(old)]))
    if (field !== 'metadata' && field !== 'status') restoreField(object, old, field);
}

/**
 * Whether an update changes nothing. Managed fields that differ in their times alone are no change: they get the old times back.
 * upstream: managedfields IgnoreManagedFieldsTimestampsTransformer.
 */
export function changesNothing(object: KubeObject, old: KubeObject): boolean {
  const fields = object.metadata?.managedFields;
  const before = old.metadata?.managedFields;
  if (!fields || !before || fields === before) return equal(object, old);
  if (fields.length !== before.length) return false;
  for (const [index, entry] of fields.entries())
    if (entry !== before[index] && !equal({ ...entry, time: '' }, { ...before[index], time: '' })) return false;
  if (!equal({ ...object, metadata: { ...object.metadata, managedFields: before } }, old)) return false;
  object.metadata!.managedFields = before;
  return true;
}

/** Metadata rules and the kind's may say the same twice. */
export function distinct(errors: FieldError[]): FieldError[] {
  const seen = new Set<string>();
  return errors.filter((error) => {
    const text = `${error.type}|${error.field}|${error.message}`;
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}
