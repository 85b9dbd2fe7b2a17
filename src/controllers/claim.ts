import type { Kind } from '#api';
import type { Client } from '#client';
import type { KubeObject } from '#machinery/meta';
import { controllerOf } from '#machinery/meta';
import { isNotFound, isStatus } from '#machinery/status';
import { controllerReference } from './owner.ts';
import type { Matcher } from './selector.ts';
import { all } from './slow-start.ts';

export interface Claim<T extends KubeObject> {
  client: Client;
  /** The kind of what is claimed. */
  kind: Kind<T>;
  owner: KubeObject;
  ownerKind: Kind;
  selector: Matcher;
  /** Put on what is adopted, taken off what is released (Jobs). */
  finalizers?: string[];
  /** A further condition on what may be adopted or kept. */
  when?(object: T): boolean;
}

/**
 * Of `objects`, those that belong to the owner: its own that match, and orphans that match, which it adopts; its own that no longer match
 * are released. upstream: pkg/controller/controller_ref_manager.go.
 */
export async function claim<T extends KubeObject>(
  { client, kind, owner, ownerKind, selector, finalizers, when }: Claim<T>,
  objects: readonly T[],
): Promise<T[]> {
  const claimed: T[] = [];
  const changes: Promise<unknown>[] = [];
  let mayAdopt: Promise<void> | undefined;
  const { uid, namespace } = owner.metadata!;
  const deleted = owner.metadata!.deletionTimestamp !== undefined;
  for (const object of objects) {
    const controller = controllerOf(object);
    const { labels, name } = object.metadata!;
    const matched = selector(labels) && (when?.(object) ?? true);
    const ref = { ...(namespace && { namespace }), name: name! };
    if (controller) {
      if (controller.uid !== uid) continue;
      if (matched) claimed.push(object);
      else if (!deleted) {
        const body = {
          metadata: {
            uid: object.metadata!.uid,
            ownerReferences: [{ $patch: 'delete', uid }],
            ...(finalizers && { '$deleteFromPrimitiveList/finalizers': finalizers }),
          },
        };
        changes.push(
          client.patch(kind, ref, 'strategic', body).catch((error: unknown) => {
            // Gone, or replaced by another of the same name: nothing is left to release.
            if (!isNotFound(error) && !isStatus(error, 'Invalid', 'Conflict')) throw error;
          }),
        );
      }
      continue;
    }
    if (deleted || !matched || object.metadata!.deletionTimestamp || (object.metadata!.namespace ?? '') !== (namespace ?? '')) continue;
    mayAdopt ??= recheck(client, ownerKind, owner);
    const body = {
      metadata: { uid: object.metadata!.uid, ownerReferences: [controllerReference(ownerKind, owner)], ...(finalizers && { finalizers }) },
    };
    changes.push(
      mayAdopt
        .then(() => client.patch(kind, ref, 'strategic', body))
        .then(
          () => claimed.push(object),
          (error: unknown) => {
            if (!isNotFound(error)) throw error;
          },
        ),
    );
  }
  if (changes.length) await all(changes);
  return claimed;
}

/** Before the first adoption the owner is read from the server: a cache that lags must not adopt for one that is being deleted. */
async function recheck(client: Client, kind: Kind, owner: KubeObject): Promise<void> {
  const fresh = await client.get(kind, owner.metadata as { namespace?: string; name: string });
  const { uid, namespace, name } = owner.metadata!;
  if (fresh.metadata?.uid !== uid)
    throw new Error(`Cannot adopt for ${kind.kind} ${namespace}/${name}: the original is gone (uid ${fresh.metadata?.uid}, wanted ${uid})`);
  if (fresh.metadata?.deletionTimestamp) throw new Error(`Cannot adopt for ${kind.kind} ${namespace}/${name}: it has just been deleted`);
}
