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

/** Managed fields that differ in their times alone are no change. upstream: managedfields IgnoreManagedFieldsTimestampsTransformer. */
export function ignoreTimestamps(object: KubeObject, old: KubeObject): void {
  const fields = object.metadata?.managedFields;
  const before = old.metadata?.managedFields;
  if (!fields || !before || fields.length !== before.length) return;
  const timeless = (entries: typeof fields): unknown[] => entries.map(({ time: _, ...entry }) => entry);
  if (!equal(timeless(fields), timeless(before))) return;
  const { managedFields: _, ...meta } = object.metadata!;
  const { managedFields: __, ...oldMeta } = old.metadata!;
  if (equal({ ...object, metadata: meta }, { ...old, metadata: oldMeta })) object.metadata!.managedFields = before;
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
