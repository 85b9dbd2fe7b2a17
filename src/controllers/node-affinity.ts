import type { Node } from '#api';
import type { PodSpec } from './api-types.ts';

type NodeSelector = NonNullable<
  NonNullable<NonNullable<PodSpec['affinity']>['nodeAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
>;
type Requirement = NonNullable<NodeSelector['nodeSelectorTerms'][number]['matchExpressions']>[number];

const integer = (text: string | undefined): number => (text !== undefined && /^-?\d+$/.test(text) ? Number(text) : NaN);

function meets({ key, operator, values = [] }: Requirement, labels: Record<string, string | undefined>): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return integer(value) > integer(values[0]);
    case 'Lt':
      return integer(value) < integer(values[0]);
    default:
      return false;
  }
}

/** True where one of the terms matches; a term without requirements matches nothing. */
export const matchesNodeSelector = ({ nodeSelectorTerms }: NodeSelector, node: Node): boolean =>
  nodeSelectorTerms.some(
    ({ matchExpressions = [], matchFields = [] }) =>
      matchExpressions.length + matchFields.length > 0 &&
      matchExpressions.every((each) => meets(each, node.metadata?.labels ?? {})) &&
      matchFields.every((each) => meets(each, { 'metadata.name': node.metadata?.name })),
  );

/** Whether a pod's nodeSelector and required node affinity allow the node. upstream: component-helpers nodeaffinity. */
export function allowsNode({ nodeSelector, affinity }: PodSpec, node: Node): boolean {
  const labels = node.metadata?.labels ?? {};
  for (const [key, value] of Object.entries(nodeSelector ?? {})) if (labels[key] !== value) return false;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || matchesNodeSelector(required, node);
}
