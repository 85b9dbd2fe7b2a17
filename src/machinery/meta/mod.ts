/**
 * The shape every Kubernetes object shares, and what is done with it everywhere: keys, owners, freezing.
 * Invariant: a stored or cached object is never mutated; `draft` makes the copy that may be.
 */
import type { ObjectMeta, OwnerReference } from '../../api/facts/types.ts';

export type { ObjectMeta, OwnerReference };

/** Any object of the API. Fields beyond these belong to its kind. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

export interface ObjectRef {
  /** Absent or empty for cluster-scoped objects. */
  namespace?: string;
  name: string;
}

/** "namespace/name", or "name" for cluster-scoped objects. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata ?? {};
  return namespace ? `${namespace}/${name ?? ''}` : (name ?? '');
}

export function refOf(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata?.ownerReferences?.find((owner) => owner.controller === true);
}

/** A deep copy that may be changed. */
export function draft<T>(object: T): T {
  if (typeof object !== 'object' || object === null) return object;
  if (Array.isArray(object)) return object.map((item: unknown) => draft(item)) as T;
  const copy: Record<string, unknown> = {};
  for (const key in object) copy[key] = draft((object as Record<string, unknown>)[key]);
  return copy as T;
}

/** Freezes an object and all below it; returns it. Used under test, where a breach of read-only must fail at once. */
export function deepFreeze<T>(object: T): T {
  if (typeof object !== 'object' || object === null || Object.isFrozen(object)) return object;
  Object.freeze(object);
  for (const key in object) deepFreeze((object as Record<string, unknown>)[key]);
  return object;
}

/** True where two JSON values are the same; absent and undefined fields count as equal. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => equal(item, b[index]));
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key in left) if (!equal(left[key], right[key])) return false;
  for (const key in right) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}
