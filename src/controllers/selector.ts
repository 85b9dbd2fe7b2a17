import type { LabelSelectorMatcher } from '#machinery/selectors';
import { labelSelectorFrom, labelSelectorOf, nothing } from '#machinery/selectors';
import type { LabelSelector } from './api-types.ts';

export type Matcher = (labels: Record<string, string> | undefined) => boolean;

const compiled = new WeakMap<object, Matcher>();

function once(selector: object, make: () => LabelSelectorMatcher): Matcher {
  let matcher = compiled.get(selector);
  if (!matcher) {
    const selecting = make();
    compiled.set(selector, (matcher = (labels) => selecting.matches(labels)));
  }
  return matcher;
}

const never: Matcher = (labels) => nothing.matches(labels);

/** Matches a set: nothing when the set is absent or empty. For ReplicationControllers and Services. Cached objects only: compiled once. */
export const matchesSet = (set: Record<string, string> | undefined): Matcher =>
  set && Object.keys(set).length > 0 ? once(set, () => labelSelectorOf(set)) : never;

/** Matches a label selector: nothing when it is absent, everything when it is empty. */
export const matches = (selector: LabelSelector | undefined): Matcher =>
  selector ? once(selector, () => labelSelectorFrom(selector)) : never;
