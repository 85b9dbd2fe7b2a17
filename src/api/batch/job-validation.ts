/** Jobs and updates of them. upstream: ValidateJob, ValidateJobUpdate in pkg/apis/batch/validation. */
import { isDNS1123Label } from '#machinery/names';
import { readSelector, selectsNothingOf } from '../apps/workload-validation.ts';
import { checkSelector, invalidField, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { Affinity, Job, JobSpec, PodTemplateSpec } from '../facts/types.ts';
import { same } from '../same.ts';
import { checkJobSpec } from './job-spec-validation.ts';
import { controllerUidLabel, jobNameLabel, legacyControllerUidLabel, legacyJobNameLabel } from './labels.ts';

function checkHasLabel(errors: Errors, template: PodTemplateSpec, key: string, value: string): void {
  const { labels } = template.metadata ?? {};
  const path = `spec.template.metadata.labels[${key}]`;
  if (labels?.[key] === undefined) errors.push(required(path, `must be '${value}'`));
  else if (labels[key] !== value) errors.push(invalidField(path, labels, `must be '${value}'`));
}

/** The selector that the strategy made asks for the job's own pods, and the template carries what it asks for. */
function checkGeneratedSelector(errors: Errors, { metadata, spec }: Job, prefixedLabels: boolean): void {
  if (spec!.manualSelector || !spec!.selector) return;
  const { uid = '', name = '' } = metadata ?? {};
  if (!uid) errors.push(required('metadata.uid'));
  const expected: Record<string, string> = { [legacyControllerUidLabel]: uid, [legacyJobNameLabel]: name };
  if (prefixedLabels) Object.assign(expected, { [controllerUidLabel]: uid, [jobNameLabel]: name });
  for (const [key, value] of Object.entries(expected)) checkHasLabel(errors, spec!.template ?? {}, key, value);
  const matcher = readSelector(spec!.selector);
  if (matcher && !matcher.matches(expected)) errors.push(invalidField('spec.selector', spec!.selector, '`selector` not auto-generated'));
}

/** upstream: ValidateJobSpec. */
function checkWholeSpec(errors: Errors, spec: JobSpec, old?: JobSpec): void {
  checkJobSpec(errors, 'spec', spec, old);
  if (!spec.selector) errors.push(required('spec.selector'));
  else {
    const stored: Errors = [];
    checkSelector(stored, '', old?.selector);
    checkSelector(errors, 'spec.selector', spec.selector, { allowInvalidLabelValue: stored.length > 0 });
  }
  const labels = spec.template?.metadata?.labels;
  const matcher = readSelector(spec.selector);
  if (matcher && !matcher.matches(labels ?? {}))
    errors.push(invalidField('spec.template.metadata.labels', labels ?? null, selectsNothingOf));
}

function checkJob(errors: Errors, job: Job, old?: Job): void {
  const spec = job.spec!;
  const before = old?.spec?.template?.metadata?.labels;
  checkGeneratedSelector(errors, job, !old || (before?.[jobNameLabel] !== undefined && before[controllerUidLabel] !== undefined));
  checkWholeSpec(errors, spec, old?.spec);
  if (spec.completionMode === 'Indexed' && spec.completions !== undefined && spec.completions > 0) {
    const name = job.metadata?.name ?? '';
    const longest = `${name}-${spec.completions - 1}`;
    if (isDNS1123Label(longest).length > 0)
      errors.push(invalidField('metadata.name', name, `will not able to create pod with invalid DNS label: ${longest}`));
  }
}

export function validateJob(job: Job): Errors {
  const errors: Errors = [];
  checkJob(errors, job);
  return errors;
}

const immutable = 'field is immutable';

export function validateJobUpdate(job: Job, old: Job): Errors {
  const errors: Errors = [];
  const spec = job.spec!;
  const before = old.spec!;
  checkJob(errors, job, old);
  const fixed = (
    field: 'selector' | 'completionMode' | 'podFailurePolicy' | 'backoffLimitPerIndex' | 'managedBy' | 'successPolicy',
  ): void => {
    if (!same(spec[field], before[field])) errors.push(invalidField(`spec.${field}`, spec[field], immutable));
  };
  checkCompletionsChange(errors, spec, before);
  fixed('selector');
  checkTemplateChange(errors, job, old);
  for (const field of ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'] as const) fixed(field);
  return errors;
}

/** An indexed job may grow and shrink, its parallelism with it. */
function checkCompletionsChange(errors: Errors, spec: JobSpec, old: JobSpec): void {
  if (spec.completions === old.completions) return;
  if (spec.completionMode !== 'Indexed') errors.push(invalidField('spec.completions', spec.completions, immutable));
  else if (spec.completions !== undefined && spec.completions !== spec.parallelism)
    errors.push(invalidField('spec.completions', spec.completions, 'can only be modified in tandem with spec.parallelism'));
}

/** Before a suspended job has started for the first time, where its pods run may still change. */
function checkTemplateChange(errors: Errors, job: Job, old: Job): void {
  const template = job.spec!.template;
  let before = old.spec!.template;
  if (old.spec!.suspend && !old.status?.startTime) before = withSchedulingOf(before, template);
  if (!same(template, before)) errors.push(invalidField('spec.template', template, immutable));
}

function withSchedulingOf(old: PodTemplateSpec, template: PodTemplateSpec): PodTemplateSpec {
  const spec: Record<string, unknown> = { ...old.spec };
  for (const field of ['nodeSelector', 'tolerations', 'schedulingGates'] as const) spec[field] = template.spec?.[field];
  const affinity: Affinity = { ...old.spec?.affinity };
  const wanted = template.spec?.affinity?.nodeAffinity;
  if (wanted) affinity.nodeAffinity = wanted;
  else delete affinity.nodeAffinity;
  if (template.spec?.affinity || Object.keys(affinity).length > 0) spec['affinity'] = affinity;
  else delete spec['affinity'];
  const metadata = { ...old.metadata } as NonNullable<PodTemplateSpec['metadata']>;
  for (const field of ['labels', 'annotations'] as const) {
    const map = template.metadata?.[field];
    if (map) metadata[field] = map;
    else delete metadata[field];
  }
  return { metadata, spec: spec as unknown as NonNullable<PodTemplateSpec['spec']> };
}
