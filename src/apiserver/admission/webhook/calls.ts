import type { Kind } from '#api';
import type { KubeObject } from '#machinery/meta';
import type { AdmissionAttributes, Authorizer, ServerDependencies } from '../../contract.ts';
import type { WebhookClient } from '../../webhook/client.ts';
import { convertBetween } from './convert.ts';
import type { Hook } from './hooks.ts';
import { equivalents, matchesNamespace, matchesObject, matchesRule } from './matching.ts';
import { CallError, readReview, reviewFor } from './review.ts';
import type { ReviewResult, Versioned } from './review.ts';

/** Whether the conditions of a webhook hold. Throws a StatusError where they cannot be evaluated and the webhook must not be passed over. */
export type ConditionMatcher = (hook: Hook, attributes: AdmissionAttributes, versioned: Versioned) => boolean | Promise<boolean>;

export interface CallParts extends ServerDependencies {
  authorizer: Authorizer;
  webhooks: WebhookClient;
  conditions: ConditionMatcher;
}

const defaultTimeout = 10;

/** The request's objects under one kind; built-in twins are converted when a webhook asks for them. */
export async function versionedFor(kind: Kind, attributes: AdmissionAttributes): Promise<Versioned> {
  const { kind: asked, object, oldObject } = attributes;
  if (kind === asked) return { kind, object, oldObject };
  const as = async (from: KubeObject | undefined): Promise<KubeObject | undefined> => from && convertBetween(attributes, from, asked, kind);
  return { kind, object: await as(object), oldObject: await as(oldObject) };
}

/** What to send a webhook about this request; undefined where it does not want to be asked. upstream: webhook/generic ShouldCallHook. */
export async function invocation(hook: Hook, attributes: AdmissionAttributes, parts: CallParts): Promise<Versioned | undefined> {
  const { webhook } = hook;
  const rules = webhook.rules ?? [];
  let kind: Kind | undefined = rules.some((rule) => matchesRule(rule, attributes)) ? attributes.kind : undefined;
  if (!kind && (webhook.matchPolicy ?? 'Equivalent') === 'Equivalent')
    kind = equivalents(attributes).find((other) => rules.some((rule) => matchesRule(rule, { ...attributes, kind: other })));
  if (!kind) return undefined;
  if (!matchesObject(hook.objects, attributes)) return undefined;
  if (!(await matchesNamespace(hook.namespaces, attributes, parts))) return undefined;
  const versioned = await versionedFor(kind, attributes);
  if (webhook.matchConditions?.length && !(await parts.conditions(hook, attributes, versioned))) return undefined;
  return versioned;
}

/** Asks one webhook. Throws CallError where it cannot be asked. Warnings and annotations are passed on. */
export async function callHook(
  { webhook }: Hook,
  attributes: AdmissionAttributes,
  versioned: Versioned,
  mutating: boolean,
  { webhooks, random }: CallParts,
): Promise<ReviewResult> {
  const sent = reviewFor(webhook, attributes, versioned, random);
  let answer: unknown;
  try {
    answer = await webhooks.post(webhook.clientConfig, sent.body, (webhook.timeoutSeconds ?? defaultTimeout) * 1000);
  } catch (error) {
    throw new CallError(webhook.name, `failed to call webhook: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const result = readReview(webhook.name, sent, answer, mutating);
  for (const [key, value] of Object.entries(result.auditAnnotations)) attributes.annotate(`${webhook.name}/${key}`, value);
  for (const warning of result.warnings) attributes.warn(warning);
  return result;
}

export const isCallError = (error: unknown): error is CallError => error instanceof CallError;
