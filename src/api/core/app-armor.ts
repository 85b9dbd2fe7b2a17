/** AppArmor profiles in annotations, from before there was a field. upstream: applyAppArmorVersionSkew in pkg/registry/core/pod/strategy.go. */
import { equal } from '#machinery/meta';
import type { Errors } from '../checks.ts';
import type { AppArmorProfile, Pod, PodSpec } from '../facts/types.ts';
import { appArmorContainer } from './validation/pod-annotations.ts';
import { checkAppArmor } from './validation/security-context.ts';

const localhost = 'localhost/';

function profileOf(annotation: string): AppArmorProfile | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  if (!annotation.startsWith(localhost) || annotation === localhost) return undefined;
  const profile = { type: 'Localhost', localhostProfile: annotation.slice(localhost.length) };
  const errors: Errors = [];
  checkAppArmor(errors, '', profile);
  return errors.length ? undefined : profile;
}

/** Writes into the fields of `pod` what only its annotations say. */
export function appArmorFromAnnotations(pod: Pod): void {
  const annotations = pod.metadata?.annotations;
  if (!annotations || pod.spec?.os?.name === 'windows') return;
  const { initContainers, containers, securityContext } = pod.spec as Partial<PodSpec>;
  for (const container of [...(initContainers ?? []), ...(containers ?? [])]) {
    const annotation = annotations[appArmorContainer + container.name];
    if (annotation === undefined || container.securityContext?.appArmorProfile) continue;
    const profile = profileOf(annotation);
    if (profile && !equal(profile, securityContext?.appArmorProfile)) (container.securityContext ??= {}).appArmorProfile = profile;
  }
}
