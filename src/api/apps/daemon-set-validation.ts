/** upstream: ValidateDaemonSet in pkg/apis/apps/validation. */
import { checkImmutable, checkNonnegative, checkSelector, invalidField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkPodTemplate } from '../core/validation/pod-template.ts';
import type { DaemonSet, DaemonSetUpdateStrategy } from '../facts/types.ts';
import { checkAtMostAll, checkCountOrPercent, countOf } from '../intstr.ts';
import { checkCollisions, checkCounters, checkRunsOn, readSelector, selectsNothingOf } from './workload-validation.ts';

function checkStrategy(errors: Errors, path: string, strategy: DaemonSetUpdateStrategy): void {
  const { type, rollingUpdate } = strategy;
  if (type === 'OnDelete') return;
  if (type !== 'RollingUpdate') {
    errors.push(unsupported(path, strategy, ['RollingUpdate', 'OnDelete']));
    return;
  }
  if (!rollingUpdate) {
    errors.push(required(`${path}.rollingUpdate`));
    return;
  }
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const at = `${path}.rollingUpdate`;
  checkCountOrPercent(errors, `${at}.maxUnavailable`, maxUnavailable);
  checkCountOrPercent(errors, `${at}.maxSurge`, maxSurge);
  checkAtMostAll(errors, `${at}.maxUnavailable`, maxUnavailable);
  checkAtMostAll(errors, `${at}.maxSurge`, maxSurge);
  const unavailable = countOf(maxUnavailable) !== 0;
  const surge = countOf(maxSurge) !== 0;
  if (unavailable && surge) errors.push(invalidField(`${at}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'));
  else if (!unavailable && !surge) errors.push(required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
}

function checkDaemonSet(errors: Errors, { spec }: DaemonSet, old?: DaemonSet): void {
  const { selector, template, minReadySeconds, updateStrategy = {}, revisionHistoryLimit } = spec!;
  const stored = old?.spec?.selector;
  checkSelector(errors, 'spec.selector', selector, { allowInvalidLabelValue: stored !== undefined && hasInvalidValue(stored) });
  const matcher = readSelector(selector);
  if (matcher && !matcher.matches(template.metadata?.labels ?? {}))
    errors.push(invalidField('spec.template.metadata.labels', template.metadata?.labels ?? null, selectsNothingOf));
  if (selector && Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions?.length ?? 0) === 0)
    errors.push(invalidField('spec.selector', selector, 'empty selector is invalid for daemonset'));
  checkPodTemplate(errors, 'spec.template', template, old?.spec?.template);
  checkRunsOn(errors, 'spec.template', template, 'DaemonSet');
  checkNonnegative(errors, 'spec.minReadySeconds', minReadySeconds);
  checkStrategy(errors, 'spec.updateStrategy', updateStrategy);
  checkNonnegative(errors, 'spec.revisionHistoryLimit', revisionHistoryLimit);
}

function hasInvalidValue(selector: NonNullable<DaemonSet['spec']>['selector']): boolean {
  const errors: Errors = [];
  checkSelector(errors, '', selector);
  return errors.length > 0;
}

export function validateDaemonSet(set: DaemonSet): Errors {
  const errors: Errors = [];
  checkDaemonSet(errors, set);
  return errors;
}

export function validateDaemonSetUpdate(set: DaemonSet, old: DaemonSet): Errors {
  const errors: Errors = [];
  checkImmutable(errors, 'spec.selector', set.spec?.selector, old.spec?.selector);
  checkDaemonSet(errors, set, old);
  return errors;
}

export function validateDaemonSetStatus({ status }: DaemonSet, old: DaemonSet): Errors {
  const errors: Errors = [];
  checkCounters(errors, { ...status }, [
    'currentNumberScheduled',
    'numberMisscheduled',
    'desiredNumberScheduled',
    'numberReady',
    'observedGeneration',
    'updatedNumberScheduled',
    'numberAvailable',
    'numberUnavailable',
    'collisionCount',
  ]);
  checkCollisions(errors, status?.collisionCount, old.status?.collisionCount);
  return errors;
}
