/** upstream: pkg/registry/policy/poddisruptionbudget/strategy.go. */
import { PodDisruptionBudget } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { validateConditions, validateLabelSelector } from '#machinery/names';
import { checkNonnegative, checkSelector, invalidField, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkAtMostAll, checkCountOrPercent } from '../intstr.ts';
import { ageColumn, integer, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';

function validateBudget({ spec = {} }: PodDisruptionBudget, allowInvalidLabelValue = false): Errors {
  const errors: Errors = [];
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec;
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    const internal = {
      MinAvailable: minAvailable,
      Selector: selector ?? null,
      MaxUnavailable: maxUnavailable,
      UnhealthyPodEvictionPolicy: policy ?? null,
    };
    errors.push(invalidField('spec', internal, 'minAvailable and maxUnavailable cannot be both set'));
  }
  for (const field of ['minAvailable', 'maxUnavailable'] as const) {
    checkCountOrPercent(errors, `spec.${field}`, spec[field]);
    checkAtMostAll(errors, `spec.${field}`, spec[field]);
  }
  checkSelector(errors, 'spec.selector', selector, { allowInvalidLabelValue });
  if (policy !== undefined && policy !== 'IfHealthyBudget' && policy !== 'AlwaysAllow')
    errors.push(unsupported('spec.unhealthyPodEvictionPolicy', policy, ['AlwaysAllow', 'IfHealthyBudget']));
  return errors;
}

function validateStatus({ status }: PodDisruptionBudget): Errors {
  const errors: Errors = validateConditions(status?.conditions, 'status.conditions');
  for (const field of ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const)
    checkNonnegative(errors, `status.${field}`, status?.[field]);
  return errors;
}

export const podDisruptionBudgetRules = defineKind<PodDisruptionBudget>({
  kind: PodDisruptionBudget,
  checksMetadata: false,
  prepareForCreate: (budget) => {
    budget.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  },
  prepareForUpdate: keepStatus,
  validate: (budget) => validateBudget(budget),
  validateUpdate: (budget, old) => validateBudget(budget, validateLabelSelector(old.spec?.selector, '').length > 0),
  subresources: { status: { prepareForUpdate: keepSpec, validateUpdate: validateStatus } },
  allowUnconditionalUpdate: false,
  columns: [
    text('Min Available', (budget) => String(budget.spec?.minAvailable ?? 'N/A')),
    text('Max Unavailable', (budget) => String(budget.spec?.maxUnavailable ?? 'N/A')),
    integer('Allowed Disruptions', (budget) => budget.status?.disruptionsAllowed ?? 0),
    ageColumn,
  ],
});
