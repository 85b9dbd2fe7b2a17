/** POST. upstream: apiserver/pkg/endpoints/handlers/create.go. */
import type { KubeObject } from '#machinery/meta';
import { matchNamespace } from '../registry/generic/namespace-match.ts';
import type { GenericStorage } from '../registry/generic/storage.ts';
import type { Answer, ApiRequest } from './contract.ts';
import { decodeObject } from './decode.ts';
import { trackCreate } from './managed-fields.ts';
import { checkWriteOptions } from './options.ts';
import { dedupOwnerReferences } from './owner-references.ts';

export async function create(request: ApiRequest, storage: GenericStorage): Promise<Answer> {
  const { context } = request;
  const { served } = storage;
  checkWriteOptions(context.query, 'CreateOptions');
  let object = await decodeObject(request.body, served, context);
  context.audit?.requestObject(object);
  wipeSystemFields(object);
  matchNamespace(object, served.fact.namespaced ? context.info.namespace : '');
  dedupOwnerReferences(object, context);
  object = trackCreate(served, object, context, storage.parts.clock.now());
  const stored = await storage.create(context, context.info.namespace, object, { admit: true });
  const cached = storage.cachedFor(stored);
  return { type: 'object', code: 201, object: stored, served, ...(cached && { cached }) };
}

/** What only the server sets. upstream: rest.WipeObjectMetaSystemFields. */
export function wipeSystemFields(object: KubeObject): void {
  const meta = (object.metadata ??= {});
  delete meta.creationTimestamp;
  delete meta.uid;
  delete meta.deletionTimestamp;
  delete meta.deletionGracePeriodSeconds;
  delete meta.selfLink;
}
