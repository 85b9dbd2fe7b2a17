/** PUT, on a resource or a subresource of the same kind. upstream: apiserver/pkg/endpoints/handlers/update.go. */
import type { KubeObject } from '#machinery/meta';
import { badRequest } from '#machinery/status';
import type { RequestContext } from '../registry/contract.ts';
import { matchNamespace } from '../registry/generic/namespace-match.ts';
import type { GenericStorage } from '../registry/generic/storage.ts';
import type { Answer, ApiRequest } from './contract.ts';
import { wipeSystemFields } from './create.ts';
import { decodeObject } from './decode.ts';
import { trackCreate, trackUpdate } from './managed-fields.ts';
import { checkWriteOptions } from './options.ts';
import { dedupOwnerReferences } from './owner-references.ts';

export async function update(
  request: ApiRequest,
  storage: GenericStorage,
  subresource: string,
  authorizeCreate: (context: RequestContext) => Promise<void>,
): Promise<Answer> {
  const { context } = request;
  const { served } = storage;
  const { namespace, name } = context.info;
  checkWriteOptions(context.query, 'UpdateOptions');
  const read = async (): Promise<KubeObject> => {
    const object = await decodeObject(request.body, served, context);
    matchNamespace(object, served.fact.namespaced ? namespace : '');
    const meta = object.metadata!;
    if (!meta.name) throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
    if (meta.name !== name) throw badRequest(`the name of the object (${meta.name}) does not match the name on the URL (${name})`);
    dedupOwnerReferences(object, context);
    return object;
  };
  let first: KubeObject | undefined = await read();
  context.audit?.requestObject(first);
  const now = storage.parts.clock.now();
  const result = await storage.update(
    context,
    namespace,
    name,
    async (old) => {
      // Each try changes an object of its own. More than one are rare: then the body is read once more.
      const next = first ?? (await read());
      first = undefined;
      if (old) return trackUpdate(served, old, next, context, now, subresource);
      await authorizeCreate(context);
      const { uid } = next.metadata!;
      wipeSystemFields(next);
      if (uid) next.metadata!.uid = uid;
      return trackCreate(served, next, context, now);
    },
    subresource,
    { admit: true },
  );
  const cached = storage.cachedFor(result.object);
  return { type: 'object', code: result.created ? 201 : 200, object: result.object, served, ...(cached && { cached }) };
}
