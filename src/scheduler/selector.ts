/** Label selectors and node selectors compiled to functions: they are asked once a pod and node. upstream: apimachinery/pkg/labels, component-helpers/scheduling/corev1/nodeaffinity. */
import type { LabelSelector, Node, NodeSelector, NodeSelectorTerm, Pod, PreferredSchedulingTerm } from '#api';

export type Labels = Record<string, string> | undefined;

export interface Selector {
  /** True for a selector without requirements. */
  readonly empty: boolean;
  matches(labels: Labels): boolean;
  /** Equal for selectors that select the same way. */
  readonly key: string;
}

interface Requirement {
  key: string;
  operator: string;
  values?: string[];
}

const everything: Selector = { empty: true, matches: () => true, key: '*' };
const nothing: Selector = { empty: false, matches: () => false, key: '!' };

function meets(requirement: Requirement, labels: Labels): boolean {
  const value = labels?.[requirement.key];
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && (requirement.values ?? []).includes(value);
    case 'NotIn':
      return value === undefined || !(requirement.values ?? []).includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false;
      const bound = requirement.values?.[0] ?? '';
      if (!/^[+-]?\d+$/.test(bound)) return false;
      return requirement.operator === 'Gt' ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
    default:
      return false;
  }
}

function fromRequirements(requirements: Requirement[]): Selector {
  if (requirements.length === 0) return everything;
  const key = JSON.stringify(requirements.map(({ key, operator, values }) => [key, operator, ...(values ?? [])].join('\0')).toSorted());
  const [only] = requirements;
  if (requirements.length === 1 && only!.operator === 'In' && only!.values?.length === 1) {
    const [value] = only!.values;
    return { empty: false, key, matches: (labels) => labels?.[only!.key] === value };
  }
  return { empty: false, key, matches: (labels) => requirements.every((requirement) => meets(requirement, labels)) };
}

const requirementsOf = (selector: LabelSelector): Requirement[] => [
  ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({ key, operator: 'In', values: [value] })),
  ...(selector.matchExpressions ?? []),
];

/** An absent selector selects nothing, an empty one everything. `extra` labels must match as well. */
export function labelSelector(selector: LabelSelector | undefined, extra: Record<string, string> = {}): Selector {
  if (!selector) return nothing;
  return fromRequirements([
    ...Object.entries(extra).map(([key, value]) => ({ key, operator: 'In', values: [value] })),
    ...requirementsOf(selector),
  ]);
}

export const labelSet = (labels: Record<string, string>): Selector => labelSelector({ matchLabels: labels });

/** All of them together. */
export const bothSelectors = (a: Selector, b: Selector): Selector =>
  a.empty ? b : b.empty ? a : { empty: false, key: `${a.key}&${b.key}`, matches: (labels) => a.matches(labels) && b.matches(labels) };

export type NodeMatcher = (node: Node) => boolean;

function termMatches(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  const fields = { 'metadata.name': node.metadata?.name ?? '' };
  return (
    matchExpressions.every((requirement) => meets(requirement, node.metadata?.labels)) &&
    matchFields.every((requirement) => requirement.key === 'metadata.name' && meets(requirement, fields))
  );
}

/** Terms are alternatives; a term without requirements matches nothing. */
export const nodeSelectorMatches = (selector: NodeSelector, node: Node): boolean =>
  (selector.nodeSelectorTerms ?? []).some((term) => termMatches(term, node));

/** spec.nodeSelector and required node affinity together; undefined when the pod has neither. */
export function requiredNodeAffinity(pod: Pod): NodeMatcher | undefined {
  const labels = pod.spec?.nodeSelector;
  const selector = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!labels && !selector) return undefined;
  const entries = Object.entries(labels ?? {});
  return (node) =>
    entries.every(([key, value]) => node.metadata?.labels?.[key] === value) && (!selector || nodeSelectorMatches(selector, node));
}

/** The weights of the preferred terms that a node meets, added up. Terms without requirements count for none. */
export function preferredWeight(terms: readonly PreferredSchedulingTerm[], node: Node): number {
  let weight = 0;
  for (const term of terms) {
    if (term.weight === 0) continue;
    const { matchExpressions = [], matchFields = [] } = term.preference;
    if (matchExpressions.length === 0 && matchFields.length === 0) continue;
    if (termMatches(term.preference, node)) weight += term.weight;
  }
  return weight;
}
