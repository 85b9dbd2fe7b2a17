/** upstream: ValidateReplicationController in pkg/apis/core/validation. */
import { checkNonnegative, invalidField, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { ReplicationController } from '../facts/types.ts';
import { checkRunsOn, selectsNothingOf } from '../apps/workload-validation.ts';
import { checkPodTemplate } from './validation/pod-template.ts';

function checkController(errors: Errors, { spec = {} }: ReplicationController, old?: ReplicationController): void {
  const { minReadySeconds, selector = {}, replicas, template } = spec;
  checkNonnegative(errors, 'spec.minReadySeconds', minReadySeconds);
  const wanted = Object.entries(selector);
  if (wanted.length === 0) errors.push(required('spec.selector'));
  if (replicas === undefined) errors.push(required('spec.replicas'));
  else checkNonnegative(errors, 'spec.replicas', replicas);
  if (!template) {
    errors.push(required('spec.template'));
    return;
  }
  const labels = template.metadata?.labels;
  if (wanted.some(([key, value]) => labels?.[key] !== value))
    errors.push(invalidField('spec.template.metadata.labels', labels ?? null, selectsNothingOf));
  checkPodTemplate(errors, 'spec.template', template, old?.spec?.template);
  checkRunsOn(errors, 'spec.template', template, 'ReplicationController');
}

export function validateReplicationController(controller: ReplicationController, old?: ReplicationController): Errors {
  const errors: Errors = [];
  checkController(errors, controller, old);
  return errors;
}
