/** Annotations that pods give a meaning. upstream: ValidatePodSpecificAnnotations and what it calls. */
import { jsonSyntaxError } from '#machinery/codec';
import { forbiddenField, invalidField } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { AppArmorProfile, ObjectMeta, PodSpec, SeccompProfile, Toleration } from '../../facts/types.ts';
import { checkDescendingPath } from './paths.ts';
import { mirrorAnnotation } from './pod-spec.ts';
import { checkTolerations } from './scheduling.ts';
import { containersOf } from './visit-containers.ts';

const tolerationsAnnotation = 'scheduler.alpha.kubernetes.io/tolerations';
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';
const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod';
const seccompContainer = 'container.seccomp.security.alpha.kubernetes.io/';
export const appArmorContainer = 'container.apparmor.security.beta.kubernetes.io/';

const isInt32 = (text: string): boolean => /^(0|-?[1-9][0-9]*)$/.test(text) && Number(text) >= -2147483648 && Number(text) <= 2147483647;

function checkSeccompAnnotation(errors: Errors, path: string, profile: string): void {
  if (profile === 'runtime/default' || profile === 'docker/default' || profile === 'unconfined') return;
  if (profile.startsWith('localhost/')) checkDescendingPath(errors, path, profile.slice('localhost/'.length));
  else errors.push(invalidField(path, profile, 'must be a valid seccomp profile'));
}

export function checkPodAnnotations(
  errors: Errors,
  path: string,
  annotations: Record<string, string> | undefined,
  spec: PodSpec,
  old?: Record<string, string>,
): void {
  for (const key in annotations) {
    const value = annotations[key]!;
    if (key === mirrorAnnotation) {
      if (!spec.nodeName) errors.push(invalidField(`${path}[${key}]`, value, 'must set spec.nodeName if mirror pod annotation is set'));
    } else if (key === tolerationsAnnotation) {
      if (value) checkTolerationsAnnotation(errors, path, value);
    } else if (key === deletionCost) {
      if (!isInt32(value) && !(old?.[key] !== undefined && !isInt32(old[key])))
        errors.push(invalidField(`${path}[${key}]`, value, 'must be a 32bit integer'));
    } else if (key === seccompPod || key.startsWith(seccompContainer)) checkSeccompAnnotation(errors, `${path}.${key}`, value);
    else if (key.startsWith(appArmorContainer)) checkAppArmorAnnotation(errors, `${path}[${key}]`, key, value, spec);
  }
}

function checkTolerationsAnnotation(errors: Errors, path: string, value: string): void {
  try {
    checkTolerations(errors, `${path}.${tolerationsAnnotation}`, JSON.parse(value) as Toleration[]);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    errors.push(invalidField(path, tolerationsAnnotation, jsonSyntaxError(value) ?? error.message));
  }
}

function checkAppArmorAnnotation(errors: Errors, path: string, key: string, value: string, spec: PodSpec): void {
  const name = key.slice(appArmorContainer.length);
  if (![...containersOf(spec, '')].some(([container]) => container.name === name))
    errors.push(invalidField(path, name, 'container not found'));
  if (value !== '' && value !== 'runtime/default' && value !== 'unconfined' && !value.startsWith('localhost/'))
    errors.push(invalidField(path, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`));
}

/** What annotations and fields both say must be the same. upstream: validateSeccompAnnotationsAndFields, validateAppArmorAnnotationsAndFieldsMatchOnCreate. */
export function checkProfilesMatch(errors: Errors, path: string, metadata: ObjectMeta | undefined, spec: PodSpec): void {
  const { annotations } = metadata ?? {};
  if (!annotations) return;
  const pod = spec.securityContext;
  matchProfile(errors, `${path}.securityContext.seccompProfile`, 'seccomp', annotations[seccompPod], pod?.seccompProfile);
  for (const [container, at] of containersOf(spec, path))
    matchProfile(
      errors,
      `${at}.securityContext.seccompProfile`,
      'seccomp',
      annotations[`${seccompContainer}${container.name}`],
      container.securityContext?.seccompProfile,
    );
  if (spec.os?.name === 'windows') return;
  for (const [container, at] of containersOf(spec, path))
    matchProfile(
      errors,
      `${at}.securityContext.appArmorProfile`,
      'apparmor',
      annotations[`${appArmorContainer}${container.name}`],
      container.securityContext?.appArmorProfile ?? pod?.appArmorProfile,
    );
}

function matchProfile(
  errors: Errors,
  path: string,
  what: 'seccomp' | 'apparmor',
  annotation: string | undefined,
  profile: SeccompProfile | AppArmorProfile | undefined,
): void {
  if (annotation === undefined || !profile) return;
  const { type, localhostProfile } = profile;
  const typeMatches =
    type === 'Unconfined'
      ? annotation === 'unconfined'
      : type === 'RuntimeDefault'
        ? annotation === 'runtime/default' || (what === 'seccomp' && annotation === 'docker/default')
        : type !== 'Localhost' || annotation.startsWith('localhost/');
  if (!typeMatches) errors.push(forbiddenField(`${path}.type`, `${what} type in annotation and field must match`));
  else if (type === 'Localhost' && annotation.slice('localhost/'.length) !== localhostProfile)
    errors.push(forbiddenField(`${path}.localhostProfile`, `${what} profile in annotation and field must match`));
}

/** Annotations that may not change once a pod exists. upstream: ValidatePodSpecificAnnotationUpdates. */
export function checkAnnotationUpdates(
  errors: Errors,
  path: string,
  annotations: Record<string, string> = {},
  old: Record<string, string> = {},
): void {
  for (const key in old) {
    if (annotations[key] === old[key]) continue;
    if (key.startsWith(appArmorContainer)) errors.push(forbiddenField(`${path}[${key}]`, 'may not remove or update AppArmor annotations'));
    if (key === mirrorAnnotation) errors.push(forbiddenField(`${path}[${key}]`, 'may not remove or update mirror pod annotation'));
  }
  for (const key in annotations) {
    if (old[key] !== undefined) continue;
    if (key.startsWith(appArmorContainer)) errors.push(forbiddenField(`${path}[${key}]`, 'may not add AppArmor annotations'));
    if (key === mirrorAnnotation) errors.push(forbiddenField(`${path}[${key}]`, 'may not add mirror pod annotation'));
  }
}
