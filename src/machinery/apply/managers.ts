import type { Comparison } from './compare.ts';
import { managerId, updatesByAge, withFields } from './entries.ts';
import type { ManagedEntries, ManagedEntry } from './entries.ts';
import { difference, fieldsOf, intersection, isEmptyFields, recursiveDifference, union } from './fields.ts';
import type { Fields } from './fields.ts';
import type { VersionedComparison } from './versions.ts';

/** What a change of the object does to those who manage its fields. upstream: structured-merge-diff/merge/update.go. */

/** Upstream's cap and name for what it folds together. upstream: managedfields/internal/capmanagers.go. */
const maxUpdateManagers = 10;
const ancientChanges = 'ancient-changes';

/** Fields that nobody owns. upstream: managedfields/internal/stripmeta.go. */
export const neverOwned = fieldsOf([
  'apiVersion',
  'kind',
  'metadata',
  'metadata.name',
  'metadata.namespace',
  'metadata.creationTimestamp',
  'metadata.selfLink',
  'metadata.uid',
  'metadata.clusterName',
  'metadata.generation',
  'metadata.managedFields',
  'metadata.resourceVersion',
]);

/** Without the fields that this request cannot change. */
export function filtered(changes: Comparison | undefined, reset: Fields | undefined): Comparison | undefined {
  if (!changes || !reset) return changes;
  const { added, modified, removed } = changes;
  return {
    added: recursiveDifference(added, reset),
    modified: recursiveDifference(modified, reset),
    removed: recursiveDifference(removed, reset),
  };
}

export const changed = (changes: Comparison | undefined): Fields | undefined => changes && union(changes.modified, changes.added);

/** The fields of others that the change touches, by their manager. */
export function conflictsOf(
  managed: ManagedEntries,
  comparison: VersionedComparison,
  reset: Fields | undefined,
  applier: string,
): Map<string, { entry: ManagedEntry; fields: Fields }> {
  const conflicts = new Map<string, { entry: ManagedEntry; fields: Fields }>();
  for (const [id, entry] of managed) {
    if (id === applier) continue;
    const changes = comparison.at(entry.apiVersion);
    if (!changes || changes === 'gone') continue;
    const fields = intersection(entry.fields, changed(filtered(changes, reset)));
    if (!isEmptyFields(fields)) conflicts.set(id, { entry, fields: fields! });
  }
  return conflicts;
}

/** Takes from all managers but one what the change took over or removed. Changes `managed`. */
export function yieldFields(managed: ManagedEntries, comparison: VersionedComparison, reset: Fields | undefined, except?: string): void {
  for (const [id, entry] of managed) {
    if (id === except) continue;
    const found = comparison.at(entry.apiVersion);
    if (found === 'gone') {
      managed.delete(id);
      continue;
    }
    const changes = filtered(found, reset);
    if (!changes) continue;
    const rest = withFields(entry, difference(difference(entry.fields, changed(changes)), changes.removed));
    if (!rest) managed.delete(id);
    else if (rest !== entry) managed.set(id, rest);
  }
}

/** Folds the oldest updates into one entry a version, so that there are never more than ten. Changes `managed`. */
export function capManagers(managed: ManagedEntries): void {
  if (managed.size <= maxUpdateManagers) return;
  const updates = updatesByAge(managed);
  let count = updates.length;
  const first = new Map<string, string>();
  for (const [id, entry] of updates) {
    if (count <= maxUpdateManagers) return;
    const { apiVersion, time } = entry;
    const start = first.get(apiVersion);
    if (start === undefined) {
      first.set(apiVersion, id);
      continue;
    }
    const bucket = { manager: ancientChanges, operation: 'Update', apiVersion, subresource: '', time } as const;
    const bucketId = managerId(bucket);
    const before = managed.get(bucketId) ?? managed.get(start);
    if (!managed.has(bucketId)) managed.delete(start);
    managed.set(bucketId, { ...bucket, fields: union(before?.fields, entry.fields)! });
    if (id !== bucketId) managed.delete(id);
    count--;
  }
}
