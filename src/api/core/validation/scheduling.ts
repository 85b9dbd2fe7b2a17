/** Where a pod may run: affinity, tolerations, spreading, gates. upstream: validateAffinity, ValidateTolerations, validateTopologySpreadConstraints. */
import { isValidLabelValue, nameIsDNSLabel, validateLabelName } from '#machinery/names';
import {
  checkPositive,
  checkQualifiedName,
  checkSelector,
  duplicate,
  forbiddenField,
  invalidField,
  invalidFor,
  required,
  unsupported,
} from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type {
  Affinity,
  LabelSelector,
  PodAffinityTerm,
  PodSchedulingGate,
  Toleration,
  TopologySpreadConstraint,
  WeightedPodAffinityTerm,
} from '../../facts/types.ts';
import { checkNodeSelector, checkNodeSelectorTerm } from './node-selector.ts';

export interface SchedulingChecks {
  /** Rules that the stored object breaks are not held against its update. */
  allowInvalidSelectorValue?: boolean;
  allowInvalidNodeValue?: boolean;
}

const weightRange = 'must be in the range 1-100';

export function checkAffinity(errors: Errors, path: string, affinity: Affinity | undefined, checks: SchedulingChecks): void {
  if (!affinity) return;
  const { nodeAffinity } = affinity;
  if (nodeAffinity) {
    const at = `${path}.nodeAffinity`;
    if (nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution)
      checkNodeSelector(
        errors,
        `${at}.requiredDuringSchedulingIgnoredDuringExecution`,
        nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution,
        !checks.allowInvalidNodeValue,
      );
    for (const [index, { weight, preference }] of (nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      const term = `${at}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`;
      if (!(weight > 0 && weight <= 100)) errors.push(invalidField(`${term}.weight`, weight ?? 0, weightRange));
      checkNodeSelectorTerm(errors, `${term}.preference`, preference, false);
    }
  }
  for (const field of ['podAffinity', 'podAntiAffinity'] as const) {
    const side = affinity[field];
    if (!side) continue;
    for (const [index, term] of (side.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries())
      checkPodTerm(errors, `${path}.${field}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`, term, checks);
    for (const [index, term] of (side.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries())
      checkWeightedTerm(errors, `${path}.${field}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`, term, checks);
  }
}

function checkWeightedTerm(
  errors: Errors,
  path: string,
  { weight, podAffinityTerm }: WeightedPodAffinityTerm,
  checks: SchedulingChecks,
): void {
  if (!(weight > 0 && weight <= 100)) errors.push(invalidField(`${path}.weight`, weight ?? 0, weightRange));
  checkPodTerm(errors, `${path}.podAffinityTerm`, podAffinityTerm ?? { topologyKey: '' }, checks);
}

function checkPodTerm(errors: Errors, path: string, term: PodAffinityTerm, checks: SchedulingChecks): void {
  const options = { allowInvalidLabelValue: checks.allowInvalidSelectorValue ?? false };
  checkSelector(errors, `${path}.labelSelector`, term.labelSelector, options);
  checkSelector(errors, `${path}.namespaceSelector`, term.namespaceSelector, options);
  for (const name of term.namespaces ?? []) invalidFor(errors, `${path}.namespace`, name, nameIsDNSLabel(name, false));
  checkLabelKeys(errors, path, term.matchLabelKeys, term.mismatchLabelKeys, term.labelSelector);
  if (!term.topologyKey) errors.push(required(`${path}.topologyKey`, 'can not be empty'));
  errors.push(...validateLabelName(term.topologyKey ?? '', `${path}.topologyKey`));
}

/** upstream: ValidateMatchLabelKeysAndMismatchLabelKeys. */
function checkLabelKeys(
  errors: Errors,
  path: string,
  match: readonly string[] = [],
  mismatch: readonly string[] = [],
  selector: LabelSelector | undefined,
): void {
  if (!match.length && !mismatch.length) return;
  for (const [field, keys] of [
    ['matchLabelKeys', match],
    ['mismatchLabelKeys', mismatch],
  ] as const) {
    if (!keys.length) continue;
    if (!selector) errors.push(forbiddenField(`${path}.${field}`, 'must not be specified when labelSelector is not set'));
    else for (const [index, key] of keys.entries()) errors.push(...validateLabelName(key, `${path}.${field}[${index}]`));
  }
  if (selector) {
    // The strategy has added one requirement a key; a second one came from the client.
    const seen = new Set(Object.keys(selector.matchLabels ?? {}));
    for (const { key } of selector.matchExpressions ?? []) {
      const index = match.lastIndexOf(key);
      if (index >= 0 && seen.has(key))
        errors.push(invalidField(`${path}[${index}]`, key, 'exists in both matchLabelKeys and labelSelector'));
      seen.add(key);
    }
  }
  for (const [index, key] of match.entries())
    if (mismatch.includes(key))
      errors.push(invalidField(`${path}.matchLabelKeys[${index}]`, key, 'exists in both matchLabelKeys and mismatchLabelKeys'));
}

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function checkTaintEffect(errors: Errors, path: string, effect: string | undefined): void {
  if (!effect) errors.push(required(path));
  else if (!taintEffects.includes(effect)) errors.push(unsupported(path, effect, taintEffects));
}

export function checkTolerations(errors: Errors, path: string, tolerations: readonly Toleration[] | undefined): void {
  for (const [index, { key, operator, value = '', effect, tolerationSeconds }] of (tolerations ?? []).entries()) {
    const at = `${path}[${index}]`;
    if (key) errors.push(...validateLabelName(key, `${at}.key`));
    else if (operator !== 'Exists')
      errors.push(
        invalidField(
          `${at}.operator`,
          operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    if (tolerationSeconds !== undefined && effect !== 'NoExecute')
      errors.push(invalidField(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    if (!operator || operator === 'Equal') {
      const messages = isValidLabelValue(value);
      if (messages.length) errors.push(invalidField(`${at}.operator`, value, messages.join(';')));
    } else if (operator === 'Exists') {
      if (value) errors.push(invalidField(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"));
    } else
      errors.push(
        unsupported(
          `${at}.operator`,
          operator,
          operator === 'Lt' || operator === 'Gt' ? ['Equal', 'Exists', 'Lt', 'Gt'] : ['Equal', 'Exists'],
        ),
      );
    if (effect) checkTaintEffect(errors, `${at}.effect`, effect);
  }
}

const unsatisfiableActions = ['DoNotSchedule', 'ScheduleAnyway'];
const inclusionPolicies = ['Honor', 'Ignore'];

export function checkTopologySpread(
  errors: Errors,
  path: string,
  constraints: readonly TopologySpreadConstraint[] | undefined,
  checks: SchedulingChecks,
): void {
  if (!constraints) return;
  for (const [index, constraint] of constraints.entries()) {
    const at = `${path}[${index}]`;
    const { topologyKey, whenUnsatisfiable, minDomains, nodeAffinityPolicy, nodeTaintsPolicy } = constraint;
    checkPositive(errors, `${at}.maxSkew`, constraint.maxSkew ?? 0);
    if (!topologyKey) errors.push(required(`${at}.topologyKey`, 'can not be empty'));
    if (!unsatisfiableActions.includes(whenUnsatisfiable))
      errors.push(unsupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, unsatisfiableActions));
    if (constraints.slice(index + 1).some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable))
      errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`));
    if (minDomains !== undefined) {
      checkPositive(errors, `${at}.minDomains`, minDomains);
      if (whenUnsatisfiable !== 'DoNotSchedule')
        errors.push(
          invalidField(
            `${at}.minDomains`,
            minDomains,
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
          ),
        );
    }
    if (nodeAffinityPolicy !== undefined && !inclusionPolicies.includes(nodeAffinityPolicy))
      errors.push(unsupported(`${at}.nodeAffinityPolicy`, nodeAffinityPolicy, inclusionPolicies));
    if (nodeTaintsPolicy !== undefined && !inclusionPolicies.includes(nodeTaintsPolicy))
      errors.push(unsupported(`${at}.nodeTaintsPolicy`, nodeTaintsPolicy, inclusionPolicies));
    checkLabelKeys(errors, at, constraint.matchLabelKeys, [], constraint.labelSelector);
    checkSelector(errors, `${at}.labelSelector`, constraint.labelSelector, {
      allowInvalidLabelValue: checks.allowInvalidSelectorValue ?? false,
    });
  }
}

export function checkSchedulingGates(errors: Errors, path: string, gates: readonly PodSchedulingGate[] | undefined): void {
  const seen = new Set<string>();
  for (const [index, { name }] of (gates ?? []).entries()) {
    checkQualifiedName(errors, `${path}[${index}]`, name ?? '');
    if (seen.has(name)) errors.push(duplicate(`${path}[${index}]`, name));
    seen.add(name);
  }
}
