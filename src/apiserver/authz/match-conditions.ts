import { baseEnvironment, fromJson, types } from '#machinery/cel';
import type { CelType } from '#machinery/cel';
import { Budget, evaluate, Expression } from '../admission/policy/expression.ts';
import type { AuthorizationAttributes } from '../contract.ts';
import { reviewValue } from './review.ts';

const { boolType, listOf, mapOf, stringType, struct } = types;

const strings = (...names: string[]): Record<string, CelType> => Object.fromEntries(names.map((name) => [name, stringType]));
const prefix = 'kubernetes.';

/** upstream: apiserver/pkg/authorization/cel/compile.go. */
const declared: Readonly<Record<string, Readonly<Record<string, CelType>>>> = {
  [`${prefix}SelectorRequirement`]: { ...strings('key', 'operator'), values: listOf(stringType) },
  [`${prefix}SelectorAttributes`]: { ...strings('rawSelector'), requirements: listOf(struct(`${prefix}SelectorRequirement`)) },
  [`${prefix}ResourceAttributes`]: {
    ...strings('namespace', 'verb', 'group', 'version', 'resource', 'subresource', 'name'),
    fieldSelector: struct(`${prefix}SelectorAttributes`),
    labelSelector: struct(`${prefix}SelectorAttributes`),
  },
  [`${prefix}NonResourceAttributes`]: strings('path', 'verb'),
  [`${prefix}SubjectAccessReviewSpec`]: {
    resourceAttributes: struct(`${prefix}ResourceAttributes`),
    nonResourceAttributes: struct(`${prefix}NonResourceAttributes`),
    ...strings('user', 'uid'),
    groups: listOf(stringType),
    extra: mapOf(stringType, listOf(stringType)),
  },
};

const environment = baseEnvironment.extend({
  variables: { request: struct(`${prefix}SubjectAccessReviewSpec`) },
  types: {
    fields: (type) =>
      Object.hasOwn(declared, type) ? (field) => (Object.hasOwn(declared[type]!, field) ? declared[type]![field] : undefined) : undefined,
  },
});

const budget = 2_500_000;

/** Which requests an authorizer is asked about. */
export class ReviewConditions {
  readonly #expressions: readonly Expression[];

  /** Throws an Error with what is wrong. `path`: where the conditions are written. */
  constructor(expressions: readonly string[], path: string) {
    this.#expressions = expressions.map((text) => new Expression(text, environment, [boolType]));
    const errors = this.#expressions.flatMap(({ error }, index) =>
      error === undefined ? [] : [`${path}[${index}].expression: Invalid value: ${JSON.stringify(expressions[index])}: ${error}`],
    );
    if (errors.length > 0) throw new Error(errors.join(', '));
  }

  /** True where all hold. Throws where that cannot be said; one that does not hold outweighs that. */
  match(attributes: AuthorizationAttributes): boolean {
    if (this.#expressions.length === 0) return true;
    const request = fromJson(reviewValue(attributes));
    const spending = new Budget(budget);
    const errors: string[] = [];
    for (const expression of this.#expressions) {
      const result = evaluate(expression, (name) => (name === 'request' ? request : undefined), spending);
      if ('error' in result) errors.push(result.error);
      else if (result.value !== true) return false;
    }
    if (errors.length > 0) throw new Error(errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`);
    return true;
  }
}
