/** Updates of a pod's status. upstream: ValidatePodStatusUpdate. */
import { isValidGroupID, isValidUserID, nameIsDNSSubdomain } from '#machinery/names';
import { isIPv4, isIPv6, validateIPForLegacyField } from '#machinery/ip';
import { checkImmutable, checkQualifiedName, duplicate, forbiddenField, invalidField, invalidFor } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { Container, ContainerStatus, Pod, PodSpec } from '../../facts/types.ts';
import { checkAnnotationUpdates, checkPodAnnotations } from './pod-annotations.ts';

const systemConditions = new Set(['PodScheduled', 'Ready', 'Initialized']);
const notNegative = 'must be a non-negative integer';

/** Whether the kubelet may start a container again that ended with `exitCode`. upstream: pkg/api/v1/pod ContainerShouldRestart. */
export function shouldRestart(container: Container, pod: PodSpec, exitCode: number): boolean {
  if (container.restartPolicy !== undefined) {
    for (const { action, exitCodes } of container.restartPolicyRules ?? []) {
      const among = exitCodes?.values?.includes(exitCode) ?? false;
      const matches = exitCodes !== undefined && (exitCodes.operator === 'NotIn' ? !among : among);
      if (matches && action === 'Restart') return true;
      if (matches) break;
    }
    if (container.restartPolicy === 'Always') return true;
    if (container.restartPolicy === 'OnFailure') return exitCode !== 0;
    if (container.restartPolicy === 'Never') return false;
  }
  if (pod.restartPolicy === 'OnFailure') return exitCode !== 0;
  return pod.restartPolicy !== 'Never';
}

type Statuses = readonly ContainerStatus[] | undefined;

/** What has ended stays ended, unless it is to be started again. */
function checkTransitions(
  errors: Errors,
  path: string,
  statuses: Statuses,
  old: Statuses,
  mayRestart: (name: string, exitCode: number) => boolean,
): void {
  for (const [index, { name, state }] of (old ?? []).entries()) {
    if (!state?.terminated) continue;
    const status = statuses?.find((each) => each.name === name);
    if (status && !status.state?.terminated && !mayRestart(name, state.terminated.exitCode))
      errors.push(forbiddenField(`${path}[${index}].state`, 'may not be transitioned to non-terminated state'));
  }
}

function checkAddresses(
  errors: Errors,
  path: string,
  addresses: readonly { ip: string }[] = [],
  old: readonly { ip: string }[] = [],
): void {
  const known = old.map(({ ip }) => ip);
  for (const [index, { ip }] of addresses.entries()) errors.push(...validateIPForLegacyField(`${path}[${index}]`, ip ?? '', false, known));
  if (addresses.length < 2) return;
  const dualStack = addresses.some(({ ip }) => isIPv4(ip ?? '')) && addresses.some(({ ip }) => isIPv6(ip ?? ''));
  if (!dualStack || addresses.length > 2) errors.push(invalidField(path, addresses, 'may specify no more than one IP for each IP family'));
}

function checkUsers(errors: Errors, path: string, statuses: Statuses, os: string | undefined): void {
  for (const [index, { user }] of (statuses ?? []).entries()) {
    if (!user?.linux) continue;
    const at = `${path}[${index}].user.linux`;
    if (os === 'windows') errors.push(forbiddenField(at, 'cannot be set for a windows pod'));
    else if (os === undefined || os === 'linux') {
      invalidFor(errors, `${at}.uid`, user.linux.uid, isValidUserID(user.linux.uid));
      invalidFor(errors, `${at}.gid`, user.linux.gid, isValidGroupID(user.linux.gid));
      for (const [position, group] of (user.linux.supplementalGroups ?? []).entries())
        invalidFor(errors, `${at}.supplementalGroups[${position}]`, group, isValidGroupID(group));
    }
  }
}

function checkClaimStatuses(errors: Errors, pod: Pod): void {
  const seen = new Set<string>();
  for (const [index, { name, resourceClaimName }] of (pod.status?.resourceClaimStatuses ?? []).entries()) {
    const at = `status.resourceClaimStatuses[${index}].name`;
    if (!pod.spec?.resourceClaims?.some((claim) => claim.name === name))
      errors.push(invalidField(at, name, 'must match the name of an entry in `spec.resourceClaims`'));
    if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
    if (resourceClaimName !== undefined) invalidFor(errors, at, resourceClaimName, nameIsDNSSubdomain(resourceClaimName, false));
  }
}

export function validatePodStatus(pod: Pod, old: Pod): Errors {
  const errors: Errors = [];
  const status = pod.status ?? {};
  const before = old.status ?? {};
  const spec = old.spec!;
  const { annotations } = pod.metadata ?? {};
  if (annotations || old.metadata?.annotations) {
    checkAnnotationUpdates(errors, 'metadata.annotations', annotations, old.metadata?.annotations);
    checkPodAnnotations(errors, 'metadata.annotations', annotations, pod.spec!, old.metadata?.annotations);
  }
  for (const [index, { type, observedGeneration = 0 }] of (status.conditions ?? []).entries()) {
    if (observedGeneration < 0)
      errors.push(invalidField(`status.conditions[${index}].observedGeneration`, observedGeneration, notNegative));
    if (!systemConditions.has(type)) checkQualifiedName(errors, `status.conditions[${index}].Type`, type ?? '');
  }
  checkNominated(errors, status.nominatedNodeName ?? '', before.nominatedNodeName ?? '', Boolean(spec.nodeName));
  if ((status.observedGeneration ?? 0) < 0) errors.push(invalidField('status.observedGeneration', status.observedGeneration, notNegative));
  checkImmutable(errors, 'status.qosClass', status.qosClass, before.qosClass);
  const restarts =
    (containers: readonly Container[] | undefined) =>
    (name: string, exitCode: number): boolean => {
      const container = containers?.find((each) => each.name === name);
      return container !== undefined && shouldRestart(container, spec, exitCode);
    };
  checkTransitions(errors, 'status.containerStatuses', status.containerStatuses, before.containerStatuses, restarts(spec.containers));
  checkTransitions(
    errors,
    'status.initContainerStatuses',
    status.initContainerStatuses,
    before.initContainerStatuses,
    restarts(spec.initContainers),
  );
  checkTransitions(
    errors,
    'status.ephemeralContainerStatuses',
    status.ephemeralContainerStatuses,
    before.ephemeralContainerStatuses,
    () => false,
  );
  if (status.resourceClaimStatuses) checkClaimStatuses(errors, pod);
  checkAddresses(errors, 'status.podIPs', status.podIPs, before.podIPs);
  if (status.hostIPs?.length) {
    if ((status.hostIP ?? '') !== status.hostIPs[0]!.ip)
      errors.push(invalidField('status.hostIPs[0].ip', status.hostIPs[0]!.ip, 'must be equal to `hostIP`'));
    checkAddresses(errors, 'status.hostIPs', status.hostIPs, before.hostIPs);
  }
  for (const field of ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const)
    checkUsers(errors, `status.${field}`, status[field], spec.os?.name);
  return errors;
}

function checkNominated(errors: Errors, name: string, old: string, bound: boolean): void {
  if (!name || name === old) return;
  invalidFor(errors, 'status.nominatedNodeName', name, nameIsDNSSubdomain(name, false));
  if (bound) errors.push(forbiddenField('status.nominatedNodeName', 'may not be set on pods that are already bound to a node'));
}
