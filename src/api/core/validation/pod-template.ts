/** A template of pods, as workloads hold it. upstream: ValidatePodTemplateSpec. */
import { validateAnnotations } from '#machinery/names';
import { checkLabels, forbiddenField } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { PodTemplateSpec } from '../../facts/types.ts';
import { checkPodAnnotations, checkProfilesMatch } from './pod-annotations.ts';
import { checkPodSpec } from './pod-spec.ts';

export function checkPodTemplate(errors: Errors, path: string, template: PodTemplateSpec, old?: PodTemplateSpec): void {
  const { metadata } = template;
  const spec = template.spec ?? { containers: [] };
  checkLabels(errors, `${path}.labels`, metadata?.labels);
  if (metadata?.annotations) {
    errors.push(...validateAnnotations(metadata.annotations, `${path}.annotations`));
    checkPodAnnotations(errors, `${path}.annotations`, metadata.annotations, spec, old?.metadata?.annotations);
  }
  checkPodSpec(errors, `${path}.spec`, spec, { isPod: false, ...(old?.spec && { old: old.spec }) });
  checkProfilesMatch(errors, `${path}.spec`, metadata, spec);
  if (spec.ephemeralContainers?.length)
    errors.push(forbiddenField(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'));
}
