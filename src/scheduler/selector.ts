/** Label selectors and node selectors compiled to functions: they are asked once a pod and node. upstream: apimachinery/pkg/labels, component-helpers/scheduling/corev1/nodeaffinity. */
import type { LabelSelector, Node, NodeSelector, NodeSelectorTerm, Pod, PreferredSchedulingTerm } from '#api';
import { labelSelectorFrom, LabelSelectorMatcher, labelSelectorOf, nothing, SelectorError } from '#machinery/selectors';

export type Labels = Record<string, string> | undefined;
export type Selector = LabelSelectorMatcher;

/** An absent selector selects nothing, an empty one everything, one that cannot be read nothing. `extra` labels must match as well. */
export function labelSelector(selector: LabelSelector | undefined, extra: Record<string, string> = {}): Selector {
  try {
    const matcher = labelSelectorFrom(selector);
    const more = Object.entries(extra).map(([key, value]) => ({ key, operator: '=' as const, values: [value] }));
    return more.length ? matcher.with(...more) : matcher;
  } catch (error) {
    if (error instanceof SelectorError) return nothing;
    throw error;
  }
}

export const labelSet = (labels: Record<string, string>): Selector => labelSelectorOf(labels);

/** All of both. */
export const bothSelectors = (a: Selector, b: Selector): Selector =>
  new LabelSelectorMatcher([...a.requirements, ...b.requirements], a.selectable && b.selectable);

/** Equal for selectors that select the same way. */
export const selectorKey = (selector: Selector): string => (selector.selectable ? selector.toString() : '!');

interface Requirement {
  key: string;
  operator: string;
  values?: string[];
}

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
