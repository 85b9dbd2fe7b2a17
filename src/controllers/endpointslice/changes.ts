import type { EndpointSlice } from '#api';
import { EndpointSlice as EndpointSliceKind } from '#api';
import type { KubeObject } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { ControllerContext } from '../contract.ts';
import { isNamespaceTerminating } from '../pod-control.ts';

export interface SliceChanges {
  create: EndpointSlice[];
  update: EndpointSlice[];
  delete: EndpointSlice[];
}

/** What this controller wrote and the cache has not shown: until it does, the cache must not be compared with. upstream: EndpointSliceTracker. */
export class SliceTracker {
  #written = new Map<string, Map<string, { uid: string; generation: number } | 'deleted'>>();

  wrote(key: string, slice: EndpointSlice): void {
    this.#of(key).set(slice.metadata!.name!, { uid: slice.metadata!.uid!, generation: slice.metadata!.generation ?? 0 });
  }

  deleted(key: string, slice: EndpointSlice): void {
    this.#of(key).set(slice.metadata!.name!, 'deleted');
  }

  forget(key: string): void {
    this.#written.delete(key);
  }

  #of(key: string): Map<string, { uid: string; generation: number } | 'deleted'> {
    let written = this.#written.get(key);
    if (!written) this.#written.set(key, (written = new Map()));
    return written;
  }

  /** True where the cache lags behind what was written; what it has caught up with is forgotten. `gone`: seen deleted by others. */
  isStale(key: string, cached: readonly EndpointSlice[]): boolean {
    const written = this.#written.get(key);
    if (!written) return false;
    const byName = new Map(cached.map((slice) => [slice.metadata!.name!, slice]));
    for (const [name, expected] of written) {
      const slice = byName.get(name);
      if (expected === 'deleted' ? slice : !slice || (slice.metadata!.generation ?? 0) < expected.generation) return true;
      written.delete(name);
    }
    return false;
  }

  /** A deletion was seen: nothing more is expected of that slice. */
  sawDeletion(key: string, slice: EndpointSlice): void {
    this.#written.get(key)?.delete(slice.metadata!.name!);
  }
}

/** Writes the changes; a slice to delete is turned into one to create where it can be. upstream: endpointslice reconciler finalize. */
export async function writeSlices(
  context: ControllerContext,
  tracker: SliceTracker,
  key: string,
  owner: KubeObject,
  changes: SliceChanges,
): Promise<void> {
  const { client } = context;
  const create = [...changes.create];
  const update = [...changes.update];
  const doomed = changes.delete.filter((slice) => {
    const next = create.at(-1);
    const owned = slice.metadata!.ownerReferences?.some((each) => each.uid === owner.metadata!.uid);
    if (!next || !owned || next.addressType !== slice.addressType) return true;
    create.pop();
    const { name, uid, resourceVersion } = slice.metadata!;
    const { generateName: _, ...metadata } = next.metadata!;
    update.push({ ...next, metadata: { ...metadata, name: name!, uid: uid!, resourceVersion: resourceVersion! } });
    return false;
  });
  if (!owner.metadata!.deletionTimestamp)
    for (const slice of create)
      try {
        tracker.wrote(key, await client.create(EndpointSliceKind, slice));
      } catch (error) {
        if (isNamespaceTerminating(error)) return;
        throw error;
      }
  for (const slice of update) tracker.wrote(key, await client.update(EndpointSliceKind, slice));
  for (const slice of doomed)
    try {
      await client.delete(EndpointSliceKind, slice.metadata as { namespace: string; name: string });
      tracker.deleted(key, slice);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
}
