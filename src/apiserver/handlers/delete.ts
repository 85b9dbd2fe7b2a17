/** DELETE of an object or of all that selectors match. upstream: apiserver/pkg/endpoints/handlers/delete.go. */
import type { Status } from '#api';
import type { KubeObject } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { DeleteOptions, RequestContext } from '../registry/contract.ts';
import { list } from '../registry/generic/listing.ts';
import { selectionOf } from '../registry/generic/selection.ts';
import type { GenericStorage } from '../registry/generic/storage.ts';
import type { Answer, ApiRequest } from './contract.ts';
import { deleteOptionsOf, listOptionsOf } from './options.ts';

const orphansByDefault =
  'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning';

function warn(context: RequestContext, storage: GenericStorage, options: DeleteOptions): void {
  const { group, resource } = storage.resource;
  if (group === 'batch' && resource === 'jobs' && options.propagationPolicy === undefined && options.orphanDependents === undefined)
    context.warn(orphansByDefault);
}

export async function deleteObject(request: ApiRequest, storage: GenericStorage): Promise<Answer> {
  const { options, context } = await deleteOptionsOf(request.context, request.body);
  const { namespace, name } = context.info;
  warn(context, storage, options);
  const { object, removed } = await storage.delete(context, namespace, name, options, { admit: true });
  const code = !removed && options.orphanDependents === false ? 202 : 200;
  if (removed && !storage.parts.traits.answersDeleted) return { type: 'object', code, object: success(storage, object) };
  return { type: 'object', code, object, served: storage.served };
}

function success(storage: GenericStorage, object: KubeObject): Status {
  const { group, resource } = storage.resource;
  const { name = '', uid } = object.metadata ?? {};
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(group && { group }), kind: resource, ...(uid && { uid }) },
  };
}

const atOnce = 16;

export async function deleteCollection(request: ApiRequest, storage: GenericStorage): Promise<Answer> {
  const { options, context } = await deleteOptionsOf(request.context, request.body);
  const { query, info } = context;
  const listing = listOptionsOf(query, false);
  const selection = selectionOf(storage.served, listing.labelSelector, listing.fieldSelector);
  warn(context, storage, options);
  const result = await list(storage, info.namespace, { ...listing, selection });
  const items = [...result.items];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let item = items[next++]; item; item = items[next++]) {
      const { namespace = '', name = '' } = item.object.metadata ?? {};
      try {
        await storage.delete(context, namespace, name, options, { admit: true });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return { type: 'list', served: storage.served, result };
}
