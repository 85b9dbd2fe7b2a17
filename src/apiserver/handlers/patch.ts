/** PATCH: JSON patch, merge patch, strategic merge patch, apply. upstream: apiserver/pkg/endpoints/handlers/patch.go. */
import { draft } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { badRequest, failure, invalid, invalidField, notFound, unsupportedMediaType } from '#machinery/status';
import type { ServedResource } from '../contract.ts';
import type { RequestContext } from '../registry/contract.ts';
import { matchNamespace } from '../registry/generic/namespace-match.ts';
import type { GenericStorage } from '../registry/generic/storage.ts';
import { StructureError, jsonType } from '../registry/structure.ts';
import type { Answer, ApiRequest } from './contract.ts';
import { SyntaxProblem, decodePatched, fieldValidationOf, parseBody } from './decode.ts';
import type { Decoded, Reading } from './decode.ts';
import { wipeSystemFields } from './create.ts';
import { applied, trackUpdate } from './managed-fields.ts';
import { bareType } from './media-types.ts';
import { checkPatchOptions } from './options.ts';
import { dedupOwnerReferences } from './owner-references.ts';

export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
type PatchKind = keyof typeof patchTypes;

const kindOfPatch = (mediaType: string): PatchKind => {
  const bare = bareType(mediaType);
  const found = (Object.keys(patchTypes) as PatchKind[]).find((kind) => patchTypes[kind] === bare);
  if (!found) throw failure(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
  return found;
};

/** The patch's own value: YAML for apply, JSON for all others. */
async function patchOf(request: ApiRequest, kind: PatchKind): Promise<Decoded> {
  const body = request.body;
  let decoded: Decoded;
  try {
    const mediaType = kind === 'apply' ? 'application/yaml' : 'application/json';
    decoded = await parseBody(body?.bytes ? { mediaType, bytes: body.bytes } : body, fieldValidationOf(request.context));
  } catch (error) {
    if (error instanceof SyntaxProblem)
      throw badRequest(kind === 'strategic' ? error.message : `error decoding ${kind === 'apply' ? 'YAML' : 'patch'}: ${error.message}`);
    throw error;
  }
  request.context.audit?.requestObject(decoded.value, true);
  return decoded;
}

let patching: typeof import('#machinery/patch') | undefined;

async function patched(kind: PatchKind, document: KubeObject, value: unknown, type: string): Promise<unknown> {
  const { jsonPatch, mergePatch, strategicMerge } = (patching ??= await import('#machinery/patch'));
  if (kind === 'json') return jsonPatch(document, value as never);
  if (kind === 'merge' || kind === 'apply') return mergePatch(document, value as never);
  if (!type)
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${patchTypes.json}, ${patchTypes.merge}, ${patchTypes.apply}`,
    );
  return strategicMerge(document, value as never, type);
}

/** For endpoints: what the request's patch makes of `document`. */
export async function applyPatchTo(request: ApiRequest, document: KubeObject, type: string, _context: RequestContext): Promise<Decoded> {
  const kind = kindOfPatch(request.body?.mediaType ?? '');
  const patch = await patchOf(request, kind);
  return { value: await patched(kind, document, patch.value, type), issues: patch.issues };
}

/** Where an apply creates, the caller must be allowed to create. */
type AuthorizeCreate = (context: RequestContext) => Promise<void>;

export async function patch(
  request: ApiRequest,
  storage: GenericStorage,
  subresource: string,
  authorizeCreate: AuthorizeCreate,
): Promise<Answer> {
  const { context } = request;
  const { served } = storage;
  const { namespace, name } = context.info;
  const kind = kindOfPatch(request.body?.mediaType ?? '');
  checkPatchOptions(context.query, kind === 'apply');
  const given = await patchOf(request, kind);
  if (kind === 'apply') return apply(request, storage, subresource, given, authorizeCreate);
  if (given.value === undefined) throw badRequest('unexpected end of JSON input');
  if (kind === 'json' && !Array.isArray(given.value) && fieldValidationOf(context) !== 'Ignore')
    throw badRequest(`error decoding patch: json: cannot unmarshal ${jsonType(given.value)} into Go value of type []handlers.jsonPatchOp`);
  if (kind === 'json' && fieldValidationOf(context) !== 'Ignore') {
    const { jsonPatchUnknownFields } = await import('#machinery/patch');
    given.issues.push(...jsonPatchUnknownFields(given.value as never));
  }
  const now = storage.parts.clock.now();
  let issues: string[] | undefined;
  const result = await storage.update(
    context,
    namespace,
    name,
    async (old) => {
      const value = await patched(kind, old!, given.value, served.conform ? '' : served.fact.type);
      let object: KubeObject;
      const quiet: Reading = { query: context.query, warn: (text) => void (issues ??= []).push(text) };
      issues = undefined;
      try {
        // Only what has a structure of its own may be decoded in place.
        const decoded = { value: served.conform ? draft(value) : value, issues: given.issues };
        object = decodePatched(decoded, served, quiet, old);
      } catch (error) {
        // Upstream shows what the patch made, or, where it has no text of that, the patch.
        const { goFormat } = await import('#machinery/patch');
        if (kind === 'strategic') throw patchError(error, goFormat(given.value as never), true);
        throw patchError(firstProblem(value, served, quiet, old) ?? error, JSON.stringify(value));
      }
      matchNamespace(object, served.fact.namespaced ? namespace : '');
      if (object.metadata?.name !== name) {
        if (!object.metadata?.name) throw badRequest('name must be provided');
        throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`);
      }
      dedupOwnerReferences(object, context);
      return trackUpdate(served, old!, object, context, now, subresource);
    },
    subresource,
    { admit: true },
  );
  for (const text of issues ?? []) context.warn(text);
  const cached = storage.cachedFor(result.object);
  return { type: 'object', code: 200, object: result.object, served, ...(cached && { cached }) };
}

/** What upstream stumbles over first: to it the fields of a patched object come in the order of their names. */
function firstProblem(value: unknown, served: ServedResource, context: Reading, old: KubeObject | undefined): unknown {
  try {
    decodePatched({ value: inNameOrder(value), issues: [] }, served, context, old);
    return undefined;
  } catch (error) {
    return error;
  }
}

function inNameOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inNameOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, inNameOrder(item)]));
}

async function apply(
  request: ApiRequest,
  storage: GenericStorage,
  subresource: string,
  { value, issues }: Decoded,
  authorizeCreate: AuthorizeCreate,
): Promise<Answer> {
  const { context } = request;
  const { served } = storage;
  const { namespace, name } = context.info;
  if (issues.length > 0) {
    if (fieldValidationOf(context) === 'Strict') throw badRequest(`error decoding YAML: ${issues.join(', ')}`);
    for (const text of issues) context.warn(text);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest('error decoding YAML: the configuration is not an object');
  const configuration = value as KubeObject;
  const found = configuration.metadata?.name;
  if (found && found !== name) throw badRequest(`the name of the object (${found}) does not match the name on the URL (${name})`);
  const now = storage.parts.clock.now();
  const result = await storage.update(
    context,
    namespace,
    name,
    async (old) => {
      if (!old) {
        if (subresource) throw notFound(storage.resource, name);
        await authorizeCreate(context);
      }
      const merged = applied(served, old, configuration, context, now, subresource);
      const object = decodePatched({ value: merged, issues: [] }, served, quiet, merged);
      matchNamespace(object, served.fact.namespaced ? namespace : '');
      object.metadata!.name ||= name;
      if (!old) wipeSystemFields(object);
      dedupOwnerReferences(object, context);
      return object;
    },
    subresource,
    { admit: true, forceCreate: !subresource },
  );
  const cached = storage.cachedFor(result.object);
  return { type: 'object', code: result.created ? 201 : 200, object: result.object, served, ...(cached && { cached }) };
}

/** The configuration was checked against the schema: its result is only brought into form. */
const quiet: Reading = { query: new URLSearchParams({ fieldValidation: 'Ignore' }), warn: () => undefined };

/** What a patch makes of the object does not decode: the patch is what is invalid. `asMaps`: told as of maps, not as of JSON. */
export function patchError(error: unknown, patchText: string, asMaps = false): unknown {
  const cause = error instanceof Error && error.cause instanceof StructureError ? error.cause : error;
  if (asMaps && cause instanceof StructureError && cause.converted !== undefined)
    return invalid({ group: '', kind: '' }, '', [invalidField('patch', patchText, cause.converted)]);
  const message = error instanceof Error ? error.message : String(error);
  const detail = /cannot be handled as a [^:]+: (.*)$/s.exec(message)?.[1];
  if (detail === undefined && !(error instanceof StructureError)) return error;
  return invalid({ group: '', kind: '' }, '', [invalidField('patch', patchText, detail ?? message)]);
}
