/**
 * Label and field selectors, parsed once and matched many times; which nodes a pod may be on by selectors, affinity and taints.
 * Upstream counterpart: apimachinery/pkg/labels, pkg/fields, apis/meta/v1/helpers.go.
 * Invariant: a selector is immutable. Read first: label-selector.ts, field-selector.ts.
 */
export { LabelSelectorMatcher, everything, formatLabelSelector, labelSelectorFrom, labelSelectorOf, nothing } from './label-selector.ts';
export type { Labels } from './label-selector.ts';
export { parseLabelSelector } from './label-parser.ts';
export { requirement } from './requirement.ts';
export type { Operator, Requirement } from './requirement.ts';
export { FieldSelectorMatcher, escapeFieldValue, everyField, fieldEquals, parseFieldSelector } from './field-selector.ts';
export type { FieldSource, FieldTerm } from './field-selector.ts';
export { SelectorError } from './error.ts';
export { nodeSelectorMatches, nodeTermMatches, requiredNodeAffinity } from './node-selector.ts';
export type { NodeMatcher } from './node-selector.ts';
export { tolerates, untolerated } from './tolerations.ts';
