/** upstream: pkg/registry/batch/cronjob/strategy.go. */
import { CronJob } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, containerColumns, formatLabelSelector, integer, since, text } from '../columns.ts';
import { clearStatus, keepSpec, keepStatus } from '../strategy.ts';
import { dropDisabledTemplateFields } from '../core/pod-strategy.ts';
import { defaultJobSpec } from './job-defaults.ts';

function applyDefaults(job: CronJob): void {
  const { spec } = job;
  if (!spec) return;
  if (!spec.concurrencyPolicy) spec.concurrencyPolicy = 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  if (spec.jobTemplate?.spec) defaultJobSpec(spec.jobTemplate.spec);
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
