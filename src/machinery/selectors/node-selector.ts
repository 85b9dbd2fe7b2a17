/** Which nodes a pod or a volume may be on. upstream: component-helpers/scheduling/corev1/nodeaffinity. */
import { integer } from './requirement.ts';

/** What is asked of a node: the shapes are those of the API. */
export interface SelectableNode {
  metadata?: { name?: string; labels?: Record<string, string> };
}

interface NodeRequirement {
  key: string;
  operator: string;
  values?: readonly string[];
}

export interface NodeTerm {
  matchExpressions?: readonly NodeRequirement[];
  matchFields?: readonly NodeRequirement[];
}

export interface NodeTerms {
  nodeSelectorTerms?: readonly NodeTerm[];
}

interface Placed {
  nodeSelector?: Record<string, string>;
  affinity?: { nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: NodeTerms } };
}

export type NodeMatcher = (node: SelectableNode) => boolean;

function meets({ key, operator, values = [] }: NodeRequirement, labels: Record<string, string> | undefined): boolean {
  const value = labels?.[key];
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
    case 'Lt': {
      const [number, bound] = [integer(value ?? ''), integer(values[0] ?? '')];
      if (number === undefined || bound === undefined) return false;
      return operator === 'Gt' ? number > bound : number < bound;
    }
    default:
      return false;
  }
}

/** All of its requirements; a term without any matches nothing. */
export function nodeTermMatches({ matchExpressions = [], matchFields = [] }: NodeTerm, { metadata }: SelectableNode): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const fields = { 'metadata.name': metadata?.name ?? '' };
  return (
    matchExpressions.every((requirement) => meets(requirement, metadata?.labels)) &&
    matchFields.every((requirement) => requirement.key === 'metadata.name' && meets(requirement, fields))
  );
}

/** One of its terms. */
export const nodeSelectorMatches = ({ nodeSelectorTerms = [] }: NodeTerms, node: SelectableNode): boolean =>
  nodeSelectorTerms.some((term) => nodeTermMatches(term, node));

/** A pod's nodeSelector and required node affinity together; undefined where its spec has neither. */
export function requiredNodeAffinity({ nodeSelector, affinity }: Placed): NodeMatcher | undefined {
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!nodeSelector && !required) return undefined;
  const entries = Object.entries(nodeSelector ?? {});
  return (node) =>
    entries.every(([key, value]) => node.metadata?.labels?.[key] === value) && (!required || nodeSelectorMatches(required, node));
}
