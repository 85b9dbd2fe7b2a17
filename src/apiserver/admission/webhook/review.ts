import type { Kind } from '#api';
import type { Random } from '#machinery/clock';
import { jsonSyntaxError } from '#machinery/codec';
import type { KubeObject } from '#machinery/meta';
import { badRequest, failure, StatusError } from '#machinery/status';
import { parseJson } from '#machinery/json';
import type { Status } from '../../../api/facts/types.ts';
import { shownUser } from '../../authn/shown-user.ts';
import type { AdmissionAttributes } from '../../contract.ts';
import { jsonType } from '../../registry/structure.ts';
import type { AnyWebhook } from './hooks.ts';

/** What a webhook answered. upstream: webhook/request AdmissionResponse. */
export interface ReviewResult {
  allowed: boolean;
  patch: Record<string, unknown>[];
  status: Status | undefined;
  warnings: readonly string[];
  auditAnnotations: Readonly<Record<string, string>>;
}

/** A call that failed, as against one that was answered with no: failurePolicy decides about it. */
export class CallError extends Error {
  constructor(webhook: string, reason: string, options?: ErrorOptions) {
    super(`failed calling webhook ${JSON.stringify(webhook)}: ${reason}`, options);
  }
}

/** An object under the kind a webhook asked for. */
export interface Versioned {
  kind: Kind;
  object: KubeObject | undefined;
  oldObject: KubeObject | undefined;
}

const group = 'admission.k8s.io';
const known = ['v1', 'v1beta1'];

/** The review to send, in the first version that both sides know. Throws CallError. */
export function reviewFor(
  webhook: AnyWebhook,
  attributes: AdmissionAttributes,
  versioned: Versioned,
  random: Random,
): { uid: string; body: object } {
  const version = webhook.admissionReviewVersions.find((candidate) => known.includes(candidate));
  if (!version)
    throw new CallError(
      webhook.name,
      'could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)',
    );
  const uid = random.uuid();
  const { kind: asked } = attributes;
  const typeOf = ({ group: of, version: at, kind }: Kind): object => ({ group: of, version: at, kind });
  const resourceOf = ({ group: of, version: at, resource }: Kind): object => ({ group: of, version: at, resource });
  const sub = attributes.subresource;
  const request = {
    uid,
    kind: typeOf(versioned.kind),
    resource: resourceOf(versioned.kind),
    ...(sub && { subResource: sub }),
    requestKind: typeOf(asked),
    requestResource: resourceOf(asked),
    ...(sub && { requestSubResource: sub }),
    ...(attributes.name && { name: attributes.name }),
    ...(attributes.namespace && { namespace: attributes.namespace }),
    operation: attributes.operation,
    userInfo: shownUser(attributes.user),
    object: versioned.object ?? null,
    oldObject: versioned.oldObject ?? null,
    dryRun: attributes.dryRun,
    options: Object.keys(attributes.options).length > 0 ? attributes.options : null,
  };
  return { uid, body: { kind: 'AdmissionReview', apiVersion: `${group}/${version}`, request } };
}

const invalid = (webhook: string, reason: string): CallError => new CallError(webhook, `received invalid webhook response: ${reason}`);

/** Reads an answer. Throws CallError where it is not one. upstream: VerifyAdmissionResponse. */
export function readReview(webhook: string, sent: { uid: string; body: object }, answer: unknown, mutating: boolean): ReviewResult {
  const { apiVersion } = sent.body as { apiVersion: string };
  const review = (answer ?? {}) as { kind?: string; apiVersion?: string; response?: Record<string, unknown> };
  const { response } = review;
  if (!response) throw invalid(webhook, 'webhook response was absent');
  const strict = apiVersion.endsWith('/v1');
  const patch = typeof response['patch'] === 'string' ? Buffer.from(response['patch'], 'base64').toString() : '';
  const patchType = response['patchType'];
  if (strict) {
    if (response['uid'] !== sent.uid)
      throw invalid(webhook, `expected response.uid="${sent.uid}", got ${JSON.stringify(response['uid'] ?? '')}`);
    if (review.kind !== 'AdmissionReview' || review.apiVersion !== apiVersion)
      throw invalid(
        webhook,
        `expected webhook response of ${apiVersion}, Kind=AdmissionReview, got ${review.apiVersion ?? '/'}, Kind=${review.kind ?? ''}`,
      );
    if (!mutating && patch) throw invalid(webhook, 'validating webhook may not return response.patch');
    if (!mutating && patchType !== undefined) throw invalid(webhook, 'validating webhook may not return response.patchType');
    if (mutating && patch && patchType === undefined) throw invalid(webhook, 'webhook returned response.patch but not response.patchType');
    if (mutating && !patch && patchType !== undefined) throw invalid(webhook, 'webhook returned response.patchType but not response.patch');
  }
  if (patch && patchType !== undefined && patchType !== 'JSONPatch')
    throw new CallError(webhook, `unsupported patch type ${JSON.stringify(patchType)}`);
  return {
    allowed: response['allowed'] === true,
    patch: mutating && patch ? decodePatch(webhook, patch) : [],
    status: response['status'] as Status | undefined,
    warnings: (response['warnings'] as string[] | undefined) ?? [],
    auditAnnotations: (response['auditAnnotations'] as Record<string, string> | undefined) ?? {},
  };
}

function decodePatch(webhook: string, text: string): Record<string, unknown>[] {
  const undecodable = (why: string): CallError => new CallError(webhook, `received undecodable patch in webhook response: ${why}`);
  let patch: unknown;
  try {
    patch = parseJson(text);
  } catch (error) {
    throw undecodable(jsonSyntaxError(text) ?? String(error));
  }
  if (!Array.isArray(patch)) throw undecodable(`json: cannot unmarshal ${jsonType(patch)} into Go value of type jsonpatch.Patch`);
  return patch as Record<string, unknown>[];
}

/** The refusal of a webhook as the API answers it. upstream: webhook/errors ToStatusErr. */
export function denied(webhook: string, status: Status | undefined): StatusError {
  const by = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const why = status?.message || status?.reason;
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    ...status,
    status: !status?.status || status.status === 'Success' ? 'Failure' : status.status,
    message: why ? `${by}: ${why}` : `${by} without explanation`,
    code: Math.max(status?.code ?? 0, 400),
  });
}

/** Undefined where the webhook may be asked in a dry run. */
export function dryRunRefusal(webhook: AnyWebhook): StatusError | undefined {
  if (webhook.sideEffects === 'None' || webhook.sideEffects === 'NoneOnDryRun') return undefined;
  return badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
}

/** A failed call under failurePolicy Fail. */
export const failedClosed = (error: CallError): StatusError =>
  failure(500, 'InternalError', `Internal error occurred: ${error.message}`, { causes: [{ message: error.message }] }, error);
