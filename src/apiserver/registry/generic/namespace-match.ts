import type { KubeObject } from '#machinery/meta';
import { badRequest } from '#machinery/status';

/** upstream: rest.EnsureObjectNamespaceMatchesRequestNamespace. */
export function matchNamespace(object: KubeObject, namespace: string): void {
  const meta = (object.metadata ??= {});
  if (meta.namespace === namespace || (!meta.namespace && !namespace)) {
    if (!namespace) delete meta.namespace;
    return;
  }
  if (meta.namespace && namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  if (namespace) meta.namespace = namespace;
  else delete meta.namespace;
}
