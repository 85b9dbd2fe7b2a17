import type { MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingWebhookConfiguration } from '#api';
import { types } from '#machinery/cel';
import type { CelType } from '#machinery/cel';
import { equal } from '#machinery/meta';
import { invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import type { MatchCondition } from '../../../api/facts/types.ts';
import { admissionEnvironment } from './environment.ts';
import { Expression } from './expression.ts';

/** Whether the expressions of webhooks and policies compile when they are written. upstream: pkg/apis/admissionregistration/validation. */

type Webhooks = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;
type Environment = ReturnType<typeof admissionEnvironment>;

/** What is wrong with the expression, told of `value`. */
function expressionErrors(path: string, text: string, environment: Environment, wanted?: CelType[], value = text): FieldError[] {
  const { error } = new Expression(text, environment, wanted);
  return error === undefined ? [] : [invalidField(path, value, error)];
}

function conditionErrors(path: string, conditions: readonly MatchCondition[] | undefined, params: boolean): FieldError[] {
  if (!conditions?.length) return [];
  const environment = admissionEnvironment({ params, authorizer: true });
  return conditions.flatMap(({ expression }, index) =>
    expressionErrors(`${path}[${index}].expression`, expression.trim(), environment, [types.boolType]),
  );
}

/** Conditions that are all stored already are not looked at again. */
export function webhookExpressionErrors({ webhooks = [] }: Webhooks, old?: Webhooks): FieldError[] {
  const stored = old?.webhooks ?? [];
  const unchanged = webhooks.every(({ matchConditions }, index) => equal(matchConditions, stored[index]?.matchConditions));
  if (old && webhooks.length === stored.length && unchanged) return [];
  return webhooks.flatMap(({ matchConditions }, index) => conditionErrors(`webhooks[${index}].matchConditions`, matchConditions, false));
}

export function policyExpressionErrors({ spec = {} }: ValidatingAdmissionPolicy, old?: ValidatingAdmissionPolicy): FieldError[] {
  const params = spec.paramKind !== undefined;
  const errors: FieldError[] = [];
  const { matchConditions, variables = [], validations = [], auditAnnotations = [] } = spec;
  if (!old || !equal(spec.paramKind, old.spec?.paramKind) || !equal(matchConditions, old.spec?.matchConditions))
    errors.push(...conditionErrors('spec.matchConditions', matchConditions, params));
  const known: Record<string, CelType> = {};
  for (const [index, { name, expression }] of variables.entries()) {
    const { program, error } = new Expression(expression, admissionEnvironment({ params, authorizer: true, variables: { ...known } }));
    if (error !== undefined) errors.push(invalidField(`spec.variables[${index}].expression`, expression, error));
    known[name] = program?.type ?? types.dynType;
  }
  const declared = variables.length > 0 && { variables: known };
  const environment = admissionEnvironment({ params, authorizer: true, ...declared });
  const forMessages = admissionEnvironment({ params, ...declared });
  for (const [index, { expression, messageExpression }] of validations.entries()) {
    const path = `spec.validations[${index}]`;
    errors.push(...expressionErrors(`${path}.expression`, expression, environment, [types.boolType]));
    if (messageExpression)
      errors.push(...expressionErrors(`${path}.messageExpression`, messageExpression, forMessages, [types.stringType]));
  }
  for (const [index, { valueExpression }] of auditAnnotations.entries()) {
    const path = `spec.auditAnnotations[${index}].valueExpression`;
    errors.push(...expressionErrors(path, valueExpression.trim(), environment, [types.stringType, types.nullType], valueExpression));
  }
  return errors;
}
