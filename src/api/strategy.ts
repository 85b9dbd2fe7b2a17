/** Steps that the strategies of many kinds share. upstream: pkg/registry/<group>/<kind>/strategy.go. */
import type { KubeObject, ObjectMeta } from '#machinery/meta';

type Whole = KubeObject & { spec?: unknown; status?: unknown };

/** A client may not set the status of what it creates. */
export function clearStatus(object: KubeObject): void {
  (object as Whole).status = {};
}

/** An update of the object leaves its status alone. */
export function keepStatus(object: KubeObject, old: KubeObject): void {
  const { status } = old as Whole;
  if (status === undefined) delete (object as Whole).status;
  else (object as Whole).status = status;
}

/** An update of the status leaves the spec alone. Labels, annotations and finalizers may change with it, as upstream lets them. */
export function keepSpec(object: KubeObject, old: KubeObject): void {
  const { spec } = old as Whole;
  if (spec === undefined) delete (object as Whole).spec;
  else (object as Whole).spec = spec;
}

const metadataOfStatus = ['deletionTimestamp', 'generation', 'selfLink', 'labels', 'annotations', 'finalizers', 'ownerReferences'] as const;

/** Restores the metadata that a status update may not touch. upstream: metav1.ResetObjectMetaForStatus. */
export function keepMetadata(object: KubeObject, old: KubeObject): void {
  const metadata = (object.metadata ??= {}) as Record<string, unknown>;
  const before = (old.metadata ?? {}) as Record<string, unknown>;
  for (const field of metadataOfStatus satisfies readonly (keyof ObjectMeta)[]) {
    if (before[field] === undefined) delete metadata[field];
    else metadata[field] = before[field];
  }
}

/** Milliseconds since 1970 as a metav1.Time. */
export const timeOf = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

/** Restores all metadata but who manages which field. */
export function keepAllMetadata(object: KubeObject, old: KubeObject): void {
  const managedFields = object.metadata?.managedFields;
  const resourceVersion = object.metadata?.resourceVersion;
  object.metadata = { ...old.metadata };
  if (managedFields) object.metadata.managedFields = managedFields;
  else delete object.metadata.managedFields;
  // The one the client sent counts as its precondition.
  if (resourceVersion !== undefined) object.metadata.resourceVersion = resourceVersion;
}
