/** What webhooks and policies share. upstream: pkg/apis/admissionregistration/v1/defaults.go. */
import type { MatchResources, MutatingWebhook, ValidatingWebhook } from '../facts/types.ts';

const httpsPort = 443;

/** Changes `webhook`. */
export function defaultWebhook(webhook: MutatingWebhook | ValidatingWebhook): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= httpsPort;
  for (const rule of webhook.rules ?? []) rule.scope ??= '*';
}

/** Changes `match`. */
export function defaultMatchResources(match: MatchResources | undefined): void {
  if (!match) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of match.resourceRules ?? []) rule.scope ??= '*';
  for (const rule of match.excludeResourceRules ?? []) rule.scope ??= '*';
}
