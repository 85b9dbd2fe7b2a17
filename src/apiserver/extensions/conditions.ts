/** Conditions of definitions. upstream: apiextensions-apiserver/pkg/apihelpers. */
import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from '#api';

export type Condition = CustomResourceDefinitionCondition;

export const conditionOf = (definition: CustomResourceDefinition, type: string): Condition | undefined =>
  definition.status?.conditions?.find((condition) => condition.type === type);

export const isTrue = (definition: CustomResourceDefinition, type: string): boolean => conditionOf(definition, type)?.status === 'True';

/** The conditions with `next` among them; its transition time changes with its status alone. */
export function withCondition(conditions: readonly Condition[] | undefined, next: Condition, now: number): Condition[] {
  const list = [...(conditions ?? [])];
  const index = list.findIndex(({ type }) => type === next.type);
  const old = list[index];
  const since = `${new Date(now).toISOString().slice(0, 19)}Z`;
  const made: Condition = { ...next, lastTransitionTime: old && old.status === next.status ? (old.lastTransitionTime ?? since) : since };
  if (index < 0) list.push(made);
  else list[index] = made;
  return list;
}
