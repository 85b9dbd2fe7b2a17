/** Creating and updating pods. upstream: ValidatePodCreate, ValidatePodUpdate, ValidatePodEphemeralContainersUpdate. */
import { forbiddenField, invalidField, required } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { Affinity, Container, NodeAffinity, NodeSelectorTerm, Pod, PodSpec, Toleration } from '../../facts/types.ts';
import { difference, same } from '../../same.ts';
import { checkImageSpace } from './containers.ts';
import { checkAnnotationUpdates, checkPodAnnotations, checkProfilesMatch } from './pod-annotations.ts';
import { checkPodSpec, mirrorAnnotation } from './pod-spec.ts';

/** upstream: validatePodMetadataAndSpec; the registry checks metadata. */
export function checkPod(errors: Errors, pod: Pod, old?: Pod): void {
  const spec = pod.spec!;
  const metadata = pod.metadata ?? {};
  if (metadata.annotations) checkPodAnnotations(errors, 'metadata.annotations', metadata.annotations, spec, old?.metadata?.annotations);
  checkPodSpec(errors, 'spec', spec, { isPod: true, metadata, ...(old?.spec && { old: old.spec }) });
  if (!spec.serviceAccountName)
    for (const [index, volume] of (spec.volumes ?? []).entries())
      for (const [position, source] of (volume.projected?.sources ?? []).entries())
        if (source.serviceAccountToken)
          errors.push(
            forbiddenField(
              `spec.volumes[${index}].projected.sources[${position}].serviceAccountToken`,
              'must not be specified when serviceAccountName is not set',
            ),
          );
  for (const field of ['containers', 'initContainers'] as const)
    for (const [index, container] of (spec[field] ?? []).entries()) checkImageSpace(errors, `spec.${field}[${index}]`, container);
}

export function validatePod(pod: Pod): Errors {
  const errors: Errors = [];
  const spec = pod.spec!;
  checkPod(errors, pod);
  if (spec.ephemeralContainers?.length) errors.push(forbiddenField('spec.ephemeralContainers', 'cannot be set on create'));
  if (spec.nodeName && spec.schedulingGates?.length)
    errors.push(forbiddenField('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'));
  checkProfilesMatch(errors, 'spec', pod.metadata, spec);
  return errors;
}

/** Answers whether there are as many containers as before. */
function checkImages(errors: Errors, path: string, containers: readonly Container[] = [], old: readonly Container[] = []): boolean {
  if (containers.length !== old.length) {
    errors.push(forbiddenField(path, 'pod updates may not add or remove containers'));
    return false;
  }
  for (const [index, container] of containers.entries()) {
    if (!container.image) errors.push(required(`${path}[${index}].image`));
    checkImageSpace(errors, `${path}[${index}]`, container);
  }
  return true;
}

/** Answers whether there is anything more to look at. */
function checkDeadline(errors: Errors, seconds: number | undefined, old: number | undefined): boolean {
  const path = 'spec.activeDeadlineSeconds';
  if (seconds === undefined) {
    if (old !== undefined) errors.push(invalidField(path, null, 'must not update from a positive integer to nil value'));
    return true;
  }
  const problem =
    seconds < 0 || seconds > 2147483647
      ? 'must be between 0 and 2147483647, inclusive'
      : old !== undefined && old < seconds
        ? 'must be less than or equal to previous value'
        : undefined;
  if (problem) errors.push(invalidField(path, seconds, problem));
  return problem === undefined;
}

function checkAddedTolerations(errors: Errors, tolerations: readonly Toleration[] = [], old: readonly Toleration[] = []): void {
  for (const before of old) {
    const kept = tolerations.some((toleration) => same({ ...before, tolerationSeconds: toleration.tolerationSeconds }, toleration));
    if (!kept) errors.push(forbiddenField('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'));
  }
}

const updatable =
  '`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

export function validatePodUpdate(pod: Pod, old: Pod): Errors {
  const errors: Errors = [];
  const spec = pod.spec!;
  const before = old.spec!;
  checkPod(errors, pod, old);
  checkAnnotationUpdates(errors, 'metadata.annotations', pod.metadata?.annotations, old.metadata?.annotations);
  if (!checkImages(errors, 'spec.containers', spec.containers, before.containers)) return errors;
  if (!checkImages(errors, 'spec.initContainers', spec.initContainers, before.initContainers)) return errors;
  if (!checkDeadline(errors, spec.activeDeadlineSeconds, before.activeDeadlineSeconds)) return errors;
  checkAddedTolerations(errors, spec.tolerations, before.tolerations);
  const gates = new Set(before.schedulingGates?.map((gate) => gate.name));
  for (const [index, { name }] of (spec.schedulingGates ?? []).entries())
    if (!gates.has(name))
      errors.push(
        forbiddenField(`spec.schedulingGates[${index}].name`, `only deletion is allowed, but found new scheduling gate '${name}'`),
      );
  if (same(spec, before)) return errors;
  const munged = withMutableFieldsOf(spec, before);
  if (gates.size > 0) checkGatedChanges(errors, munged, before);
  if (!same(munged, before))
    errors.push(forbiddenField('spec', `pod updates may not change fields other than ${updatable}\n${difference(before, munged)}`));
  return errors;
}

/** `spec` with the old values of all that an update may change. */
function withMutableFieldsOf(spec: PodSpec, old: PodSpec): PodSpec {
  const munged: Record<string, unknown> & PodSpec = { ...spec, containers: withImages(spec.containers, old.containers) };
  if (spec.initContainers) munged.initContainers = withImages(spec.initContainers, old.initContainers);
  for (const field of ['activeDeadlineSeconds', 'schedulingGates', 'tolerations'] as const) {
    if (old[field] === undefined) delete munged[field];
    else munged[field as string] = old[field];
  }
  const grace = old.terminationGracePeriodSeconds;
  if (grace !== undefined && grace < 0 && spec.terminationGracePeriodSeconds === 1) munged.terminationGracePeriodSeconds = grace;
  return munged;
}

const withImages = (containers: readonly Container[] = [], old: readonly Container[] = []): Container[] =>
  containers.map((container, index) => ({ ...container, image: old[index]?.image ?? '' }));

/** While a pod waits at gates, its node selector and node affinity may become narrower. Changes `munged`. */
function checkGatedChanges(errors: Errors, munged: PodSpec, old: PodSpec): void {
  if (!same(munged.nodeSelector, old.nodeSelector)) {
    for (const [key, value] of Object.entries(old.nodeSelector ?? {}))
      if (munged.nodeSelector?.[key] !== value)
        errors.push(
          invalidField(
            'spec.nodeSelector',
            munged.nodeSelector ?? null,
            'only additions to spec.nodeSelector are allowed (no mutations or deletions)',
          ),
        );
    if (old.nodeSelector) munged.nodeSelector = old.nodeSelector;
    else delete munged.nodeSelector;
  }
  const before = old.affinity?.nodeAffinity;
  if (same(before, munged.affinity?.nodeAffinity)) return;
  checkNodeAffinityChange(errors, munged.affinity?.nodeAffinity, before);
  const affinity: Affinity = { ...munged.affinity };
  if (before) affinity.nodeAffinity = before;
  else delete affinity.nodeAffinity;
  if (!old.affinity && !affinity.podAffinity && !affinity.podAntiAffinity) delete munged.affinity;
  else munged.affinity = affinity;
}

function checkNodeAffinityChange(errors: Errors, affinity: NodeAffinity | undefined, old: NodeAffinity | undefined): void {
  const before = old?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!before) return;
  const terms = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const path = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';
  if (before.length > 0 && before.length !== terms.length) {
    errors.push(invalidField(path, terms, 'no additions/deletions to non-empty NodeSelectorTerms list are allowed'));
    return;
  }
  for (const [index, term] of before.entries())
    if (!onlyAdds(terms[index]!, term))
      errors.push(invalidField(`${path}[${index}]`, terms[index], 'only additions are allowed (no mutations or deletions)'));
}

/** An empty term matches nothing, so adding to it would widen it. */
function onlyAdds(term: NodeSelectorTerm, old: NodeSelectorTerm): boolean {
  const size = (each: NodeSelectorTerm): number => (each.matchExpressions?.length ?? 0) + (each.matchFields?.length ?? 0);
  if (size(old) === 0) return size(term) === 0;
  return (['matchExpressions', 'matchFields'] as const).every((field) => {
    const before = old[field] ?? [];
    return same(term[field]?.slice(0, before.length) ?? [], before);
  });
}

export function validateEphemeralContainers(pod: Pod, old: Pod): Errors {
  if (old.metadata?.annotations?.[mirrorAnnotation] !== undefined)
    return [forbiddenField('', 'static pods do not support ephemeral containers')];
  const errors: Errors = [];
  checkPod(errors, pod, old);
  checkAnnotationUpdates(errors, 'metadata.annotations', pod.metadata?.annotations, old.metadata?.annotations);
  const path = 'spec.ephemeralContainers';
  for (const before of old.spec?.ephemeralContainers ?? []) {
    const container = pod.spec?.ephemeralContainers?.find((each) => each.name === before.name);
    if (!container) errors.push(forbiddenField(path, `existing ephemeral containers ${JSON.stringify(before.name)} may not be removed\n`));
    else if (!same(container, before))
      errors.push(
        forbiddenField(
          path,
          `existing ephemeral containers ${JSON.stringify(before.name)} may not be changed\n${difference(before, container)}`,
        ),
      );
  }
  return errors;
}
