/** Security contexts in the runtime's words. upstream: pkg/securitycontext, pkg/kubelet/kuberuntime/security_context.go, helpers.go. */
import path from 'node:path';
import type { Container, Pod, PodSecurityContext, SecurityContext } from '#api';
import type { LinuxContainerSecurityContext, LinuxSandboxSecurityContext, NamespaceOption, SecurityProfile, UserNamespace } from '#runtime';
import { allContainers, isHostNetwork, specOf } from '../pod-spec.ts';

const maskedPaths = [
  '/proc/interrupts',
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** The container's settings over the pod's. */
export function effectiveSecurityContext(pod: Pod, container: Container): SecurityContext {
  const shared = specOf(pod).securityContext ?? {};
  const own = container.securityContext ?? {};
  const inherited: SecurityContext = {};
  if (shared.seLinuxOptions) inherited.seLinuxOptions = shared.seLinuxOptions;
  if (shared.runAsUser !== undefined) inherited.runAsUser = shared.runAsUser;
  if (shared.runAsGroup !== undefined) inherited.runAsGroup = shared.runAsGroup;
  if (shared.runAsNonRoot !== undefined) inherited.runAsNonRoot = shared.runAsNonRoot;
  return { ...inherited, ...own };
}

export function namespaceOptions(pod: Pod, users: UserNamespace | undefined): NamespaceOption {
  const spec = specOf(pod);
  return {
    network: isHostNetwork(pod) ? 'NODE' : 'POD',
    pid: spec.hostPID ? 'NODE' : spec.shareProcessNamespace ? 'POD' : 'CONTAINER',
    ipc: spec.hostIPC ? 'NODE' : 'POD',
    ...(users && { usernsOptions: users }),
  };
}

const profileRoot = 'seccomp';

function securityProfile(profile: { type: string; localhostProfile?: string } | undefined, root: string): SecurityProfile | undefined {
  switch (profile?.type) {
    case 'RuntimeDefault':
      return { profileType: 'RuntimeDefault' };
    case 'Unconfined':
      return { profileType: 'Unconfined' };
    case 'Localhost':
      if (!profile.localhostProfile) throw new Error('localhostProfile must be set if seccompProfile type is Localhost.');
      return { profileType: 'Localhost', localhostRef: path.join(root, profileRoot, profile.localhostProfile) };
    default:
      return undefined;
  }
}

function appArmorProfile(pod: Pod, container: Container): { apparmor: SecurityProfile; text: string } | undefined {
  const annotation = pod.metadata?.annotations?.[`container.apparmor.security.beta.kubernetes.io/${container.name}`];
  const profile =
    container.securityContext?.appArmorProfile ??
    (annotation === undefined
      ? specOf(pod).securityContext?.appArmorProfile
      : annotation === 'runtime/default'
        ? { type: 'RuntimeDefault' }
        : annotation === 'unconfined'
          ? { type: 'Unconfined' }
          : { type: 'Localhost', localhostProfile: annotation.replace(/^localhost\//, '') });
  switch (profile?.type) {
    case 'RuntimeDefault':
      return { apparmor: { profileType: 'RuntimeDefault' }, text: 'runtime/default' };
    case 'Unconfined':
      return { apparmor: { profileType: 'Unconfined' }, text: 'unconfined' };
    case 'Localhost':
      return {
        apparmor: { profileType: 'Localhost', localhostRef: profile.localhostProfile ?? '' },
        text: `localhost/${profile.localhostProfile ?? ''}`,
      };
    default:
      return undefined;
  }
}

const groupsOf = (context: PodSecurityContext | undefined, extra: readonly number[]): number[] => [
  ...(context?.fsGroup === undefined ? [] : [context.fsGroup]),
  ...(context?.supplementalGroups ?? []),
  ...extra,
];

/** The user an image names: a number, a name, or neither. */
export interface ImageUser {
  uid?: number;
  username?: string;
}

/** Throws with upstream's text where a container that must not run as root would, or might. */
export function verifyNonRoot(pod: Pod, container: Container, user: ImageUser): void {
  const context = effectiveSecurityContext(pod, container);
  if (context.runAsNonRoot !== true) return;
  const where = `(pod: "${pod.metadata?.name ?? ''}_${pod.metadata?.namespace ?? ''}(${pod.metadata?.uid ?? ''})", container: ${container.name})`;
  if (context.runAsUser !== undefined) {
    if (context.runAsUser === 0) throw new Error(`container's runAsUser breaks non-root policy ${where}`);
    return;
  }
  if (user.uid === 0) throw new Error(`container has runAsNonRoot and image will run as root ${where}`);
  if (user.uid === undefined && user.username)
    throw new Error(
      `container has runAsNonRoot and image has non-numeric user (${user.username}), cannot verify user is non-root ${where}`,
    );
}

export interface SecuritySource {
  user: ImageUser;
  /** Where localhost profiles lie (<root>/seccomp). */
  rootDirectory: string;
  /** Groups that the pod's volumes ask for. */
  extraGroups: readonly number[];
  /** The pod's own user namespace, where it has one. */
  users?: UserNamespace | undefined;
}

export function containerSecurityContext(pod: Pod, container: Container, source: SecuritySource): LinuxContainerSecurityContext {
  const context = effectiveSecurityContext(pod, container);
  const shared = specOf(pod).securityContext;
  const groups = groupsOf(shared, source.extraGroups);
  const seccomp =
    securityProfile(container.securityContext?.seccompProfile ?? shared?.seccompProfile, source.rootDirectory) ??
    ({ profileType: 'Unconfined' } satisfies SecurityProfile);
  const appArmor = appArmorProfile(pod, container);
  const unmasked = context.procMount === 'Unmasked';
  return {
    ...(context.capabilities && {
      capabilities: { addCapabilities: context.capabilities.add ?? [], dropCapabilities: context.capabilities.drop ?? [] },
    }),
    ...(context.seLinuxOptions && { selinuxOptions: context.seLinuxOptions }),
    ...(context.runAsUser === undefined
      ? {
          ...(source.user.uid !== undefined && { runAsUser: { value: source.user.uid } }),
          ...(source.user.username && { runAsUsername: source.user.username }),
        }
      : { runAsUser: { value: context.runAsUser } }),
    ...(context.runAsGroup !== undefined && { runAsGroup: { value: context.runAsGroup } }),
    privileged: context.privileged === true,
    readonlyRootfs: context.readOnlyRootFilesystem === true,
    namespaceOptions: namespaceOptions(pod, source.users),
    ...(groups.length && { supplementalGroups: groups }),
    ...(shared?.supplementalGroupsPolicy && { supplementalGroupsPolicy: shared.supplementalGroupsPolicy as 'Merge' | 'Strict' }),
    noNewPrivs: context.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : maskedPaths,
    readonlyPaths: unmasked ? [] : readonlyPaths,
    seccomp,
    ...(appArmor && { apparmor: appArmor.apparmor, apparmorProfile: appArmor.text }),
  };
}

export function sandboxSecurityContext(
  pod: Pod,
  extraGroups: readonly number[],
  users: UserNamespace | undefined,
): LinuxSandboxSecurityContext {
  const context = specOf(pod).securityContext;
  const groups = groupsOf(context, extraGroups);
  let privileged = false;
  for (const container of allContainers(pod)) privileged ||= container.securityContext?.privileged === true;
  return {
    privileged,
    seccomp: { profileType: 'RuntimeDefault' },
    namespaceOptions: namespaceOptions(pod, users),
    ...(context?.runAsUser !== undefined && { runAsUser: { value: context.runAsUser } }),
    ...(context?.runAsGroup !== undefined && { runAsGroup: { value: context.runAsGroup } }),
    ...(groups.length && { supplementalGroups: groups }),
    ...(context?.supplementalGroupsPolicy && { supplementalGroupsPolicy: context.supplementalGroupsPolicy as 'Merge' | 'Strict' }),
    ...(context?.seLinuxOptions && { selinuxOptions: context.seLinuxOptions }),
  };
}
