/** What the validation of workloads shares. upstream: pkg/apis/apps/validation. */
import { labelSelectorFrom, SelectorError } from '#machinery/selectors';
import type { LabelSelectorMatcher } from '#machinery/selectors';
import { checkNonnegative, checkSelector, forbiddenField, invalidField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkPodTemplate } from '../core/validation/pod-template.ts';
import type { LabelSelector, PodTemplateSpec } from '../facts/types.ts';

/** A selector that must be there and must choose something; undefined where it cannot be read. `who` stands in the text. */
export function checkWorkloadSelector(
  errors: Errors,
  path: string,
  selector: LabelSelector | undefined,
  who: string,
): LabelSelectorMatcher | undefined {
  if (!selector) errors.push(required(path));
  else {
    checkSelector(errors, path, selector);
    if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0)
      errors.push(invalidField(path, selector, `empty selector is invalid for ${who}`));
  }
  return readSelector(selector);
}

export function readSelector(selector: LabelSelector | undefined): LabelSelectorMatcher | undefined {
  try {
    return labelSelectorFrom(selector);
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
}

export const selectsNothingOf = '`selector` does not match template `labels`';

/** A template whose pods run on for ever. `kind` stands in the text. */
export function checkEndlessTemplate(
  errors: Errors,
  path: string,
  template: PodTemplateSpec,
  selector: LabelSelectorMatcher | undefined,
  kind: string,
  old?: PodTemplateSpec,
): void {
  // A selector that is not there selects nothing.
  if (selector && !selector.matches(template.metadata?.labels ?? {}))
    errors.push(invalidField(`${path}.metadata.labels`, template.metadata?.labels ?? null, selectsNothingOf));
  checkPodTemplate(errors, path, template, old);
  checkRunsOn(errors, path, template, kind);
}

export function checkRunsOn(errors: Errors, path: string, template: PodTemplateSpec, kind: string): void {
  const restartPolicy = template.spec?.restartPolicy;
  if (restartPolicy !== 'Always') errors.push(unsupported(`${path}.spec.restartPolicy`, restartPolicy, ['Always']));
  if (template.spec?.activeDeadlineSeconds !== undefined)
    errors.push(forbiddenField(`${path}.spec.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`));
}

/** Counters of a status: none below zero; those in `within` not above `replicas`. */
export function checkCounters(
  errors: Errors,
  status: Record<string, unknown>,
  counters: readonly string[],
  within: readonly string[] = [],
  ready = 'cannot be greater than readyReplicas',
): void {
  const of = (counter: string): number => (status[counter] as number | undefined) ?? 0;
  for (const counter of counters) checkNonnegative(errors, `status.${counter}`, of(counter));
  for (const counter of within)
    if (of(counter) > of('replicas')) errors.push(invalidField(`status.${counter}`, of(counter), 'cannot be greater than status.replicas'));
  if (within.includes('availableReplicas') && of('availableReplicas') > of('readyReplicas'))
    errors.push(invalidField('status.availableReplicas', of('availableReplicas'), ready));
}

/** Collisions are only ever counted up. */
export function checkCollisions(errors: Errors, count: number | undefined, old: number | undefined): void {
  if (old !== undefined && (count === undefined || count < old))
    errors.push(invalidField('status.collisionCount', count ?? 0, 'cannot be decremented'));
}
