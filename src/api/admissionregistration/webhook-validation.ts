/** upstream: ValidateMutatingWebhookConfiguration, ValidateValidatingWebhookConfiguration in pkg/apis/admissionregistration/validation. */
import { isDNS1035Label, isFullyQualifiedName, validateLabelSelector } from '#machinery/names';
import { checkSelector, duplicate, invalidField, invalidFor, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { ExpressionCheck, ExpressionChecks } from '../contract.ts';
import type { MutatingWebhook, ValidatingWebhook } from '../facts/types.ts';
import { same } from '../same.ts';
import { checkWebhookService, checkWebhookUrl } from '../webhook-client.ts';
import { checkMatchConditions, checkOptional, checkRule, failurePolicies, matchPolicies } from './match-validation.ts';

type Webhook = Partial<ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>>;
interface Configuration {
  webhooks?: Webhook[];
}

const sideEffects = ['None', 'NoneOnDryRun', 'Some', 'Unknown'];
const noSideEffects = ['None', 'NoneOnDryRun'];
const reviewVersions = ['v1', 'v1beta1'];
const longestTimeout = 30;

/** What all stored webhooks already keep. */
interface Checks {
  noSideEffects: boolean;
  reviewVersion: boolean;
  uniqueNames: boolean;
  labelValues: boolean;
  conditions: boolean;
  condition: ExpressionCheck | undefined;
}

const knowsVersion = ({ admissionReviewVersions: versions = [] }: Webhook): boolean =>
  versions.length === 0 || versions.some((version) => reviewVersions.includes(version));

function checkReviewVersions(errors: Errors, path: string, webhook: Webhook, mustKnow: boolean): void {
  const versions = webhook.admissionReviewVersions ?? [];
  if (versions.length === 0) errors.push(required(path, `must specify one of ${reviewVersions.join(', ')}`));
  for (const [index, version] of versions.entries()) {
    if (versions.indexOf(version) < index) errors.push(invalidField(`${path}[${index}]`, version, 'duplicate version'));
    else invalidFor(errors, `${path}[${index}]`, version, isDNS1035Label(version));
  }
  if (mustKnow && !knowsVersion(webhook))
    errors.push(invalidField(path, versions, `must include at least one of ${reviewVersions.join(', ')}`));
}

function checkWebhook(errors: Errors, path: string, webhook: Webhook, checks: Checks): void {
  errors.push(...isFullyQualifiedName(`${path}.name`, webhook.name ?? ''));
  for (const [index, rule] of (webhook.rules ?? []).entries()) checkRule(errors, `${path}.rules[${index}]`, rule);
  checkOptional(errors, `${path}.failurePolicy`, webhook.failurePolicy, failurePolicies);
  checkOptional(errors, `${path}.matchPolicy`, webhook.matchPolicy, matchPolicies);
  const allowed = checks.noSideEffects ? noSideEffects : sideEffects;
  if (webhook.sideEffects == null) errors.push(required(`${path}.sideEffects`, `must specify one of ${allowed.join(', ')}`));
  else checkOptional(errors, `${path}.sideEffects`, webhook.sideEffects, allowed);
  const seconds = webhook.timeoutSeconds;
  if (seconds !== undefined && (seconds > longestTimeout || seconds < 1))
    errors.push(invalidField(`${path}.timeoutSeconds`, seconds, 'the timeout value must be between 1 and 30 seconds'));
  const options = { allowInvalidLabelValue: !checks.labelValues };
  checkSelector(errors, `${path}.namespaceSelector`, webhook.namespaceSelector, options);
  checkSelector(errors, `${path}.objectSelector`, webhook.objectSelector, options);
  checkOptional(errors, `${path}.reinvocationPolicy`, webhook.reinvocationPolicy, ['IfNeeded', 'Never']);
  const { url, service } = webhook.clientConfig ?? {};
  if ((url === undefined) === (service === undefined))
    errors.push(required(`${path}.clientConfig`, 'exactly one of url or service is required'));
  else if (url !== undefined) checkWebhookUrl(errors, `${path}.clientConfig.url`, url);
  else if (service) checkWebhookService(errors, `${path}.clientConfig.service`, service);
  if (checks.conditions) checkMatchConditions(errors, `${path}.matchConditions`, webhook.matchConditions ?? [], checks.condition);
}

const badSelector = ({ namespaceSelector, objectSelector }: Webhook): boolean =>
  [namespaceSelector, objectSelector].some((selector) => validateLabelSelector(selector, '').length > 0);

/** Whether the conditions are the stored ones, which are not looked at again. */
const hasSameConditions = ({ webhooks = [] }: Configuration, old: Configuration | undefined): boolean =>
  old !== undefined &&
  webhooks.length === (old.webhooks ?? []).length &&
  webhooks.every((webhook, index) => same(webhook.matchConditions, old.webhooks?.[index]?.matchConditions));

export const hasConditions = (configuration: Configuration, old?: Configuration): boolean =>
  !hasSameConditions(configuration, old) && (configuration.webhooks ?? []).some(({ matchConditions }) => matchConditions?.length);

export function validateWebhooks(configuration: Configuration, old?: Configuration, expressions?: ExpressionChecks): Errors {
  const errors: Errors = [];
  const before = old?.webhooks ?? [];
  const checks: Checks = {
    noSideEffects: before.every((webhook) => noSideEffects.includes(webhook.sideEffects ?? '')),
    reviewVersion: before.every(knowsVersion),
    uniqueNames: new Set(before.map(({ name }) => name)).size === before.length,
    labelValues: !before.some(badSelector),
    conditions: !hasSameConditions(configuration, old),
    condition: expressions?.webhookCondition,
  };
  const names = new Set<string>();
  for (const [index, webhook] of (configuration.webhooks ?? []).entries()) {
    const path = `webhooks[${index}]`;
    checkWebhook(errors, path, webhook, checks);
    checkReviewVersions(errors, `${path}.admissionReviewVersions`, webhook, checks.reviewVersion);
    if (!checks.uniqueNames || !webhook.name) continue;
    if (names.has(webhook.name)) errors.push(duplicate(`${path}.name`, webhook.name));
    names.add(webhook.name);
  }
  return errors;
}
