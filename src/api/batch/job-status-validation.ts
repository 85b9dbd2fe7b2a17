/** Updates of a job's status; most rules bind only what the update touches. upstream: ValidateJobUpdateStatus, getStatusValidationOptions. */
import { checkNonnegative, duplicate, invalidField, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { Job } from '../facts/types.ts';
import { same } from '../same.ts';
import { invalidPlace } from './job-spec-validation.ts';
import { overlap, parseIndexes } from './job-indexes.ts';

const has = (job: Job, type: string, status = 'True'): boolean =>
  job.status?.conditions?.some((condition) => condition.type === type && condition.status === status) ?? false;
const isFinished = (job: Job): boolean => has(job, 'Complete') || has(job, 'Failed');

function checkUncounted(errors: Errors, job: Job): void {
  const seen = new Set<string>();
  for (const list of ['succeeded', 'failed'] as const)
    for (const [index, uid] of (job.status?.uncountedTerminatedPods?.[list] ?? []).entries()) {
      const path = `status.uncountedTerminatedPods.${list}[${index}]`;
      if (!uid) errors.push(invalidField(path, uid, 'must not be empty'));
      else if (seen.has(uid)) errors.push(duplicate(path, uid));
      seen.add(uid);
    }
}

function checkConditions(errors: Errors, job: Job, old: Job): void {
  const changed = (type: string): boolean => has(job, type) !== has(old, type);
  const refuse = (detail: string): void => {
    errors.push(invalidPlace('status.conditions', detail));
  };
  const complete = has(job, 'Complete');
  const failed = has(job, 'Failed');
  const met = has(job, 'SuccessCriteriaMet');
  const failing = has(job, 'FailureTarget');
  if ((changed('Complete') || changed('Failed')) && complete && failed) refuse('cannot set Complete=True and Failed=true conditions');
  if ((changed('Complete') || changed('FailureTarget')) && complete && failing)
    refuse('cannot set Complete=True and FailureTarget=true conditions');
  if ((changed('Failed') || job.status?.failedIndexes !== old.status?.failedIndexes) && failed && !failing)
    refuse('cannot set Failed=True condition without the FailureTarget=true condition');
  if ((changed('Complete') || changed('SuccessCriteriaMet')) && complete && !met)
    refuse('cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  if (met && failed) refuse('cannot set SuccessCriteriaMet=True and Failed=true conditions');
  if (met && failing) refuse('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions');
  if (job.spec?.successPolicy && !met && complete)
    refuse('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True');
  for (const type of ['Failed', 'Complete', 'FailureTarget'])
    if (has(old, type) && !has(job, type)) refuse(`cannot disable the terminal ${type}=True condition`);
  if (has(old, 'SuccessCriteriaMet') && !met) refuse('cannot disable the SuccessCriteriaMet=True condition');
  if (has(old, 'Complete') && !has(old, 'SuccessCriteriaMet') && met)
    refuse('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions');
}

function checkTimes(errors: Errors, job: Job, old: Job): void {
  const { startTime, completionTime } = job.status ?? {};
  const before = old.status ?? {};
  const startChanged = startTime !== before.startTime;
  const endChanged = completionTime !== before.completionTime;
  const finishedChanged = isFinished(job) !== isFinished(old);
  const completeChanged = has(job, 'Complete') !== has(old, 'Complete');
  if ((completeChanged || endChanged) && completionTime && !has(job, 'Complete'))
    errors.push(
      invalidField('status.completionTime', completionTime, 'cannot set completionTime when there is no Complete=True condition'),
    );
  if ((completeChanged || endChanged) && !completionTime && has(job, 'Complete'))
    errors.push(required('status.completionTime', 'completionTime is required for Complete jobs'));
  if ((startChanged || endChanged) && startTime && completionTime && Date.parse(completionTime) < Date.parse(startTime))
    errors.push(invalidField('status.completionTime', completionTime, 'must be equal to or after `startTime`'));
  const suspendedEmpty = job.spec?.suspend === true && job.spec.completions === 0;
  if ((finishedChanged || startChanged) && !suspendedEmpty && !startTime && isFinished(job))
    errors.push(required('status.startTime', 'startTime is required for finished job'));
  if (completionTime && before.completionTime && endChanged)
    errors.push(invalidField('status.completionTime', completionTime, 'field is immutable'));
  const resuming = has(old, 'Suspended') && has(job, 'Suspended', 'False');
  if (startChanged && !resuming && before.startTime && !job.spec?.suspend)
    errors.push(required('status.startTime', 'startTime cannot be removed for unsuspended job'));
}

function checkIndexes(errors: Errors, job: Job, old: Job): void {
  const { completedIndexes = '', failedIndexes } = job.status ?? {};
  const completedChanged = completedIndexes !== (old.status?.completedIndexes ?? '');
  const failedChanged = failedIndexes !== old.status?.failedIndexes;
  const { completions, backoffLimitPerIndex, completionMode } = job.spec ?? {};
  if (!completedChanged && !failedChanged) return;
  const completed = parseIndexes(completedIndexes, completions ?? 0);
  const failed = parseIndexes(failedIndexes ?? '', completions ?? 0);
  if (completedChanged && completions !== undefined && completed.error !== undefined)
    errors.push(invalidField('status.completedIndexes', completedIndexes, `error parsing completedIndexes: ${completed.error}`));
  if (failedChanged && completions !== undefined && backoffLimitPerIndex !== undefined && failed.error !== undefined)
    errors.push(invalidField('status.failedIndexes', failedIndexes, `error parsing failedIndexes: ${failed.error}`));
  if (completedChanged && completedIndexes && completionMode !== 'Indexed')
    errors.push(
      invalidField('status.completedIndexes', completedIndexes, 'cannot set non-empty completedIndexes when non-indexed completion mode'),
    );
  if (failedChanged && backoffLimitPerIndex === undefined && failedIndexes !== undefined)
    errors.push(invalidField('status.failedIndexes', failedIndexes, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null'));
  const both = completions !== undefined && failedIndexes !== undefined ? overlap(completed, failed) : undefined;
  if (both !== undefined)
    errors.push(invalidField('status.failedIndexes', failedIndexes, `failedIndexes and completedIndexes overlap at index: ${both}`));
}

export function validateJobStatus(job: Job, old: Job): Errors {
  const errors: Errors = [];
  const status = job.status ?? {};
  const before = old.status ?? {};
  for (const field of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const)
    checkNonnegative(errors, `status.${field}`, status[field]);
  checkUncounted(errors, job);
  checkConditions(errors, job, old);
  checkTimes(errors, job, old);
  checkIndexes(errors, job, old);
  const finishedChanged = isFinished(job) !== isFinished(old);
  const { active = 0, ready, terminating, uncountedTerminatedPods: uncounted } = status;
  const activeChanged = active !== (before.active ?? 0);
  if (isFinished(job)) {
    if ((finishedChanged || activeChanged) && active > 0)
      errors.push(invalidField('status.active', active, 'active>0 is invalid for finished job'));
    const waiting = (uncounted?.failed?.length ?? 0) + (uncounted?.succeeded?.length ?? 0);
    if ((finishedChanged || !same(uncounted, before.uncountedTerminatedPods)) && waiting > 0)
      errors.push(invalidField('status.uncountedTerminatedPods', uncounted, 'must be empty for finished job'));
    if ((finishedChanged || terminating !== before.terminating) && terminating !== undefined && terminating > 0)
      errors.push(invalidField('status.terminating', terminating, 'terminating>0 is invalid for finished job'));
  }
  if ((ready !== before.ready || activeChanged) && ready !== undefined && ready > active)
    errors.push(invalidField('status.ready', ready, 'cannot set more ready pods than active'));
  if ((status.failed ?? 0) < (before.failed ?? 0))
    errors.push(invalidField('status.failed', status.failed ?? 0, 'cannot decrease the failed counter'));
  // An elastic indexed job may give up completions it had.
  const elastic = job.spec?.completionMode === 'Indexed' && job.spec.completions === job.spec.parallelism;
  if (!elastic && (status.succeeded ?? 0) < (before.succeeded ?? 0))
    errors.push(invalidField('status.succeeded', status.succeeded ?? 0, 'cannot decrease the succeeded counter'));
  return errors;
}
