/** Node labels that nobody should use any more. upstream: pkg/api/node/util.go. */
import { isValidLabelValue } from '#machinery/names';
import type { LabelSelector, NodeSelectorTerm } from '../facts/types.ts';

const deprecatedLabels: ReadonlyMap<string, string> = new Map([
  ['beta.kubernetes.io/arch', 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ['beta.kubernetes.io/os', 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ['failure-domain.beta.kubernetes.io/region', 'deprecated since v1.17; use "topology.kubernetes.io/region" instead'],
  ['failure-domain.beta.kubernetes.io/zone', 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ['beta.kubernetes.io/instance-type', 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead'],
  ['app.kubernetes.io/created-by', 'deprecated since v1.9'],
  ['scheduler.alpha.kubernetes.io/preferAvoidPods', 'deprecated since v1.22; use Taints and Tolerations instead'],
  ['node-role.kubernetes.io/master', 'use "node-role.kubernetes.io/control-plane" instead'],
]);

export const nodeLabelDeprecation = (label: string): string | undefined => deprecatedLabels.get(label);

export function warningsForNodeSelector(selector: LabelSelector | undefined, path: string): string[] {
  const warnings: string[] = [];
  for (const [index, { key }] of (selector?.matchExpressions ?? []).entries()) {
    const message = deprecatedLabels.get(key);
    if (message) warnings.push(`${path}.matchExpressions[${index}].key: ${key} is ${message}`);
  }
  for (const label in selector?.matchLabels ?? {}) {
    const message = deprecatedLabels.get(label);
    if (message) warnings.push(`${path}.matchLabels.${label}: ${message}`);
  }
  return warnings;
}

export function warningsForNodeSelectorTerm(term: NodeSelectorTerm, checkValues: boolean, path: string): string[] {
  const warnings: string[] = [];
  for (const [index, { key, values }] of (term.matchExpressions ?? []).entries()) {
    const message = deprecatedLabels.get(key);
    if (message) warnings.push(`${path}.matchExpressions[${index}].key: ${key} is ${message}`);
    if (!checkValues) continue;
    for (const [position, value] of (values ?? []).entries())
      for (const error of isValidLabelValue(value))
        warnings.push(`${path}.matchExpressions[${index}].values[${position}]: ${value} is invalid, ${error}`);
  }
  return warnings;
}
