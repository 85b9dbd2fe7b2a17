/** Label selectors as the scheduler asks them, and preferred node affinity. upstream: apimachinery/pkg/labels, component-helpers/scheduling/corev1/nodeaffinity. */
import type { LabelSelector, Node, PreferredSchedulingTerm } from '#api';
import { labelSelectorFrom, LabelSelectorMatcher, labelSelectorOf, nodeTermMatches, nothing, SelectorError } from '#machinery/selectors';

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

/** The weights of the preferred terms that a node meets, added up. Terms without requirements count for none. */
export function preferredWeight(terms: readonly PreferredSchedulingTerm[], node: Node): number {
  let weight = 0;
  for (const { preference, weight: each } of terms) if (each !== 0 && nodeTermMatches(preference, node)) weight += each;
  return weight;
}
