/** GET: one object, a list, a watch. upstream: apiserver/pkg/endpoints/handlers/{get,watch}.go. */
import { list, parseRevision, parseRevisionRaw } from '../registry/generic/listing.ts';
import { selectionOf } from '../registry/generic/selection.ts';
import type { GenericStorage } from '../registry/generic/storage.ts';
import { watch } from '../registry/generic/watching.ts';
import type { Answer, ApiRequest } from './contract.ts';
import { listOptionsOf } from './options.ts';

export async function get({ context }: ApiRequest, storage: GenericStorage): Promise<Answer> {
  const { namespace, name } = context.info;
  const parse = storage.parts.traits.uncached ? parseRevision : parseRevisionRaw;
  const wanted = parse(context.query.get('resourceVersion') ?? '');
  if (wanted > 0) await storage.cache.waitFor(wanted);
  const cached = await storage.get(context, namespace, name);
  return { type: 'object', code: 200, object: cached.object, cached, served: storage.served };
}

export async function listObjects({ context }: ApiRequest, storage: GenericStorage): Promise<Answer> {
  const { query, info } = context;
  const options = listOptionsOf(query, false);
  const selection = selectionOf(storage.served, options.labelSelector, options.fieldSelector);
  const result = await list(storage, info.namespace, { ...options, selection });
  return { type: 'list', served: storage.served, result };
}

export async function watchObjects({ context }: ApiRequest, storage: GenericStorage, watchTimeout: number): Promise<Answer> {
  const { query, info } = context;
  const options = listOptionsOf(query, true);
  const selection = selectionOf(storage.served, options.labelSelector, options.fieldSelector, options.fieldSelector ? '' : info.name);
  return {
    type: 'watch',
    served: storage.served,
    timeout: options.timeoutSeconds > 0 ? options.timeoutSeconds * 1000 : watchTimeout,
    open: (sink, ended, patient = false) =>
      watch(
        storage,
        info.namespace,
        {
          selection,
          resourceVersion: options.resourceVersion,
          bookmarks: options.allowWatchBookmarks,
          sendInitialEvents: options.sendInitialEvents,
          patient,
        },
        sink,
        ended,
      ),
  };
}
