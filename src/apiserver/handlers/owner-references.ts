import type { KubeObject } from '#machinery/meta';
import { equal } from '#machinery/meta';
import type { RequestContext } from '../registry/contract.ts';

/** Drops owner references that are there twice and says so. upstream: apiserver/pkg/endpoints/handlers/rest.go dedupOwnerReferences. */
export function dedupOwnerReferences(object: KubeObject, context: RequestContext): void {
  const references = object.metadata?.ownerReferences;
  if (!references || references.length < 2) return;
  const kept = references.filter((reference, index) => references.findIndex((other) => equal(other, reference)) === index);
  if (kept.length === references.length) return;
  object.metadata!.ownerReferences = kept;
  const uids = [
    ...new Set(
      references.filter((reference, index) => references.findIndex((other) => equal(other, reference)) !== index).map(({ uid }) => uid),
    ),
  ];
  for (const uid of uids)
    context.warn(
      `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${uid}`,
    );
}
