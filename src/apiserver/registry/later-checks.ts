import {
  DeviceClass,
  MutatingWebhookConfiguration,
  ResourceClaimTemplate,
  ResourceV1ResourceClaim,
  ValidatingAdmissionPolicy,
  ValidatingWebhookConfiguration,
} from '#api';
import type { Kind } from '#api';
import type { KindRules } from '#api';

/** Checks of what clients write that load what they need first: CEL takes its time to load and most clusters never see an expression. */

const expressions = () => import('../admission/policy/written-expressions.ts');
const devices = () => import('./device-expressions.ts');

const checks: readonly [Kind<never>, NonNullable<KindRules['validateLater']>][] = [
  [MutatingWebhookConfiguration as Kind<never>, async (object, old) => (await expressions()).webhookExpressionErrors(object, old)],
  [ValidatingWebhookConfiguration as Kind<never>, async (object, old) => (await expressions()).webhookExpressionErrors(object, old)],
  [ValidatingAdmissionPolicy as Kind<never>, async (object, old) => (await expressions()).policyExpressionErrors(object, old)],
  [ResourceV1ResourceClaim as Kind<never>, async (object, old) => (await devices()).claimExpressionErrors(object, old)],
  [ResourceClaimTemplate as Kind<never>, async (object, old) => (await devices()).templateExpressionErrors(object, old)],
  [DeviceClass as Kind<never>, async (object, old) => (await devices()).classExpressionErrors(object, old)],
];

/** The rules of a kind with the checks that only a server can make. */
export function withLaterChecks(rules: KindRules): KindRules {
  const found = checks.find(([kind]) => kind.kind === rules.kind.kind && kind.group === rules.kind.group);
  return found ? { ...rules, validateLater: found[1] } : rules;
}
