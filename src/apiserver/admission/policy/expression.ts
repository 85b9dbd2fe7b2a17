import { compile, CostLimitExceeded, isError, perCallLimit } from '#machinery/cel';
import type { Activation, CelType, Environment, Program, Value } from '#machinery/cel';
import { types } from '#machinery/cel';

/** All expressions of one object together cost too much. upstream: apiserver/pkg/cel ErrOutOfBudget. */
export class OutOfBudget extends Error {
  constructor() {
    super('validation failed due to running out of cost budget, no further validation rules will be run');
  }
}

/** An expression of a webhook or policy, compiled; a text that does not compile fails when it is asked. */
export class Expression {
  readonly text: string;
  readonly program: Program | undefined;
  readonly error: string | undefined;

  constructor(text: string, environment: Environment, wanted?: readonly CelType[]) {
    this.text = text;
    try {
      const program = compile(text, environment);
      const fits = !wanted || wanted.some((type) => types.sameType(program.type, type));
      if (fits) this.program = program;
      else {
        const names = wanted.map((type) => types.formatType(type));
        const got = types.formatType(program.type);
        this.error =
          names.length === 1
            ? `must evaluate to ${names[0]} but got ${got}`
            : `must evaluate to one of [${names.join(' ')}] but got ${got}`;
      }
    } catch (error) {
      this.error = `compilation failed: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
}

/** What is left to spend on one object. */
export class Budget {
  #left: number;

  constructor(amount: number) {
    this.#left = amount;
  }

  spend(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) throw new OutOfBudget();
  }
}

/** The value of an expression, or why there is none. Throws OutOfBudget. */
export function evaluate(expression: Expression, activation: Activation, budget: Budget): { value: Value } | { error: string } {
  const { program, text } = expression;
  if (!program) return { error: `compilation error: ${expression.error}` };
  const failed = (why: string): { error: string } => ({ error: `expression '${text}' resulted in error: ${why}` });
  try {
    const { value, cost } = program.run(activation, perCallLimit);
    budget.spend(cost);
    return isError(value) ? failed(value.message) : { value };
  } catch (error) {
    if (!(error instanceof CostLimitExceeded)) throw error;
    // What cost too much by itself has spent all that it might.
    budget.spend(perCallLimit);
    return failed(error.message);
  }
}
