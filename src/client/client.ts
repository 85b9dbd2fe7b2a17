import type { Kind } from '#api';
import type { KubeObject, ObjectRef } from '#machinery/meta';
import type { ApiCall, Client, DeleteRequest, List, ListOptions, Transport, WatchEvent, WatchOptions, WriteOptions } from './contract.ts';

type Query = Record<string, string>;

function queryOf(values: Record<string, string | number | boolean | undefined>): Query {
  const query: Query = {};
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== '') query[name] = String(value);
  return query;
}

const listQuery = (options: ListOptions): Query =>
  queryOf({
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    limit: options.limit,
    continue: options.continue,
    resourceVersion: options.resourceVersion,
    resourceVersionMatch: options.resourceVersionMatch,
  });

const writeQuery = (options: WriteOptions & { force?: boolean }): Query =>
  queryOf({
    dryRun: options.dryRun ? 'All' : undefined,
    fieldManager: options.fieldManager,
    fieldValidation: options.fieldValidation,
    force: options.force ? true : undefined,
  });

/** The body of a DELETE: metav1.DeleteOptions with only what was asked for. */
function deleteOptions(options: DeleteRequest): Record<string, unknown> | undefined {
  const body: Record<string, unknown> = {};
  if (options.gracePeriodSeconds !== undefined) body['gracePeriodSeconds'] = options.gracePeriodSeconds;
  if (options.propagationPolicy) body['propagationPolicy'] = options.propagationPolicy;
  if (options.preconditions) body['preconditions'] = options.preconditions;
  if (options.dryRun) body['dryRun'] = ['All'];
  return Object.keys(body).length ? { kind: 'DeleteOptions', apiVersion: 'v1', ...body } : undefined;
}

/** The namespace and name an object is written under. */
function placeOf(kind: Kind, object: KubeObject): { namespace?: string; name?: string } {
  const { namespace, name } = object.metadata ?? {};
  return { ...(kind.namespaced && namespace && { namespace }), ...(name && { name }) };
}

const placeOfRef = (ref: ObjectRef): { namespace?: string; name: string } => ({
  ...(ref.namespace && { namespace: ref.namespace }),
  name: ref.name,
});

/** kind and apiVersion are filled in, so that callers may leave them out. */
function typed<T extends KubeObject>(kind: Kind<T>, object: T): T {
  return object.kind && object.apiVersion ? object : { apiVersion: kind.apiVersion, kind: kind.kind, ...object };
}

/** Typed calls over a transport. Holds no state of its own. */
export function clientOver(transport: Transport): Client {
  const call = <T>(request: ApiCall): Promise<T> => transport.call(request) as Promise<T>;
  const update = <T extends KubeObject>(kind: Kind<T>, object: T, options: WriteOptions = {}): Promise<T> =>
    call<T>({
      verb: 'update',
      kind,
      ...placeOf(kind, object),
      ...(options.subresource && { subresource: options.subresource }),
      body: options.subresource && options.subresource !== 'status' ? object : typed(kind, object),
      query: writeQuery(options),
    });
  return {
    transport,
    get: (kind, ref, options = {}) =>
      call({
        verb: 'get',
        kind,
        ...placeOfRef(ref),
        ...(options.subresource && { subresource: options.subresource }),
        ...(options.metadataOnly && { metadataOnly: true }),
        query: queryOf({ resourceVersion: options.resourceVersion }),
      }),
    async list<T extends KubeObject>(kind: Kind<T>, options: ListOptions = {}): Promise<List<T>> {
      const list = await call<List<T> & { items?: T[] | null }>({
        verb: 'list',
        kind,
        ...(options.namespace && { namespace: options.namespace }),
        ...(options.metadataOnly && { metadataOnly: true }),
        ...(options.signal && { signal: options.signal }),
        query: listQuery(options),
      });
      return list.items ? list : { ...list, items: [] };
    },
    watch: (kind, options: WatchOptions, sink) =>
      transport.watch(
        {
          kind,
          ...(options.namespace && { namespace: options.namespace }),
          ...(options.metadataOnly && { metadataOnly: true }),
          ...(options.signal && { signal: options.signal }),
          query: {
            ...listQuery(options),
            ...queryOf({
              allowWatchBookmarks: options.allowWatchBookmarks,
              sendInitialEvents: options.sendInitialEvents,
              timeoutSeconds: options.timeoutSeconds,
            }),
          },
        },
        sink as (event: WatchEvent) => void,
      ),
    create: (kind, object, options = {}) => {
      const { namespace } = placeOf(kind, object);
      return call({
        verb: 'create',
        kind,
        ...(namespace && { namespace }),
        ...(options.subresource && { subresource: options.subresource, ...(object.metadata?.name && { name: object.metadata.name }) }),
        body: options.subresource ? object : typed(kind, object),
        query: writeQuery(options),
      });
    },
    createSubresource: (kind, ref, subresource, body, options = {}) =>
      call({ verb: 'create', kind, ...placeOfRef(ref), subresource, body, query: writeQuery(options) }),
    update,
    updateStatus: (kind, object, options = {}) => update(kind, object, { ...options, subresource: 'status' }),
    patch: (kind, ref, type, body, options = {}) =>
      call({
        verb: 'patch',
        kind,
        ...placeOfRef(ref),
        ...(options.subresource && { subresource: options.subresource }),
        patchType: type,
        body,
        query: writeQuery(options),
      }),
    async delete(kind, ref, options = {}) {
      const body = deleteOptions(options);
      await call({ verb: 'delete', kind, ...placeOfRef(ref), ...(body && { body }) });
    },
    async deleteCollection(kind, options) {
      const body = deleteOptions(options);
      await call({
        verb: 'deletecollection',
        kind,
        ...(options.namespace && { namespace: options.namespace }),
        ...(body && { body }),
        query: listQuery(options),
      });
    },
  };
}
