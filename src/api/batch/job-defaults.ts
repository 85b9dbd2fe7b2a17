/** Defaults of a job's spec wherever it stands, in a Job or a CronJob's template. upstream: pkg/apis/batch/v1/zz_generated.defaults.go. */
import type { JobSpec } from '../facts/types.ts';
import { defaultPodTemplate } from '../core/pod-spec-defaults.ts';

/** Changes `spec`. */
export function defaultJobSpec(spec: JobSpec): void {
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    for (const pattern of rule.onPodConditions ?? []) if (!pattern.status) pattern.status = 'True';
  defaultPodTemplate((spec.template ??= {}));
}
