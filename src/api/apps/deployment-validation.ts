/** upstream: ValidateDeployment in pkg/apis/apps/validation. */
import { checkImmutable, checkNonnegative, forbiddenField, invalidField, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { Deployment, DeploymentStrategy } from '../facts/types.ts';
import { checkAtMostAll, checkCountOrPercent, countOf } from '../intstr.ts';
import { checkCollisions, checkCounters, checkEndlessTemplate, checkWorkloadSelector } from './workload-validation.ts';

function checkStrategy(errors: Errors, path: string, strategy: DeploymentStrategy): void {
  const { type, rollingUpdate } = strategy;
  if (type === 'Recreate') {
    if (rollingUpdate) errors.push(forbiddenField(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"));
  } else if (type !== 'RollingUpdate') errors.push(unsupported(path, strategy, ['Recreate', 'RollingUpdate']));
  else if (rollingUpdate) {
    const { maxUnavailable, maxSurge } = rollingUpdate;
    checkCountOrPercent(errors, `${path}.rollingUpdate.maxUnavailable`, maxUnavailable);
    checkCountOrPercent(errors, `${path}.rollingUpdate.maxSurge`, maxSurge);
    if (countOf(maxUnavailable) === 0 && countOf(maxSurge) === 0)
      errors.push(invalidField(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable ?? 0, 'may not be 0 when `maxSurge` is 0'));
    checkAtMostAll(errors, `${path}.rollingUpdate.maxUnavailable`, maxUnavailable);
  }
}

function checkDeployment(errors: Errors, { spec }: Deployment, old?: Deployment): void {
  const { replicas, selector, template, strategy = {}, minReadySeconds = 0, revisionHistoryLimit, progressDeadlineSeconds } = spec!;
  checkNonnegative(errors, 'spec.replicas', replicas);
  const matcher = checkWorkloadSelector(errors, 'spec.selector', selector, 'deployment');
  if (!matcher) errors.push(invalidField('spec.selector', selector, 'invalid label selector'));
  else checkEndlessTemplate(errors, 'spec.template', template, matcher, 'ReplicaSet', old?.spec?.template);
  checkStrategy(errors, 'spec.strategy', strategy);
  checkNonnegative(errors, 'spec.minReadySeconds', minReadySeconds);
  checkNonnegative(errors, 'spec.revisionHistoryLimit', revisionHistoryLimit);
  if (progressDeadlineSeconds === undefined) return;
  checkNonnegative(errors, 'spec.progressDeadlineSeconds', progressDeadlineSeconds);
  if (progressDeadlineSeconds <= minReadySeconds)
    errors.push(invalidField('spec.progressDeadlineSeconds', progressDeadlineSeconds, 'must be greater than minReadySeconds'));
}

export function validateDeployment(deployment: Deployment): Errors {
  const errors: Errors = [];
  checkDeployment(errors, deployment);
  return errors;
}

export function validateDeploymentUpdate(deployment: Deployment, old: Deployment): Errors {
  const errors: Errors = [];
  checkDeployment(errors, deployment, old);
  checkImmutable(errors, 'spec.selector', deployment.spec?.selector, old.spec?.selector);
  return errors;
}

export function validateDeploymentStatus({ status }: Deployment, old: Deployment): Errors {
  const errors: Errors = [];
  checkCounters(
    errors,
    { ...status },
    [
      'observedGeneration',
      'replicas',
      'updatedReplicas',
      'readyReplicas',
      'availableReplicas',
      'unavailableReplicas',
      'terminatingReplicas',
      'collisionCount',
    ],
    ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
  );
  checkCollisions(errors, status?.collisionCount, old.status?.collisionCount);
  return errors;
}
