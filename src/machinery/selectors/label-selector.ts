import type { LabelSelector } from '../../api/facts/types.ts';
import { SelectorError } from './error.ts';
import { formatRequirement, integer, requirement } from './requirement.ts';
import type { Operator, Requirement } from './requirement.ts';

export type Labels = Readonly<Record<string, string>>;

type Test = (labels: Labels) => boolean;

/** A compiled label selector. upstream: labels.Selector. */
export class LabelSelectorMatcher {
  /** In order of their keys. */
  readonly requirements: readonly Requirement[];
  /** False for the selector that matches no object at all. */
  readonly selectable: boolean;
  readonly #tests: readonly Test[];
  #text: string | undefined;

  constructor(requirements: readonly Requirement[], selectable = true) {
    this.requirements = [...requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.selectable = selectable;
    this.#tests = this.requirements.map(compile);
  }

  /** True where every requirement holds. Absent labels are an empty set. */
  matches(labels: Labels | undefined): boolean {
    if (!this.selectable) return false;
    const tests = this.#tests;
    const set = labels ?? none;
    for (let index = 0; index < tests.length; index++) if (!tests[index]!(set)) return false;
    return true;
  }

  /** True where it restricts nothing. */
  get empty(): boolean {
    return this.selectable && this.requirements.length === 0;
  }

  /** The one value that `label` must have, if the selector asks for one. */
  requiresExactMatch(label: string): string | undefined {
    const found = this.requirements.find(({ key }) => key === label);
    if (!found || found.values.length !== 1) return undefined;
    return found.operator === '=' || found.operator === '==' || found.operator === 'in' ? found.values[0] : undefined;
  }

  /** This selector and more. */
  with(...more: readonly Requirement[]): LabelSelectorMatcher {
    return this.selectable ? new LabelSelectorMatcher([...this.requirements, ...more]) : this;
  }

  toString(): string {
    return (this.#text ??= this.requirements.map(formatRequirement).join(','));
  }
}

const none: Labels = {};
const has = (labels: Labels, key: string): boolean => Object.hasOwn(labels, key);

function compile({ key, operator, values }: Requirement): Test {
  switch (operator) {
    case '=':
    case '==':
    case '!=':
    case 'in':
    case 'notin': {
      const negative = operator === '!=' || operator === 'notin';
      if (values.length === 1) {
        const [wanted] = values;
        // Labels never come from the prototype, but their keys may be spelled like what does.
        if (key in none) return (labels) => (has(labels, key) && labels[key] === wanted) !== negative;
        return negative ? (labels) => labels[key] !== wanted : (labels) => labels[key] === wanted;
      }
      const set = new Set(values);
      return (labels) => (has(labels, key) && set.has(labels[key]!)) !== negative;
    }
    case 'exists':
      return (labels) => has(labels, key);
    case '!':
      return (labels) => !has(labels, key);
    case 'gt':
    case 'lt': {
      const limit = integer(values[0] ?? '');
      return (labels) => {
        const value = has(labels, key) ? integer(labels[key]!) : undefined;
        if (value === undefined || limit === undefined) return false;
        return operator === 'gt' ? value > limit : value < limit;
      };
    }
  }
}

/** Matches every object. */
export const everything = new LabelSelectorMatcher([]);
/** Matches no object. */
export const nothing = new LabelSelectorMatcher([], false);

/** Matches objects that have all of `labels`. Not checked: meant for labels that are valid already. upstream: SelectorFromSet. */
export function labelSelectorOf(labels: Labels | undefined): LabelSelectorMatcher {
  const pairs = Object.entries(labels ?? {});
  return pairs.length === 0 ? everything : new LabelSelectorMatcher(pairs.map(([key, value]) => ({ key, operator: '=', values: [value] })));
}

const operatorOf: Record<string, Operator> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };
const compiled = new WeakMap<LabelSelector, LabelSelectorMatcher>();

/**
 * The selector of a spec: absent matches nothing, empty matches everything. Throws a SelectorError.
 * Stored objects never change, so a selector object is compiled once. upstream: metav1.LabelSelectorAsSelector.
 */
export function labelSelectorFrom(selector: LabelSelector | undefined): LabelSelectorMatcher {
  if (!selector) return nothing;
  const known = Object.isFrozen(selector) ? compiled.get(selector) : undefined;
  if (known) return known;
  const requirements = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => requirement(key, '=', [value]));
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = operatorOf[operator];
    if (!known) throw new SelectorError(`${JSON.stringify(operator ?? '')} is not a valid label selector operator`);
    requirements.push(requirement(key, known, values ?? []));
  }
  const matcher = requirements.length === 0 ? everything : new LabelSelectorMatcher(requirements);
  if (Object.isFrozen(selector)) compiled.set(selector, matcher);
  return matcher;
}

/** For columns and messages: "<none>" where nothing is selected by, "<error>" where it cannot be read. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  try {
    return labelSelectorFrom(selector).toString() || '<none>';
  } catch (error) {
    if (error instanceof SelectorError) return '<error>';
    throw error;
  }
}
