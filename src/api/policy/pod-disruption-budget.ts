/** upstream: pkg/registry/policy/poddisruptionbudget/strategy.go. */
import { PodDisruptionBudget } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, integer, text } from '../columns.ts';
import { keepSpec, keepStatus } from '../strategy.ts';

export const podDisruptionBudgetRules = defineKind<PodDisruptionBudget>({
  kind: PodDisruptionBudget,
  prepareForCreate: (budget) => {
    budget.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  },
  prepareForUpdate: keepStatus,
  subresources: { status: { prepareForUpdate: keepSpec } },
  allowUnconditionalUpdate: false,
  columns: [
    text('Min Available', (budget) => String(budget.spec?.minAvailable ?? 'N/A')),
    text('Max Unavailable', (budget) => String(budget.spec?.maxUnavailable ?? 'N/A')),
    integer('Allowed Disruptions', (budget) => budget.status?.disruptionsAllowed ?? 0),
    ageColumn,
  ],
});
