/** PATCH: JSON patch, merge patch, strategic merge patch, apply. upstream: apiserver/pkg/endpoints/handlers/patch.go. */
import { draft } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { badRequest, invalid, invalidField, unsupportedMediaType } from '#machinery/status';
import type { RequestContext } from '../registry/contract.ts';
import { matchNamespace } from '../registry/generic/storage.ts';
import type { GenericStorage } from '../registry/generic/storage.ts';
import { StructureError } from '../registry/structure.ts';
import type { Answer, ApiRequest } from './contract.ts';
import { decodeValue, fieldValidationOf, parseBody } from './decode.ts';
import type { Decoded } from './decode.ts';
import { trackUpdate } from './managed-fields.ts';
import { bareType } from './media-types.ts';
import { checkPatchOptions } from './options.ts';
import { dedupOwnerReferences } from './owner-references.ts';

export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const;
type PatchKind = keyof typeof patchTypes;

const kindOfPatch = (mediaType: string): PatchKind => {
  const bare = bareType(mediaType);
  const found = (Object.keys(patchTypes) as PatchKind[]).find((kind) => patchTypes[kind] === bare);
  if (!found)
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${Object.values(patchTypes).join(', ')}`,
    );
  return found;
};

/** The patch's own value; a JSON text whatever its media type says. */
async function patchOf(request: ApiRequest): Promise<Decoded> {
  const body = request.body;
  const decoded = await parseBody(
    body?.bytes ? { mediaType: 'application/json', bytes: body.bytes } : body,
    fieldValidationOf(request.context),
  );
  return decoded;
}

/** The patch in words, as errors show it. */
const textOf = (request: ApiRequest, value: unknown): string =>
  request.body?.bytes ? Buffer.from(request.body.bytes).toString('utf8') : JSON.stringify(value);

async function patched(kind: PatchKind, document: KubeObject, value: unknown, type: string): Promise<unknown> {
  const { jsonPatch, mergePatch, strategicMerge } = await import('#machinery/patch');
  if (kind === 'json') return jsonPatch(document, value as never);
  if (kind === 'merge') return mergePatch(document, value as never);
  if (!type) throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${patchTypes.json}, ${patchTypes.merge}`);
  return strategicMerge(document, value as never, type);
}

/** For endpoints: what the request's patch makes of `document`. */
export async function applyPatchTo(request: ApiRequest, document: KubeObject, type: string, _context: RequestContext): Promise<Decoded> {
  const patch = await patchOf(request);
  return { value: await patched(kindOfPatch(request.body?.mediaType ?? ''), document, patch.value, type), issues: patch.issues };
}

export async function patch(request: ApiRequest, storage: GenericStorage, subresource: string): Promise<Answer> {
  const { context } = request;
  const { served } = storage;
  const { namespace, name } = context.info;
  const kind = kindOfPatch(request.body?.mediaType ?? '');
  checkPatchOptions(context.query, false);
  const given = await patchOf(request);
  if (given.value === undefined) throw badRequest('unexpected end of JSON input');
  let issues: string[] | undefined;
  const result = await storage.update(
    context,
    namespace,
    name,
    async (old) => {
      const value = await patched(kind, old!, given.value, served.conform ? '' : served.fact.type);
      let object: KubeObject;
      const quiet: RequestContext = { ...context, warn: (text) => void (issues ??= []).push(text) };
      issues = undefined;
      try {
        object = decodeValue({ value: draft(value), issues: given.issues }, served, quiet);
      } catch (error) {
        throw patchError(error, textOf(request, given.value));
      }
      matchNamespace(object, served.fact.namespaced ? namespace : '');
      if (object.metadata?.name !== name) {
        if (!object.metadata?.name) throw badRequest('name must be provided');
        throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`);
      }
      dedupOwnerReferences(object, context);
      return trackUpdate(served, old!, object, context, subresource);
    },
    subresource,
    { admit: true },
  );
  for (const text of issues ?? []) context.warn(text);
  const cached = storage.cachedFor(result.object);
  return { type: 'object', code: 200, object: result.object, served, ...(cached && { cached }) };
}

/** What a patch makes of the object does not decode: the patch is what is invalid. */
function patchError(error: unknown, patchText: string): unknown {
  const message = error instanceof Error ? error.message : String(error);
  const detail = /cannot be handled as a [^:]+: (.*)$/s.exec(message)?.[1];
  if (detail === undefined && !(error instanceof StructureError)) return error;
  return invalid({ group: '', kind: '' }, '', [invalidField('patch', patchText, detail ?? message)]);
}

