import { timeText } from '#machinery/clock';
import { draft, equal } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { badRequest, failure } from '#machinery/status';
import { applyConflict } from './conflict.ts';
import { decodeManagedFields, encodeManagedFields, managerId } from './entries.ts';
import type { ManagedEntries, ManagedEntry } from './entries.ts';
import { fieldSetOf, withNamedFields } from './field-set.ts';
import { difference, intersection, isEmptyFields, recursiveDifference, union } from './fields.ts';
import type { Fields } from './fields.ts';
import { kubectlManager, withLastApplied, withoutLastApplied } from './last-applied.ts';
import { conflictsOf, neverOwned, yieldFields } from './managers.ts';
import { mergeApplied } from './merge.ts';
import { removeFields, withoutEmptied } from './remove.ts';
import { isAbsent } from './schema.ts';
import { reconcileSchemas } from './schema-changes.ts';
import type { TypeSchema } from './schema.ts';
import { track, unchanged, untracked, withManagedFields } from './update.ts';
import { validateApplied, validationText } from './validate.ts';
import { VersionedComparison } from './versions.ts';
import type { Versions } from './versions.ts';

export interface ApplyOptions<T extends KubeObject> {
  /** What is stored; undefined where the object is about to be created. */
  live: T | undefined;
  /** What an object of the kind is before anybody sets a field: Go's zero. Absent: it has none. */
  empty?: T | undefined;
  /** The configuration, as the client sent it. */
  applied: KubeObject;
  manager: string;
  /** Take over fields that others manage. */
  force?: boolean;
  /** "" for the resource itself. */
  subresource?: string;
  apiVersion: string;
  kind: string;
  schema: TypeSchema;
  /** Milliseconds since 1970. */
  now: number;
  /** Fills in defaults; changes its argument. The result of an apply is compared with the live object after it. */
  applyDefaults?(object: T): void;
  resetFields?: Fields | undefined;
  versions?: Versions | undefined;
}

const beforeFirstApply = 'before-first-apply';

/**
 * Applies a configuration: merges it into the live object, removes what this manager applied before and does not any more, and says in
 * managedFields who manages what. Throws a StatusError: 400 for what cannot be applied, 409 where others manage a field with another
 * value. upstream: managedfields/internal/fieldmanager.go Apply, structured-merge-diff/merge/update.go.
 */
export function applyPatch<T extends KubeObject>(options: ApplyOptions<T>): T {
  const { live, applied, manager, subresource = '', apiVersion, schema, now, versions } = options;
  check(options);
  const managed = decodeManagedFields(live?.metadata?.managedFields);
  if (!managed) throw failure(500, '', 'failed to decode managed fields: invalid entry');
  const before = live ? untracked(live) : (options.empty ?? ({ apiVersion, kind: options.kind } as T));
  if (managed.size === 0 && live)
    // Nobody tracked it so far: all that it has was written by somebody else.
    track(managed, { ...options, live: options.empty, updated: before, manager: beforeFirstApply });

  reconcileSchemas(managed, versions ? (version) => versions(before, version)?.schema : () => schema);
  const entry = { manager: manager || 'unknown', operation: 'Apply', apiVersion, subresource, time: timeText(now) } as const;
  const id = managerId(entry);
  const last = managed.get(id);
  const set = recursiveDifference(fieldSetOf(applied, schema), options.resetFields);
  managed.set(id, { ...entry, time: last?.time, fields: set ?? {} });
  const merged = mergeApplied(before, applied, schema) as T;
  const pruned = withoutNulls(leavesOut(last, set, options) ? prune(merged, managed, last, options) : merged, schema) as T;
  const { object, result } = settle(before, pruned, managed, id, options);

  const own = difference(managed.get(id)?.fields, neverOwned);
  const same = last !== undefined && equal(own, last.fields);
  if (isEmptyFields(own)) managed.delete(id);
  else if (last && object === undefined)
    managed.set(id, same && last.apiVersion === apiVersion ? last : { ...entry, time: last.time, fields: own! });
  else managed.set(id, { ...entry, fields: same ? last.fields : own! });
  const tracked = withManagedFields(
    result,
    unchanged(encodeManagedFields(managed, options.versions ? undefined : options.schema), live?.metadata?.managedFields),
  );
  return manager === kubectlManager ? withLastApplied(tracked, applied) : tracked;
}

function check<T extends KubeObject>({ applied, apiVersion, kind, schema }: ApplyOptions<T>): void {
  const given = applied as KubeObject | null;
  if (typeof given !== 'object' || given === null || given.apiVersion !== apiVersion || given.kind !== kind)
    throw badRequest(`invalid object type: ${groupVersionKind(given?.apiVersion ?? '', given?.kind ?? '')}`);
  if (given.metadata?.managedFields) throw badRequest('metadata.managedFields must be nil');
  const errors = validateApplied(applied, schema);
  if (errors.length === 0) return;
  const { namespace = '', name = '' } = given.metadata ?? {};
  const what = `${namespace}/${name}; ${groupVersionKind(apiVersion, kind)}`;
  throw failure(500, '', `failed to create typed patch object (${what}): ${validationText(errors)}`);
}

const groupVersionKind = (apiVersion: string, kind: string): string =>
  `${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;

/** Yields what others had to the applier, or throws their conflict. `object` is undefined where the apply changes nothing. */
function settle<T extends KubeObject>(
  before: T,
  pruned: T,
  managed: ManagedEntries,
  id: string,
  options: ApplyOptions<T>,
): { object: T | undefined; result: T } {
  const { live, manager, force, apiVersion, schema, resetFields, versions } = options;
  const comparison = new VersionedComparison(before, pruned, schema, apiVersion, versions);
  if (!force) {
    let conflicts = conflictsOf(managed, comparison, resetFields, id);
    if (conflicts.size && manager === kubectlManager && live) conflicts = withoutLastApplied(conflicts, live, apiVersion, schema);
    if (conflicts.size) throw applyConflict(conflicts);
  }
  yieldFields(managed, comparison, resetFields, id);
  const kept = withoutEmptied(pruned, schema) as T;
  if (live && equal(before, kept)) return { object: undefined, result: live };
  if (!options.applyDefaults) return { object: kept, result: kept };
  const defaulted = draft(kept);
  options.applyDefaults(defaulted);
  return { object: defaulted, result: defaulted };
}

/** Whether the manager applied something last time that it does not now, or might have: in another version things have other names. */
const leavesOut = <T extends KubeObject>(last: ManagedEntry | undefined, set: Fields | undefined, options: ApplyOptions<T>): boolean =>
  last !== undefined &&
  ((options.versions !== undefined && last.apiVersion !== options.apiVersion) || !isEmptyFields(difference(last.fields, set)));

/** Removes what the manager applied last time and leaves out now, unless somebody else manages it as well. */
function prune<T extends KubeObject>(
  merged: T,
  managed: ManagedEntries,
  last: ManagedEntry | undefined,
  { apiVersion, schema, versions }: ApplyOptions<T>,
): T {
  if (!last || isEmptyFields(last.fields)) return merged;
  // What was applied in another version is looked for as that version has it.
  const other = versions && last.apiVersion !== apiVersion ? versions(merged, last.apiVersion) : undefined;
  if (versions && last.apiVersion !== apiVersion && !other) return merged;
  const object = other?.object ?? merged;
  const type = other?.schema ?? schema;
  const lastFields = withNamedFields(last.fields, type);
  const bare = removeFields(object, lastFields, type);
  const all = withNamedFields(fieldSetOf(object, type), type);
  const left = withNamedFields(fieldSetOf(bare ?? {}, type), type);

  let owned: Fields | undefined;
  for (const entry of managed.values()) if (!versions || entry.apiVersion === last.apiVersion) owned = union(owned, entry.fields);
  owned = union(left, withNamedFields(owned, type));
  let kept = removeFields(object, difference(all, owned), type);
  if (versions)
    for (const [version, fields] of fieldsByVersion(managed, last.apiVersion))
      kept = addBack(object, kept, type, version, fields, last.apiVersion, versions);

  // Only what the manager applied last time goes; what dangles for other reasons stays.
  const keptFields = withNamedFields(fieldSetOf(kept ?? {}, type), type);
  const result = removeFields(object, intersection(difference(all, keptFields), lastFields), type);
  if (!other) return (result ?? {}) as T;
  return (versions!(withoutEmptied(result ?? {}, type) as object, apiVersion)?.object ?? merged) as T;
}

function fieldsByVersion(managed: ManagedEntries, except: string): Map<string, Fields | undefined> {
  const found = new Map<string, Fields | undefined>();
  for (const { apiVersion, fields } of managed.values())
    if (apiVersion !== except) found.set(apiVersion, union(found.get(apiVersion), fields));
  return found;
}

/** Puts back what managers in another version own. */
function addBack(
  merged: object,
  pruned: unknown,
  type: TypeSchema,
  version: string,
  owned: Fields | undefined,
  back: string,
  versions: Versions,
): unknown {
  const whole = versions(merged, version);
  const bare = versions(withoutEmptied(pruned ?? {}, type) as object, version);
  if (!whole || !bare) return pruned;
  const { schema } = whole;
  const all = withNamedFields(fieldSetOf(whole.object, schema), schema);
  const left = withNamedFields(fieldSetOf(bare.object, schema), schema);
  const kept = removeFields(whole.object, difference(all, union(left, withNamedFields(owned, schema))), schema);
  return versions(withoutEmptied(kept ?? {}, schema) as object, back)?.object ?? pruned;
}

/** Declared fields that are null are gone, as decoding them into Go's types has it. */
function withoutNulls(value: unknown, schema: TypeSchema | undefined): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => withoutNulls(item, schema?.list?.element));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (typeof value !== 'object' || value === null || !schema?.map) return value;
  const { map } = schema;
  let copy: Record<string, unknown> | undefined;
  const object = value as Record<string, unknown>;
  for (const name in object) {
    const item = object[name];
    const next = item === null && isAbsent(name, map) ? undefined : withoutNulls(item, map.field(name) ?? map.element);
    if (next === item) continue;
    copy ??= { ...object };
    if (next === undefined) delete copy[name];
    else copy[name] = next;
  }
  return copy ?? value;
}
