/** upstream: pkg/registry/batch/cronjob/strategy.go. */
import { CronJob } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, containerColumns, formatLabelSelector, integer, since, text } from '../columns.ts';
import { clearStatus, keepSpec, keepStatus } from '../strategy.ts';
import { dropDisabledTemplateFields } from '../core/pod-strategy.ts';
import { defaultJobSpec } from './job-defaults.ts';
import { validateCronJob, validateCronJobUpdate } from './cron-job-validation.ts';
import { warningsForJobSpec } from './job-warnings.ts';
import { hostnameWarnings } from '../core/pod-warnings.ts';

function applyDefaults(job: CronJob): void {
  const { spec } = job;
  if (!spec) return;
  if (!spec.concurrencyPolicy) spec.concurrencyPolicy = 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  const template = (spec.jobTemplate ??= {});
  defaultJobSpec((template.spec ??= { template: {} }));
}

function warnings(job: CronJob, old?: CronJob): string[] {
  const texts = old ? [] : hostnameWarnings(job);
  const spec = job.spec?.jobTemplate?.spec;
  if (spec && !(old && job.metadata?.generation === old.metadata?.generation))
    texts.push(...warningsForJobSpec(spec, 'spec.jobTemplate.spec'));
  if (old && job.spec?.schedule?.includes('TZ'))
    texts.push(
      'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
    );
  return texts;
}

export const cronJobRules = defineKind<CronJob>({
  kind: CronJob,
  applyDefaults,
  prepareForCreate: (job) => {
    clearStatus(job);
    dropDisabledTemplateFields(job.spec?.jobTemplate?.spec?.template);
  },
  prepareForUpdate: (job, old) => {
    keepStatus(job, old);
    dropDisabledTemplateFields(job.spec?.jobTemplate?.spec?.template, old.spec?.jobTemplate?.spec?.template);
  },
  validate: validateCronJob,
  validateUpdate: validateCronJobUpdate,
  warnings,
  subresources: { status: { prepareForUpdate: keepSpec } },
  columns: [
    text('Schedule', (job) => job.spec?.schedule ?? ''),
    text('Timezone', (job) => job.spec?.timeZone ?? '<none>'),
    { name: 'Suspend', type: 'boolean', cell: (job) => (job.spec?.suspend == null ? '<unset>' : job.spec.suspend ? 'True' : 'False') },
    integer('Active', (job) => job.status?.active?.length ?? 0),
    text('Last Schedule', (job, now) => (job.status?.lastScheduleTime ? since(job.status.lastScheduleTime, now) : '<none>')),
    ageColumn,
    ...containerColumns<CronJob>((job) => job.spec?.jobTemplate?.spec?.template?.spec?.containers),
    text('Selector', (job) => formatLabelSelector(job.spec?.jobTemplate?.spec?.selector), 1),
  ],
});
