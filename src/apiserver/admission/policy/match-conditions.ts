import { types } from '#machinery/cel';
import type { Activation } from '#machinery/cel';
import type { MatchCondition } from '../../../api/facts/types.ts';
import { admissionEnvironment } from './environment.ts';
import type { EnvironmentOptions } from './environment.ts';
import { Budget, evaluate, Expression, OutOfBudget } from './expression.ts';

/** A quarter of what validations may cost. upstream: RuntimeCELCostBudgetMatchConditions. */
const budget = 2_500_000;

/** Conditions compiled; all must hold. */
export class MatchConditions {
  readonly #conditions: readonly Expression[];

  constructor(conditions: readonly MatchCondition[], options: EnvironmentOptions) {
    const environment = admissionEnvironment({ ...options, authorizer: true });
    this.#conditions = conditions.map(({ expression }) => new Expression(expression, environment, [types.boolType]));
  }

  /** Whether all hold; a text where that cannot be said. One that does not hold outweighs one that fails. */
  matches(activation: Activation): boolean | string {
    const errors: string[] = [];
    const spending = new Budget(budget);
    try {
      for (const condition of this.#conditions) {
        const result = evaluate(condition, activation, spending);
        if ('error' in result) errors.push(result.error);
        else if (result.value === false) return false;
      }
    } catch (error) {
      if (!(error instanceof OutOfBudget)) throw error;
      return error.message;
    }
    if (errors.length === 0) return true;
    return errors.length === 1 ? errors[0]! : `[${errors.join(', ')}]`;
  }
}
