import { check } from './check/checker.ts';
import type { Checked } from './check/checker.ts';
import { Environment } from './check/environment.ts';
import { childrenOf, validateLiterals } from './check/validators.ts';
import { estimateCost } from './cost/estimator.ts';
import type { Range } from './cost/estimate.ts';
import type { SizeEstimator } from './cost/node.ts';
import { compile as compileSteps } from './eval/compile.ts';
import type { Runnable, StructFactory } from './eval/compile.ts';
import type { Activation } from './eval/frame.ts';
import { libraries } from './libraries/index.ts';
import { Source } from './source.ts';
import type { Expr } from './syntax/ast.ts';
import { parse } from './syntax/parser.ts';
import type { CelType } from './types.ts';
import { isError } from './values/value.ts';
import type { Value } from './values/value.ts';

/** The environment of all of Kubernetes' expressions; callers extend it with their variables. */
export const baseEnvironment: Environment = new Environment().extend({ libraries });

/** An expression failed when it was run. */
export class CelEvaluationError extends Error {
  override name = 'CelEvaluationError';
}

/** A compiled expression. */
export class Program {
  /** What it was compiled from. */
  readonly text: string;
  /** The type of its value. */
  readonly type: CelType;
  readonly #checked: Checked;
  readonly #runnable: Runnable;

  constructor(text: string, checked: Checked, runnable: Runnable) {
    this.text = text;
    this.type = checked.type;
    this.#checked = checked;
    this.#runnable = runnable;
  }

  /**
   * Runs it. Throws a CelEvaluationError where it fails, and CostLimitExceeded ("operation cancelled: actual cost limit exceeded") where it
   * costs more than `limit`.
   */
  evaluate(variables: Readonly<Record<string, Value>> | Activation, limit: number = perCallLimit): { value: Value; cost: number } {
    const activation: Activation =
      typeof variables === 'function' ? variables : (name) => (Object.hasOwn(variables, name) ? variables[name] : undefined);
    const result = this.#runnable.run(activation, limit);
    if (isError(result.value)) throw new CelEvaluationError(result.value.message);
    return result;
  }

  /** The same without throwing where it fails: the value is then a CelError. */
  run(activation: Activation, limit: number = perCallLimit): { value: Value; cost: number } {
    return this.#runnable.run(activation, limit);
  }

  estimateCost(sizes?: SizeEstimator): Range {
    return estimateCost(this.#checked, sizes);
  }

  /** True where the expression names the variable. */
  uses(variable: string): boolean {
    const walk = (expr: Expr): boolean => this.#checked.names.get(expr.id) === variable || childrenOf(expr).some(walk);
    return walk(this.#checked.expr);
  }
}

/** The most one evaluation may cost. upstream: apiserver/pkg/apis/cel/config.go PerCallLimit. */
export const perCallLimit = 1_000_000;
/** The most that all expressions of one object may cost together. */
export const runtimeCostBudget = 10_000_000;

/** Reads and checks an expression. Throws a CelCompileError; its message is cel-go's. */
export function compile(text: string, environment: Environment, structs?: StructFactory): Program {
  const source = new Source(text);
  const checked = check(parse(source, environment.bindings), environment, source);
  validateLiterals(checked, source);
  return new Program(text, checked, compileSteps(checked, environment, structs));
}
