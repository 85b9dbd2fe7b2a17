/** Rules about values: x-kubernetes-validations. */
import type { KubeObject } from '#machinery/meta';
import type { FieldError } from '#machinery/status';
import type { Schema } from './schema.ts';

export interface ExpressionRules {
  check(object: KubeObject, old?: KubeObject): FieldError[];
}

export function expressionRules(_schema: Schema): Promise<ExpressionRules | undefined> {
  return Promise.resolve(undefined);
}
