/** How a delete goes: grace periods and finalizers. upstream: apiserver/pkg/registry/rest/delete.go, registry/generic/registry/store.go. */
import type { KindRules } from '#api';
import type { KubeObject, ObjectMeta } from '#machinery/meta';
import { conflict } from '#machinery/status';
import type { DeleteOptions } from '../contract.ts';
import type { StorageTraits } from '../served.ts';

const orphan = 'orphan';
const foreground = 'foregroundDeletion';

const second = 1000;
const wholeSeconds = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

/** Throws Conflict where the stored object is not the one the client means. */
export function checkPreconditions(object: KubeObject, options: DeleteOptions, group: string, kind: string): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const meta = object.metadata ?? {};
  const resource = { group, resource: kind };
  if (uid !== undefined && uid !== meta.uid)
    throw conflict(
      resource,
      meta.name ?? '',
      `the UID in the precondition (${uid}) does not match the UID in record (${meta.uid ?? ''}). The object might have been deleted and then recreated`,
    );
  if (resourceVersion !== undefined && resourceVersion !== meta.resourceVersion)
    throw conflict(
      resource,
      meta.name ?? '',
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${meta.resourceVersion ?? ''}). The object might have been modified`,
    );
}

/** As kinds have it whose deletion has steps of its own: their storage compares. */
export function checkStoredPreconditions(object: KubeObject, options: DeleteOptions, resource: { group: string; resource: string }): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const meta = object.metadata ?? {};
  const differs = (word: string, wanted: string, found = ''): Error =>
    conflict(resource, meta.name ?? '', `Precondition failed: ${word} in precondition: ${wanted}, ${word} in object meta: ${found}`);
  if (uid !== undefined && uid !== meta.uid) throw differs('UID', uid, meta.uid);
  if (resourceVersion !== undefined && resourceVersion !== meta.resourceVersion)
    throw differs('ResourceVersion', resourceVersion, meta.resourceVersion);
}

export interface Plan {
  /** 'remove' now; 'pending': a deletion is under way and this one changes nothing; 'update': store `object`, and remove it then if `removeAfter`. */
  action: 'remove' | 'pending' | 'update';
  object?: KubeObject;
  removeAfter?: boolean;
}

/** What this delete does to the stored object `old` (which is not changed). */
export function planDeletion(old: KubeObject, options: DeleteOptions, rules: KindRules, traits: StorageTraits, now: number): Plan {
  const object: KubeObject = { ...old, metadata: { ...old.metadata } };
  const meta = object.metadata!;
  let asked = options.gracePeriodSeconds;
  if (asked !== undefined && asked < 0) asked = 1;
  if ((meta.deletionGracePeriodSeconds ?? 0) < 0) meta.deletionGracePeriodSeconds = 1;

  let period = 0;
  const graceful = rules.gracePeriod !== undefined && decide();
  function decide(): boolean {
    if (meta.deletionTimestamp) {
      const current = meta.deletionGracePeriodSeconds ?? 0;
      if (current === 0) return false;
      if (asked === undefined || asked >= current) {
        period = -1;
        return true;
      }
      // Only shortened: moved back by the old period, forward by the new one, never into the past.
      period = asked;
      let at = Date.parse(meta.deletionTimestamp) - current * second + asked * second;
      if (at < now) {
        at = now;
        if (period !== 0) period = 1;
      }
      meta.deletionTimestamp = wholeSeconds(at);
      meta.deletionGracePeriodSeconds = period;
      return true;
    }
    period = rules.gracePeriod!(old, asked);
    meta.deletionTimestamp = wholeSeconds(now + period * second);
    meta.deletionGracePeriodSeconds = period;
    if ((meta.generation ?? 0) > 0) meta.generation = meta.generation! + 1;
    return true;
  }
  if (graceful && period < 0) return { action: 'pending' };

  const finalizers = finalizersAfter(meta, options, traits);
  const changed = !sameSet(finalizers, meta.finalizers ?? []);
  if (changed) {
    if (finalizers.length > 0) meta.finalizers = finalizers;
    else delete meta.finalizers;
  }
  if (graceful) return { action: 'update', object, removeAfter: finalizers.length === 0 && period === 0 };
  if (finalizers.length === 0) return { action: 'remove' };
  // Waits for its finalizers.
  if (!meta.deletionTimestamp && (meta.generation ?? 0) > 0) meta.generation = meta.generation! + 1;
  if (!meta.deletionTimestamp || Date.parse(meta.deletionTimestamp) > now) meta.deletionTimestamp = wholeSeconds(now);
  meta.deletionGracePeriodSeconds = 0;
  return { action: 'update', object, removeAfter: false };
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((item) => b.includes(item));

function finalizersAfter(meta: ObjectMeta, options: DeleteOptions, traits: StorageTraits): string[] {
  const present = meta.finalizers ?? [];
  const kept = present.filter((finalizer) => finalizer !== orphan && finalizer !== foreground);
  if (traits.garbageCollection === 'unsupported') return kept;
  const explicit: 'orphan' | 'foreground' | 'background' | undefined =
    options.orphanDependents !== undefined
      ? options.orphanDependents
        ? 'orphan'
        : 'background'
      : (options.propagationPolicy?.toLowerCase() as 'orphan' | 'foreground' | 'background' | undefined);
  const decided =
    explicit ??
    (present.includes(orphan)
      ? 'orphan'
      : present.includes(foreground)
        ? 'foreground'
        : traits.garbageCollection === 'orphan'
          ? 'orphan'
          : 'background');
  if (decided === 'orphan') kept.push(orphan);
  if (decided === 'foreground') kept.push(foreground);
  return kept;
}

/** An update that took the last finalizer off an object that waits for deletion removes it. upstream: ShouldDeleteDuringUpdate. */
export const removedByUpdate = (object: KubeObject, old: KubeObject): boolean =>
  !object.metadata?.finalizers?.length && old.metadata?.deletionTimestamp !== undefined && !old.metadata.deletionGracePeriodSeconds;
