/** From an authorized request for a resource to the handler of its verb. upstream: apiserver/pkg/endpoints/installer.go. */
import { groups, resourceFact } from '#api/facts';
import type { ResourceFact } from '#api/facts';
import { StatusError, failure, notFound } from '#machinery/status';
import type { Authorizer } from '../contract.ts';
import { authorize } from '../filters/authorization.ts';
import type { RequestContext } from '../registry/contract.ts';
import type { AdmissionChain } from '../registry/generic/admission-chain.ts';
import type { ResourceTable, TableEntry } from '../registry/table.ts';
import type { Answer, ApiRequest } from './contract.ts';
import { create } from './create.ts';
import { deleteCollection, deleteObject } from './delete.ts';
import { createAtEndpoint, getAtEndpoint, listAtEndpoint, updateAtEndpoint } from './endpoint.ts';
import { get, listObjects, watchObjects } from './get.ts';
import { patch } from './patch.ts';
import { getScale, scaleChange } from './scale.ts';
import { update } from './update.ts';

export interface Handlers {
  table: ResourceTable;
  admission(): AdmissionChain;
  authorizer(): Authorizer;
  /** Milliseconds after which the server ends a watch that asked for no timeout. */
  watchTimeout(): number;
  /** Milliseconds since 1970. */
  now(): number;
}

/** A path below a group that is not built in: over HTTP it is answered as any path at which nothing is. */
export class NothingThere extends StatusError {}

/** The text of upstream's mux for paths it does not know. */
const unknownPath = (request: ApiRequest): StatusError => {
  const { group, resource } = request.context.info;
  const Unknown = groups.some(({ name }) => name === group) ? StatusError : NothingThere;
  const error = new Unknown(notFound({ group, resource }, '').status);
  error.status.message = 'the server could not find the requested resource';
  error.status.details = {};
  return error;
};

/** The text of upstream's mux for methods that a path does not have. */
export const unsupported = (): StatusError =>
  failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

/** Objects are made at their collection, and changed at their own path. */
const misplaced = ({ verb, name }: { verb: string; name: string }): boolean =>
  name === '' ? verb === 'update' || verb === 'patch' : verb === 'create';

/** What can be asked of all namespaces at once. */
const collective = new Set(['list', 'watch', 'create', 'deletecollection']);

export async function dispatch(handlers: Handlers, request: ApiRequest): Promise<Answer> {
  const { info } = request.context;
  const entry = handlers.table.find(info.group, info.version, info.resource);
  const fact = entry?.served.fact ?? resourceFact(info.group, info.version, info.resource);
  if (!fact) throw unknownPath(request);
  // A namespace is a part of the route, or it is not.
  if (info.namespace && !fact.namespaced && info.resource !== 'namespaces') throw unknownPath(request);
  if (fact.namespaced && !info.namespace && !collective.has(info.verb)) throw unknownPath(request);
  if (!info.subresource) {
    const endpoint = handlers.table.endpoint(info.group, info.version, info.resource, '');
    if (endpoint) return atEndpoint(handlers, request, fact, '');
    if (!entry) throw unknownPath(request);
    return onResource(handlers, request, entry);
  }
  const sub = fact.subresources.find(({ name }) => name === info.subresource);
  // upstream: apiextensions-apiserver/pkg/apiserver/customresource_handler.go.
  if (!sub) throw entry?.served.conform ? notFound({ group: info.group, resource: info.resource }, info.name) : unknownPath(request);
  if (handlers.table.endpoint(info.group, info.version, info.resource, info.subresource))
    return atEndpoint(handlers, request, fact, info.subresource);
  if (!entry) throw unknownPath(request);
  return onSubresource(handlers, request, entry, info.subresource, sub.verbs);
}

const authorizeCreate =
  (handlers: Handlers) =>
  async (context: RequestContext): Promise<void> =>
    authorize(handlers.authorizer(), context.user, { ...context.info, verb: 'create' });

function onResource(handlers: Handlers, request: ApiRequest, entry: TableEntry): Promise<Answer> {
  const { storage, served } = entry;
  const { verb } = request.context.info;
  if (!served.fact.verbs.includes(verb) || misplaced(request.context.info)) throw unsupported();
  if (served.deprecation) request.context.warn(served.deprecation);
  switch (verb) {
    case 'get':
      return get(request, storage);
    case 'list':
      return listObjects(request, storage);
    case 'watch':
      return watchObjects(request, storage, handlers.watchTimeout());
    case 'create':
      return create(request, storage);
    case 'update':
      return update(request, storage, '', authorizeCreate(handlers));
    case 'patch':
      return patch(request, storage, '', authorizeCreate(handlers));
    case 'delete':
      return deleteObject(request, storage);
    case 'deletecollection':
      return deleteCollection(request, storage);
    default:
      throw unsupported();
  }
}

function onSubresource(handlers: Handlers, request: ApiRequest, entry: TableEntry, subresource: string, verbs: string[]): Promise<Answer> {
  const { storage } = entry;
  const { verb } = request.context.info;
  if (!verbs.includes(verb)) throw unsupported();
  if (subresource === 'scale') return verb === 'get' ? getScale(request, storage) : scaleChange(request, storage, handlers.admission());
  switch (verb) {
    case 'get':
      return get(request, storage);
    case 'update':
      return update(request, storage, subresource, authorizeCreate(handlers));
    case 'patch':
      return patch(request, storage, subresource, authorizeCreate(handlers));
    default:
      throw unsupported();
  }
}

function atEndpoint(handlers: Handlers, request: ApiRequest, fact: ResourceFact, subresource: string): Promise<Answer> {
  const { info } = request.context;
  const endpoint = handlers.table.endpoint(info.group, info.version, info.resource, subresource)!;
  const kind = subresource ? fact.subresources.find(({ name }) => name === subresource)! : fact;
  const target = { endpoint, fact, kind: { group: kind.group ?? fact.group, version: kind.version ?? fact.version, kind: kind.kind } };
  const { served } = endpoint;
  if (served?.deprecation) request.context.warn(served.deprecation);
  if (info.verb === 'create' && endpoint.create) return createAtEndpoint(request, target, handlers.admission(), handlers.now());
  if (info.verb === 'get' && endpoint.get) return getAtEndpoint(request, endpoint);
  if (info.verb === 'list' && endpoint.list && served) return listAtEndpoint(request, endpoint, served);
  if ((info.verb === 'update' || info.verb === 'patch') && endpoint.update) return updateAtEndpoint(request, target, handlers.admission());
  throw unsupported();
}
