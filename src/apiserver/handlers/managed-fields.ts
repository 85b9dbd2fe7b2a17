/** Who manages which fields: kept for objects of clients that never apply too. upstream: apimachinery/pkg/util/managedfields. */
import type { KubeObject } from '#machinery/meta';
import type { ServedResource } from '../contract.ts';
import type { RequestContext } from '../registry/contract.ts';

/** `object` (private, changed) about to be created. */
export async function trackCreate(_served: ServedResource, object: KubeObject, _context: RequestContext): Promise<KubeObject> {
  return object;
}

/** `object` (private, changed) about to replace `old`. */
export async function trackUpdate(
  _served: ServedResource,
  _old: KubeObject,
  object: KubeObject,
  _context: RequestContext,
  _subresource: string,
): Promise<KubeObject> {
  return object;
}
