/** upstream: ValidateReplicaSet in pkg/apis/apps/validation. */
import { checkImmutable, checkNonnegative, invalidField } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { ReplicaSet } from '../facts/types.ts';
import { checkCounters, checkEndlessTemplate, checkWorkloadSelector } from './workload-validation.ts';

function checkReplicaSet(errors: Errors, { spec }: ReplicaSet, old?: ReplicaSet): void {
  const { replicas, minReadySeconds, selector, template = {} } = spec!;
  checkNonnegative(errors, 'spec.replicas', replicas);
  checkNonnegative(errors, 'spec.minReadySeconds', minReadySeconds);
  // Upstream says deployment here as well.
  const matcher = checkWorkloadSelector(errors, 'spec.selector', selector, 'deployment');
  if (!matcher) errors.push(invalidField('spec.selector', selector, 'invalid label selector'));
  else checkEndlessTemplate(errors, 'spec.template', template, matcher, 'ReplicaSet', old?.spec?.template);
}

export function validateReplicaSet(set: ReplicaSet): Errors {
  const errors: Errors = [];
  checkReplicaSet(errors, set);
  return errors;
}

export function validateReplicaSetUpdate(set: ReplicaSet, old: ReplicaSet): Errors {
  const errors: Errors = [];
  checkReplicaSet(errors, set, old);
  checkImmutable(errors, 'spec.selector', set.spec?.selector, old.spec?.selector);
  return errors;
}

/** The status of ReplicationControllers has the same rules. */
export function validateReplicaStatus({ status }: { status?: object }): Errors {
  const errors: Errors = [];
  checkCounters(
    errors,
    { ...status },
    ['replicas', 'fullyLabeledReplicas', 'readyReplicas', 'availableReplicas', 'observedGeneration', 'terminatingReplicas'],
    ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
  );
  return errors;
}
