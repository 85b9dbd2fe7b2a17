import { timeText } from '#machinery/clock';
import type { KubeObject, ObjectMeta } from '#machinery/meta';
import { applyConflict } from './conflict.ts';
import { decodeManagedFields, encodeManagedFields, managerId, withFields } from './entries.ts';
import type { ManagedEntries } from './entries.ts';
import { firstFields, ownedOf } from './first-fields.ts';
import { difference, isEmptyFields, union } from './fields.ts';
import type { Fields } from './fields.ts';
import { capManagers, conflictsOf, filtered, yieldFields } from './managers.ts';
import { PathElementError } from './path-element.ts';
import type { TypeSchema } from './schema.ts';
import { reconcileSchemas } from './schema-changes.ts';
import { VersionedComparison } from './versions.ts';
import type { Versions } from './versions.ts';

export interface UpdateOptions<T extends KubeObject> {
  /** What is stored; undefined on create. */
  live: T | undefined;
  /** What is about to be stored. Its managedFields are the client's: an empty list, or one empty entry, forgets everything tracked. */
  updated: T;
  /** The field manager that the client gave, or its user agent up to the first slash. */
  manager: string;
  /** "" for the resource itself. */
  subresource?: string;
  apiVersion: string;
  schema: TypeSchema;
  /** Milliseconds since 1970. */
  now: number;
  /** Fields that a request on this (sub)resource never changes (upstream: GetResetFields), by fieldsOf. */
  resetFields?: Fields | undefined;
  versions?: Versions | undefined;
  /** The update is what an apply to a subresource of another kind (the scale) makes of the object: these fields were applied. */
  byApply?: { fields: Fields; force: boolean } | undefined;
}

/** The object with other managedFields; itself where they are the same already. */
export function withManagedFields<T extends KubeObject>(object: T, managed: ObjectMeta['managedFields']): T {
  if (object.metadata?.managedFields === managed) return object;
  if (managed && object.metadata && !('managedFields' in object.metadata))
    return { ...object, metadata: { ...object.metadata, managedFields: managed } };
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata: managed ? { ...metadata, managedFields: managed } : metadata };
}

/** The object without what only tracks it. */
export const untracked = <T extends KubeObject>(object: T): T => withManagedFields(object, undefined);

function isReset(entries: ObjectMeta['managedFields']): boolean {
  if (!entries) return false;
  return entries.length === 0 || (entries.length === 1 && Object.keys(entries[0]!).length === 0);
}

const empty = (): ManagedEntries => new Map();

/** Where tracking goes on from: what the client sends wins over what is stored, unless it cannot be read or the request is on a subresource. */
function startingPoint(live: ObjectMeta['managedFields'], updated: ObjectMeta['managedFields'], isSubresource: boolean): ManagedEntries {
  if (isSubresource) return decodeManagedFields(live) ?? empty();
  if (isReset(updated)) return empty();
  const managed = updated && decodeManagedFields(updated);
  return managed?.size ? managed : (decodeManagedFields(live) ?? empty());
}

/**
 * The updated object with managedFields that say who wrote what. Runs on every write. Where nothing but the tracking changed, the stored
 * entries stay as they are, times included. upstream: managedfields/internal/fieldmanager.go Update.
 */
export function trackUpdate<T extends KubeObject>(options: UpdateOptions<T>): T {
  const { live, updated, subresource = '' } = options;
  const managed = startingPoint(live?.metadata?.managedFields, updated.metadata?.managedFields, subresource !== '');
  // An object that nobody tracks (its owner asked so) stays untracked.
  if (managed.size === 0 && live?.metadata?.uid) return untracked(updated);
  try {
    track(managed, options);
  } catch (error) {
    // An object with items that cannot be told apart (without keys) is not tracked any more; the write goes on. upstream: UpdateNoErrors.
    if (error instanceof PathElementError) return untracked(updated);
    throw error;
  }
  return withManagedFields(
    updated,
    unchanged(encodeManagedFields(managed, options.versions ? undefined : options.schema), live?.metadata?.managedFields),
  );
}

/** The stored list itself where all its entries are the same. */
export function unchanged(entries: ObjectMeta['managedFields'], stored: ObjectMeta['managedFields']): ObjectMeta['managedFields'] {
  return entries && stored?.length === entries.length && entries.every((entry, index) => entry === stored[index]) ? stored : entries;
}

/** Changes `managed` as the update does. */
export function track<T extends KubeObject>(managed: ManagedEntries, options: UpdateOptions<T>): void {
  const { live, updated, subresource = '', apiVersion, schema, now, resetFields, versions } = options;
  const manager = options.manager || 'unknown';
  if (live) reconcileSchemas(managed, versions ? (version) => versions(live, version)?.schema : () => schema);
  const comparison = new VersionedComparison(live ? untracked(live) : {}, untracked(updated), schema, apiVersion, versions);
  const found = comparison.at(apiVersion) as Exclude<ReturnType<VersionedComparison['at']>, 'gone'>;
  const { byApply } = options;
  const entry = { manager, operation: byApply ? 'Apply' : 'Update', apiVersion, subresource, time: timeText(now) } as const;
  const id = managerId(entry);
  if (byApply) {
    const conflicts = byApply.force ? undefined : conflictsOf(managed, comparison, resetFields, id);
    if (conflicts?.size) throw applyConflict(conflicts);
    yieldFields(managed, comparison, resetFields, id);
    managed.set(id, { ...entry, fields: byApply.fields });
  } else if (found && managed.size === 0) {
    const fields = firstFields(found, resetFields);
    if (fields) managed.set(id, { ...entry, fields });
  } else if (found) {
    yieldFields(managed, comparison, resetFields, id);
    const changes = filtered(found, resetFields);
    const mine = ownedOf(changes, resetFields);
    const before = managed.get(id);
    const kept = difference(before?.fields, changes?.removed);
    // Mostly what changed was the manager's already: then its set stays the very object it was.
    if (!isEmptyFields(mine)) managed.set(id, { ...entry, fields: union(kept, mine)! });
    else if (before) {
      const rest = withFields(before, kept);
      if (rest) managed.set(id, rest);
      else managed.delete(id);
    }
  }
  capManagers(managed);
}
