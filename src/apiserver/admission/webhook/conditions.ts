import { forbid } from '../attributes.ts';
import { admissionActivation } from '../policy/activation.ts';
import { MatchConditions } from '../policy/match-conditions.ts';
import type { Authorizer } from '../../contract.ts';
import type { ConditionMatcher } from './calls.ts';
import type { Hook } from './hooks.ts';

/** Conditions of webhooks in CEL. Where they cannot be evaluated, failurePolicy decides: refuse, or do not call. */
export function webhookConditions(authorizer: Authorizer): ConditionMatcher {
  const compiled = new WeakMap<Hook, MatchConditions>();
  return (hook, attributes, versioned) => {
    let conditions = compiled.get(hook);
    if (!conditions) compiled.set(hook, (conditions = new MatchConditions(hook.webhook.matchConditions ?? [], {})));
    const matched = conditions.matches(admissionActivation({ attributes, versioned, authorizer }));
    if (typeof matched === 'boolean') return matched;
    if (hook.webhook.failurePolicy === 'Ignore') return false;
    throw forbid(attributes, matched);
  };
}
