/** upstream: pkg/registry/batch/job/strategy.go. */
import { Job } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { ageColumn, containerColumns, formatLabelSelector, humanDuration, text } from '../columns.ts';
import { clearStatus, keepSpec, keepStatus } from '../strategy.ts';
import { dropDisabledTemplateFields } from '../core/pod-strategy.ts';
import { hostnameWarnings } from '../core/pod-warnings.ts';
import { defaultJobSpec } from './job-defaults.ts';
import { validateJobStatus } from './job-status-validation.ts';
import { validateJob, validateJobUpdate } from './job-validation.ts';
import { controllerUidLabel, jobNameLabel, legacyControllerUidLabel, legacyJobNameLabel } from './labels.ts';
import { warningsForJobSpec } from './job-warnings.ts';

function applyDefaults(job: Job): void {
  const { spec } = job;
  if (!spec) return;
  if (spec.completions == null && spec.parallelism == null) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex == null ? 6 : 2147483647;
  const labels = spec.template?.metadata?.labels;
  if (labels && Object.keys(job.metadata?.labels ?? {}).length === 0) (job.metadata ??= {}).labels = { ...labels };
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  spec.manualSelector ??= false;
  defaultJobSpec(spec);
}

/** A job's pods are its own: they carry its uid, and its selector asks for it. Needs the uid and name. */
function generateSelector(job: Job): void {
  const spec = job.spec!;
  const { name = '', uid = '' } = job.metadata ?? {};
  const metadata = (spec.template.metadata ??= {});
  const labels = (metadata.labels = { ...metadata.labels });
  for (const key of [legacyJobNameLabel, jobNameLabel]) labels[key] ??= name;
  for (const key of [legacyControllerUidLabel, controllerUidLabel]) labels[key] ??= uid;
  const selector = (spec.selector = { ...spec.selector });
  selector.matchLabels = { [controllerUidLabel]: uid, ...selector.matchLabels };
}

const conditionIsTrue = (job: Job, type: string): boolean =>
  job.status?.conditions?.find((condition) => condition.type === type)?.status === 'True';

function status(job: Job): string {
  if (conditionIsTrue(job, 'Complete')) return 'Complete';
  if (conditionIsTrue(job, 'Failed')) return 'Failed';
  if (job.metadata?.deletionTimestamp) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find((type) => conditionIsTrue(job, type)) ?? 'Running';
}

function completions(job: Job): string {
  const succeeded = job.status?.succeeded ?? 0;
  if (job.spec?.completions != null) return `${succeeded}/${job.spec.completions}`;
  const parallelism = job.spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function duration(job: Job, now: number): string {
  const { startTime, completionTime } = job.status ?? {};
  return startTime ? humanDuration((completionTime ? Date.parse(completionTime) : now) - Date.parse(startTime)) : '';
}

export const jobRules = defineKind<Job>({
  kind: Job,
  applyDefaults,
  prepareForCreate: (job) => {
    if (job.spec && !job.spec.manualSelector) generateSelector(job);
    clearStatus(job);
    // Labels that only now are there are the job's too, as any reading of it would have it.
    applyDefaults(job);
    dropDisabledTemplateFields(job.spec?.template);
  },
  prepareForUpdate: (job, old) => {
    keepStatus(job, old);
    dropDisabledTemplateFields(job.spec?.template, old.spec?.template);
  },
  validate: validateJob,
  validateUpdate: validateJobUpdate,
  subresources: { status: { prepareForUpdate: keepSpec, validateUpdate: validateJobStatus } },
  warnings: (job, old) => [
    ...(old ? [] : hostnameWarnings(job)),
    ...(job.spec && (!old || job.metadata?.generation !== old.metadata?.generation) ? warningsForJobSpec(job.spec, 'spec') : []),
  ],
  columns: [
    text('Status', status),
    text('Completions', completions),
    text('Duration', duration),
    ageColumn,
    ...containerColumns<Job>((job) => job.spec?.template?.spec?.containers),
    text('Selector', (job) => formatLabelSelector(job.spec?.selector), 1),
  ],
  selectableFields: { 'status.successful': (job) => String(job.status?.succeeded ?? 0) },
});
