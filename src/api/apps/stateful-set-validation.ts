/** upstream: ValidateStatefulSet in pkg/apis/apps/validation. */
import { validateAnnotations } from '#machinery/names';
import { checkLabel, checkLabels, checkNonnegative, forbiddenField, invalidField, required, unsupported } from '../checks.ts';
import type { Errors } from '../checks.ts';
import { checkClaimSpec } from '../core/validation/persistent-volume-claim.ts';
import { checkPodAnnotations } from '../core/validation/pod-annotations.ts';
import { checkPodTemplate } from '../core/validation/pod-template.ts';
import type { PodTemplateSpec, StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy } from '../facts/types.ts';
import { checkAtMostAll, checkCountOrPercent, countOf } from '../intstr.ts';
import { same } from '../same.ts';
import { checkCollisions, checkCounters, checkRunsOn, checkWorkloadSelector, selectsNothingOf } from './workload-validation.ts';

function checkStrategy(errors: Errors, path: string, strategy: StatefulSetUpdateStrategy): void {
  const { type, rollingUpdate } = strategy;
  if (!type) errors.push(required(path));
  else if (type === 'OnDelete') {
    if (rollingUpdate) errors.push(invalidField(`${path}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'"));
  } else if (type !== 'RollingUpdate') errors.push(invalidField(path, strategy, "must be 'RollingUpdate' or 'OnDelete'"));
  else if (rollingUpdate) {
    const { partition, maxUnavailable } = rollingUpdate;
    checkNonnegative(errors, `${path}.rollingUpdate.partition`, partition);
    if (maxUnavailable === undefined) return;
    const at = `${path}.rollingUpdate.maxUnavailable`;
    checkCountOrPercent(errors, at, maxUnavailable);
    if (countOf(maxUnavailable) === 0) errors.push(invalidField(at, maxUnavailable, 'cannot be 0'));
    checkAtMostAll(errors, at, maxUnavailable);
  }
}

/** The template as its pods will have it: the set decides on host names, and adds a volume for each claim. */
function templateOfPods({ template, volumeClaimTemplates = [] }: StatefulSetSpec): PodTemplateSpec {
  const spec = template.spec;
  if (!spec || (!spec.subdomain && !spec.hostname && !volumeClaimTemplates.length)) return template;
  const { subdomain: _, hostname: __, ...rest } = spec;
  const names = new Set(volumeClaimTemplates.map((claim) => claim.metadata?.name ?? ''));
  const claims = [...names].map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  return { ...template, spec: { ...rest, volumes: [...claims, ...(spec.volumes ?? []).filter((volume) => !names.has(volume.name))] } };
}

const retentionTypes = ['Retain', 'Delete'];

function checkSpec(errors: Errors, spec: StatefulSetSpec, old?: StatefulSetSpec, skipTemplate = false): void {
  const { podManagementPolicy, persistentVolumeClaimRetentionPolicy: retention, template } = spec;
  if (!podManagementPolicy) errors.push(required('spec.podManagementPolicy'));
  else if (podManagementPolicy !== 'OrderedReady' && podManagementPolicy !== 'Parallel')
    errors.push(invalidField('spec.podManagementPolicy', podManagementPolicy, "must be 'OrderedReady' or 'Parallel'"));
  checkStrategy(errors, 'spec.updateStrategy', spec.updateStrategy ?? {});
  if (retention)
    for (const field of ['whenDeleted', 'whenScaled'] as const)
      if (!retentionTypes.includes(retention[field] ?? ''))
        errors.push(unsupported(`spec.persistentVolumeClaimRetentionPolicy.${field}`, retention[field], retentionTypes));
  if (!old)
    for (const [index, claim] of (spec.volumeClaimTemplates ?? []).entries())
      checkClaimSpec(errors, `spec.volumeClaimTemplates[${index}].spec`, claim.spec ?? {});
  checkNonnegative(errors, 'spec.replicas', spec.replicas);
  checkNonnegative(errors, 'spec.minReadySeconds', spec.minReadySeconds);
  checkNonnegative(errors, 'spec.ordinals.start', spec.ordinals?.start);
  if (!old && spec.serviceName) checkLabel(errors, 'spec.serviceName', spec.serviceName);
  const matcher = checkWorkloadSelector(errors, 'spec.selector', spec.selector, 'statefulset');
  if (!matcher) errors.push(invalidField('spec.selector', spec.selector, ''));
  else {
    const { labels, annotations } = template.metadata ?? {};
    // A selector that is not there selects nothing, an empty one everything.
    if ((!spec.selector || matcher.toString() !== '') && !matcher.matches(labels ?? {}))
      errors.push(invalidField('spec.template.metadata.labels', labels ?? null, selectsNothingOf));
    if (!skipTemplate) checkPodTemplate(errors, 'spec.template', templateOfPods(spec), old?.template);
    checkLabels(errors, 'spec.template.labels', labels);
    errors.push(...validateAnnotations(annotations, 'spec.template.annotations'));
    checkPodAnnotations(errors, 'spec.template.annotations', annotations, template.spec ?? { containers: [] });
  }
  checkRunsOn(errors, 'spec.template', template, 'StatefulSet');
}

export function validateStatefulSet({ spec }: StatefulSet): Errors {
  const errors: Errors = [];
  checkSpec(errors, { ...spec!, template: spec!.template ?? {} });
  return errors;
}

const mutable = [
  'replicas',
  'template',
  'updateStrategy',
  'minReadySeconds',
  'ordinals',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
] as const;

export function validateStatefulSetUpdate({ spec }: StatefulSet, old: StatefulSet): Errors {
  const errors: Errors = [];
  const before = old.spec!;
  // What is stored may be older than the rules for it: then a change to the number of pods must not fail by them.
  const found: Errors = [];
  checkSpec(found, before, before);
  checkSpec(errors, { ...spec!, template: spec!.template ?? {} }, before, found.length > 0);
  const rest: Record<string, unknown> = { ...spec };
  const restBefore: Record<string, unknown> = { ...before };
  for (const field of mutable) {
    delete rest[field];
    delete restBefore[field];
  }
  if (!same(rest, restBefore))
    errors.push(
      forbiddenField(
        'spec',
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ),
    );
  return errors;
}

export function validateStatefulSetStatus({ status }: StatefulSet, old: StatefulSet): Errors {
  const errors: Errors = [];
  checkCounters(
    errors,
    { ...status },
    ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas', 'observedGeneration', 'collisionCount'],
    ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
    'cannot be greater than status.readyReplicas',
  );
  checkCollisions(errors, status?.collisionCount, old.status?.collisionCount);
  return errors;
}
