import type { Namespace, ValidatingAdmissionPolicy } from '#api';
import { runtimeCostBudget, types } from '#machinery/cel';
import type { CelType } from '#machinery/cel';
import type { KubeObject } from '#machinery/meta';
import type { AdmissionAttributes, Authorizer } from '../../contract.ts';
import type { Versioned } from '../webhook/review.ts';
import { admissionActivation, withVariables } from './activation.ts';
import { admissionEnvironment } from './environment.ts';
import { Budget, evaluate, Expression, OutOfBudget } from './expression.ts';
import { MatchConditions } from './match-conditions.ts';

const longestMessage = 5 * 1024;

/** One validation that was not passed. */
export interface Denial {
  /** Which of the policy's validations. */
  index: number;
  message: string;
  reason: string;
}

export interface PolicyOutcome {
  denials: Denial[];
  annotations: { key: string; value: string }[];
  /** Failures of audit annotations, which deny whatever the binding's actions are. */
  errors: string[];
}

export interface PolicyInput {
  attributes: AdmissionAttributes;
  versioned: Versioned;
  params: KubeObject | null;
  namespace: Namespace | undefined;
  authorizer: Authorizer;
}

interface Validation {
  expression: Expression;
  message: string;
  messageExpression: Expression | undefined;
  reason: string;
}

/** A policy, ready to be asked. upstream: policy/validating/validator.go. */
export class CompiledPolicy {
  readonly #conditions: MatchConditions | undefined;
  readonly #variables = new Map<string, Expression>();
  readonly #validations: Validation[];
  readonly #annotations: { key: string; expression: Expression }[];
  readonly #ignores: boolean;

  constructor({ spec }: ValidatingAdmissionPolicy) {
    const params = spec?.paramKind !== undefined;
    const known: Record<string, CelType> = {};
    const { matchConditions = [], variables = [], validations = [], auditAnnotations = [], failurePolicy } = spec ?? {};
    this.#ignores = failurePolicy === 'Ignore';
    if (matchConditions.length > 0) this.#conditions = new MatchConditions(matchConditions, { params });
    for (const { name, expression } of variables) {
      const compiled = new Expression(expression, admissionEnvironment({ params, authorizer: true, variables: { ...known } }));
      this.#variables.set(name, compiled);
      known[name] = compiled.program?.type ?? types.dynType;
    }
    const environment = admissionEnvironment({ params, authorizer: true, variables: known });
    const forMessages = admissionEnvironment({ params, variables: known });
    this.#validations = validations.map(({ expression, message = '', messageExpression, reason = 'Invalid' }) => ({
      expression: new Expression(expression, environment, [types.boolType]),
      message,
      messageExpression: messageExpression ? new Expression(messageExpression, forMessages, [types.stringType]) : undefined,
      reason,
    }));
    this.#annotations = auditAnnotations.map(({ key, valueExpression }) => ({
      key,
      expression: new Expression(valueExpression, environment, [types.stringType, types.nullType]),
    }));
  }

  evaluate({ attributes, versioned, params, namespace, authorizer }: PolicyInput): PolicyOutcome {
    const outcome: PolicyOutcome = { denials: [], annotations: [], errors: [] };
    /** An expression that fails denies, unless the policy says to look away. */
    const failed = (index: number, message: string): void => {
      if (!this.#ignores) outcome.denials.push({ index, message, reason: '' });
    };
    const plain = admissionActivation({
      attributes,
      versioned,
      authorizer,
      params,
      ...(namespace && { namespace }),
    });
    if (this.#conditions) {
      const matched = this.#conditions.matches(plain);
      if (typeof matched === 'string') failed(0, matched);
      if (matched !== true) return outcome;
    }
    const budget = new Budget(runtimeCostBudget);
    const activation = withVariables(plain, this.#variables, budget);
    try {
      for (const [index, validation] of this.#validations.entries()) {
        const result = evaluate(validation.expression, activation, budget);
        if ('error' in result) failed(index, result.error);
        else if (result.value !== true)
          outcome.denials.push({ index, message: this.#message(validation, activation, budget), reason: validation.reason });
      }
      const auditBudget = new Budget(runtimeCostBudget);
      for (const { key, expression } of this.#annotations) {
        const result = evaluate(expression, withVariables(plain, this.#variables, auditBudget), auditBudget);
        if ('error' in result) {
          if (!this.#ignores) outcome.errors.push(result.error);
        } else if (typeof result.value === 'string' && result.value.trim()) outcome.annotations.push({ key, value: result.value.trim() });
      }
    } catch (error) {
      if (!(error instanceof OutOfBudget)) throw error;
      outcome.denials = [];
      failed(0, error.message);
    }
    return outcome;
  }

  #message({ expression, message, messageExpression }: Validation, activation: Parameters<typeof evaluate>[1], budget: Budget): string {
    if (messageExpression) {
      const result = evaluate(messageExpression, activation, budget);
      const text = 'value' in result && typeof result.value === 'string' ? result.value.trim() : '';
      // What is too long or of several lines is passed over for the fixed message.
      if (text && Buffer.byteLength(text) <= longestMessage && !text.includes('\n')) return text;
    }
    return message.trim() || `failed expression: ${expression.text.trim()}`;
  }
}
