/** upstream: ValidateCronJobCreate, ValidateCronJobUpdate in pkg/apis/batch/validation. */
import { checkNonnegative, checkOneOf, invalidField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { CronJob, CronJobSpec } from '../facts/types.ts';
import { isTimeZone, scheduleError } from './cron-expression.ts';
import { checkJobSpec } from './job-spec-validation.ts';

function checkSchedule(errors: Errors, { schedule, timeZone }: CronJobSpec, old: CronJobSpec | undefined): void {
  if (!schedule) {
    errors.push(required('spec.schedule'));
    return;
  }
  const allowZone = old?.schedule?.includes('TZ') ?? false;
  const error = scheduleError(schedule);
  if (error !== undefined) errors.push(invalidField('spec.schedule', schedule, error));
  if (!schedule.includes('TZ')) return;
  if (!allowZone) errors.push(invalidField('spec.schedule', schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'));
  else if (timeZone !== undefined)
    errors.push(invalidField('spec.schedule', schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule'));
}

function checkTimeZone(errors: Errors, zone: string): void {
  const path = 'spec.timeZone';
  if (zone === '') {
    errors.push(invalidField(path, zone, 'timeZone must be nil or non-empty string'));
    return;
  }
  for (const part of zone.split('/'))
    if (part === '.' || part === '..' || !/^[A-Za-z._0-9+][A-Za-z._\-0-9+]{0,13}$/.test(part))
      errors.push(invalidField(path, zone, `unknown time zone ${zone}`));
  if (zone.toLowerCase() === 'local')
    errors.push(invalidField(path, zone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'));
  if (!isTimeZone(zone)) errors.push(invalidField(path, zone, `unknown time zone ${zone}`));
}

function checkCronJob(errors: Errors, spec: CronJobSpec, old?: CronJobSpec): void {
  checkSchedule(errors, spec, old);
  checkNonnegative(errors, 'spec.startingDeadlineSeconds', spec.startingDeadlineSeconds);
  if (spec.timeZone !== undefined && spec.timeZone !== old?.timeZone) checkTimeZone(errors, spec.timeZone);
  checkOneOf(errors, 'spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']);
  const job = spec.jobTemplate?.spec ?? { template: {} };
  checkJobSpec(errors, 'spec.jobTemplate.spec', job, old?.jobTemplate?.spec);
  if (job.selector) errors.push(invalidField('spec.jobTemplate.spec.selector', job.selector, '`selector` will be auto-generated'));
  if (job.manualSelector) errors.push(unsupported('spec.jobTemplate.spec.manualSelector', job.manualSelector, ['nil', 'false']));
  checkNonnegative(errors, 'spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit);
  checkNonnegative(errors, 'spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit);
}

/** The names of its jobs are 11 characters longer, and those of their pods are labels. */
const longestName = 52;

export function validateCronJob(job: CronJob): Errors {
  const errors: Errors = [];
  checkCronJob(errors, job.spec!);
  const { name = '' } = job.metadata ?? {};
  if (name.length > longestName) errors.push(invalidField('metadata.name', name, `must be no more than ${longestName} characters`));
  return errors;
}

export function validateCronJobUpdate(job: CronJob, old: CronJob): Errors {
  const errors: Errors = [];
  checkCronJob(errors, job.spec!, old.spec);
  return errors;
}
