import type { ExpressionCheck, ExpressionChecks, PolicyExpressionChecks } from '#api';
import { types } from '#machinery/cel';
import type { CelType, Environment } from '#machinery/cel';
import { invalidField } from '#machinery/status';
import type { FieldError } from '#machinery/status';
import { admissionEnvironment } from './environment.ts';
import { Expression } from './expression.ts';

/** Whether the expressions of webhooks and policies compile when they are written. upstream: pkg/apis/admissionregistration/validation. */

/** What is wrong with `expression`, told of `value`. */
function problems(path: string, value: string, { error }: Expression): FieldError[] {
  return error === undefined ? [] : [invalidField(path, value, error)];
}

const checkIn =
  (environment: Environment, ...wanted: CelType[]): ExpressionCheck =>
  (path, text) =>
    problems(path, text, new Expression(text, environment, wanted));

export const webhookConditionErrors = checkIn(admissionEnvironment({ authorizer: true }), types.boolType);

export const policyExpressionChecks: ExpressionChecks['policy'] = ({ params, variables }): PolicyExpressionChecks => {
  const known: Record<string, CelType> = {};
  const declared = variables && { variables: known };
  const environment = admissionEnvironment({ params, authorizer: true, ...declared });
  return {
    condition: checkIn(admissionEnvironment({ params, authorizer: true }), types.boolType),
    variable: (path, name, text) => {
      const expression = new Expression(text, environment);
      known[name] = expression.program?.type ?? types.dynType;
      return problems(path, text, expression);
    },
    validation: checkIn(environment, types.boolType),
    message: checkIn(admissionEnvironment({ params, ...declared }), types.stringType),
    annotation: (path, text) => problems(path, text, new Expression(text.trim(), environment, [types.stringType, types.nullType])),
  };
};
