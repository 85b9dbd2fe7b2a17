import type { ExpressionChecks } from '#api';

/** Loads what compiles expressions that clients write: CEL takes its time to load and most clusters never see one. */
export async function loadExpressionChecks(): Promise<ExpressionChecks> {
  const [{ policyExpressionChecks: policy, webhookConditionErrors: webhookCondition }, { deviceSelectorErrors: deviceSelector }] =
    await Promise.all([import('../admission/policy/written-expressions.ts'), import('./device-expressions.ts')]);
  return { webhookCondition, policy, deviceSelector };
}
