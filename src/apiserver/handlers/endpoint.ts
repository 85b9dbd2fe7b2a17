/** Subresources and virtual resources with behaviour of their own: decoding, admission and encoding around an Endpoint. */
import type { Kind } from '#api';
import { kindFact, schema } from '#api/facts';
import type { ResourceFact } from '#api/facts';
import { draft } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { internalError } from '#machinery/status';
import type { AdmissionAttributes, Operation, ServedResource } from '../contract.ts';
import type { Endpoint, RequestContext } from '../registry/contract.ts';
import type { AdmissionChain } from '../registry/generic/admission-chain.ts';
import { matchNamespace } from '../registry/generic/namespace-match.ts';
import { requestOptions } from '../registry/generic/request-options.ts';
import { selectionOf } from '../registry/generic/selection.ts';
import { CacheEntry } from '../watchcache/cached-object.ts';
import type { Answer, ApiRequest } from './contract.ts';
import { conformTo, fieldValidationOf, ofKind, parseBody } from './decode.ts';
import { trackMade } from './managed-fields.ts';
import { checkPatchOptions, checkWriteOptions, listOptionsOf } from './options.ts';
import { applyPatchTo } from './patch.ts';

export interface EndpointTarget {
  endpoint: Endpoint;
  fact: ResourceFact;
  kind: { group: string; version: string; kind: string };
}

/** The schema type of a kind that need not be a resource (Scale, TokenRequest, Eviction). */
export function typeOfKind({ group, version, kind }: EndpointTarget['kind']): string {
  const known = kindFact(group, version, kind)?.type;
  if (known) return known;
  for (const [name, type] of Object.entries(schema))
    if (type.gvks?.some((gvk) => gvk.group === group && gvk.version === version && gvk.kind === kind)) return name;
  throw internalError(new Error(`no type for kind ${kind} of ${group}/${version}`));
}

const kindOf = ({ fact, kind }: EndpointTarget): Kind => ({
  ...kind,
  resource: fact.resource,
  namespaced: fact.namespaced,
  apiVersion: kind.group ? `${kind.group}/${kind.version}` : kind.version,
});

function attributes(
  operation: Operation,
  context: RequestContext,
  target: EndpointTarget,
  object: KubeObject,
  oldObject?: KubeObject,
): AdmissionAttributes {
  return {
    operation,
    kind: kindOf(target),
    subresource: target.endpoint.subresource,
    namespace: context.info.namespace,
    name: context.info.name || (object.metadata?.name ?? ''),
    object,
    oldObject,
    options: requestOptions(operation, context),
    dryRun: context.dryRun,
    user: context.user,
    warn: (text) => context.warn(text),
    annotate: (key, value) => context.annotate(key, value),
  };
}

export async function createAtEndpoint(
  request: ApiRequest,
  target: EndpointTarget,
  admission: AdmissionChain,
  now: number,
): Promise<Answer> {
  const { context } = request;
  checkWriteOptions(context.query, 'CreateOptions');
  const decoded = await parseBody(request.body, fieldValidationOf(context));
  const type = typeOfKind(target.kind);
  let body = ofKind(decoded, kindOf(target), conformTo(type), context, request.body?.bytes);
  if (context.info.namespace || !target.endpoint.subresource) matchNamespace(body, target.fact.namespaced ? context.info.namespace : '');
  context.audit?.requestObject(body);
  body = trackMade(type, body, context, now);
  const asked = attributes('CREATE', context, target, body);
  await admission.admit(asked);
  await admission.validate(asked);
  const object = await target.endpoint.create!(context, context.info.name || (body.metadata?.name ?? ''), asked.object ?? body);
  const code = (object as { kind?: string; code?: number }).kind === 'Status' ? ((object as { code?: number }).code ?? 201) : 201;
  return { type: 'object', code, object };
}

export async function getAtEndpoint({ context }: ApiRequest, endpoint: Endpoint): Promise<Answer> {
  const object = await endpoint.get!(context, context.info.name);
  return { type: 'object', code: 200, object, ...(endpoint.served && { served: endpoint.served }) };
}

export async function listAtEndpoint({ context }: ApiRequest, endpoint: Endpoint, served: ServedResource): Promise<Answer> {
  const { labelSelector, fieldSelector } = listOptionsOf(context.query, false);
  const selection = selectionOf(served, labelSelector, fieldSelector);
  const objects = (await endpoint.list!(context)).filter((object) => selection.matches(object));
  return { type: 'list', served, result: { items: objects.map((object) => new CacheEntry('', object, 0)), revision: 0 } };
}

export async function updateAtEndpoint(request: ApiRequest, target: EndpointTarget, admission: AdmissionChain): Promise<Answer> {
  const { context } = request;
  const type = typeOfKind(target.kind);
  const patching = context.info.verb === 'patch';
  if (patching) checkPatchOptions(context.query, request.body?.mediaType.startsWith('application/apply-patch') ?? false);
  else checkWriteOptions(context.query, 'UpdateOptions');
  const decoded = await parseBody(patching ? undefined : request.body, fieldValidationOf(context));
  const object = await target.endpoint.update!(context, context.info.name, async (old) => {
    const value = patching ? await applyPatchTo(request, draft(old), type, context) : decoded;
    const body = ofKind(value, kindOf(target), conformTo(type), context, request.body?.bytes);
    if (!patching) context.audit?.requestObject(body);
    const asked = attributes('UPDATE', context, target, body, old);
    await admission.admit(asked);
    await admission.validate(asked);
    return asked.object ?? body;
  });
  return { type: 'object', code: 200, object };
}
