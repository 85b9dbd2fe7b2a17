/** Security contexts of pods and containers. upstream: validatePodSpecSecurityContext, ValidateSecurityContext. */
import { isValidGroupID, isValidUserID } from '#machinery/names';
import { duplicate, invalidField, invalidFor, required, tooLong, unsupported } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { AppArmorProfile, PodSpec, SeccompProfile, SecurityContext } from '../../facts/types.ts';
import { checkDescendingPath } from './paths.ts';
import { checkWindowsOptions } from './windows.ts';

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

function checkSeccomp(errors: Errors, path: string, profile: SeccompProfile | undefined): void {
  if (!profile) return;
  if (!profile.type) errors.push(required(`${path}.type`, 'type is required when seccompProfile is set'));
  else if (!profileTypes.includes(profile.type)) errors.push(unsupported(`${path}.type`, profile.type, profileTypes));
  if (profile.type === 'Localhost') {
    if (profile.localhostProfile === undefined)
      errors.push(required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost'));
    else checkDescendingPath(errors, `${path}.localhostProfile`, profile.localhostProfile);
  } else if (profile.localhostProfile !== undefined)
    errors.push(invalidField(`${path}.localhostProfile`, profile, 'can only be set when seccomp type is Localhost'));
}

const longestProfile = 4095;

export function checkAppArmor(errors: Errors, path: string, profile: AppArmorProfile | undefined): void {
  if (!profile) return;
  const { type, localhostProfile } = profile;
  const missing = (): void => {
    errors.push(required(`${path}.localhostProfile`, 'must be set when AppArmor type is Localhost'));
  };
  if (!type) errors.push(required(`${path}.type`, 'type is required when appArmorProfile is set'));
  else if (!profileTypes.includes(type)) errors.push(unsupported(`${path}.type`, type, profileTypes));
  else if (type !== 'Localhost') {
    if (localhostProfile !== undefined)
      errors.push(invalidField(`${path}.localhostProfile`, localhostProfile, 'can only be set when AppArmor type is Localhost'));
  } else if (localhostProfile === undefined) missing();
  else {
    if (localhostProfile.trim() !== localhostProfile)
      errors.push(invalidField(`${path}.localhostProfile`, localhostProfile, 'must not be padded with whitespace'));
    else if (!localhostProfile) missing();
    if (localhostProfile.length > longestProfile) errors.push(tooLong(`${path}.localhostProfile`, longestProfile));
  }
}

const sysctlSegment = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const sysctlText = `^(${sysctlSegment}[\\./])*${sysctlSegment}$`;
const sysctlPattern = new RegExp(sysctlText);
const longestSysctl = 253;
const ipcSysctls = new Set(
  'kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced kernel.shm kernel.msgmax kernel.msgmnb kernel.msgmni kernel.msg'.split(
    ' ',
  ),
);

/** The namespace of the kernel a parameter belongs to. upstream: component-helpers/node/util/sysctl. */
function sysctlNamespace(sysctl: string): 'ipc' | 'net' | undefined {
  // Either separator may stand first; the other is part of a name.
  const first = /[./]/.exec(sysctl)?.[0];
  const name = (first === '/' ? sysctl.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/')) : sysctl).split('*', 1)[0]!;
  if (ipcSysctls.has(name) || name.startsWith('fs.mqueue.')) return 'ipc';
  return name.startsWith('net.') ? 'net' : undefined;
}

function checkSysctls(errors: Errors, path: string, spec: PodSpec): void {
  const seen = new Set<string>();
  for (const [index, { name }] of (spec.securityContext?.sysctls ?? []).entries()) {
    const at = `${path}[${index}].name`;
    if (!name) errors.push(required(at));
    else if (name.length > longestSysctl || !sysctlPattern.test(name))
      errors.push(invalidField(at, name, `must have at most ${longestSysctl} characters and match regex ${sysctlText}`));
    else if (seen.has(name)) errors.push(duplicate(at, name));
    const namespace = sysctlNamespace(name ?? '');
    if (spec.hostNetwork && namespace === 'net') errors.push(invalidField(at, name, "may not be specified when 'hostNetwork' is true"));
    else if (spec.hostIPC && namespace === 'ipc') errors.push(invalidField(at, name, "may not be specified when 'hostIPC' is true"));
    seen.add(name);
  }
}

const groupChangePolicies = ['Always', 'OnRootMismatch'];
const supplementalPolicies = ['Merge', 'Strict'];

export interface PodSecurityChecks {
  /** Mounting with an SELinux label is behind a feature gate that is off by default; who has it keeps it. */
  allowMountOption: boolean;
}

export function checkPodSecurityContext(errors: Errors, path: string, spec: PodSpec, checks: PodSecurityChecks): void {
  const context = spec.securityContext;
  if (context) for (const _ in context) return checkGivenPodContext(errors, path, spec, checks);
  if (spec.shareProcessNamespace && spec.hostPID)
    errors.push(invalidField(`${path}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled'));
}

function checkGivenPodContext(errors: Errors, path: string, spec: PodSpec, checks: PodSecurityChecks): void {
  const context = spec.securityContext!;
  if (context.fsGroup !== undefined) invalidFor(errors, `${path}.fsGroup`, context.fsGroup, isValidGroupID(context.fsGroup));
  if (context.runAsUser !== undefined) invalidFor(errors, `${path}.runAsUser`, context.runAsUser, isValidUserID(context.runAsUser));
  if (context.runAsGroup !== undefined) invalidFor(errors, `${path}.runAsGroup`, context.runAsGroup, isValidGroupID(context.runAsGroup));
  for (const [index, group] of (context.supplementalGroups ?? []).entries())
    invalidFor(errors, `${path}.supplementalGroups[${index}]`, group, isValidGroupID(group));
  if (spec.shareProcessNamespace && spec.hostPID)
    errors.push(invalidField(`${path}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled'));
  checkSysctls(errors, `${path}.sysctls`, spec);
  const { fsGroupChangePolicy, supplementalGroupsPolicy, seLinuxChangePolicy } = context;
  if (fsGroupChangePolicy !== undefined && !groupChangePolicies.includes(fsGroupChangePolicy))
    errors.push(unsupported(`${path}.fsGroupChangePolicy`, fsGroupChangePolicy, groupChangePolicies));
  checkSeccomp(errors, `${path}.seccompProfile`, context.seccompProfile);
  if (context.windowsOptions) checkWindowsOptions(errors, `${path}.windowsOptions`, context.windowsOptions);
  checkAppArmor(errors, `${path}.appArmorProfile`, context.appArmorProfile);
  if (supplementalGroupsPolicy !== undefined && !supplementalPolicies.includes(supplementalGroupsPolicy))
    errors.push(unsupported(`${path}.supplementalGroupsPolicy`, supplementalGroupsPolicy, supplementalPolicies));
  if (seLinuxChangePolicy !== undefined) {
    const allowed = checks.allowMountOption ? ['MountOption', 'Recursive'] : ['Recursive'];
    if (!allowed.includes(seLinuxChangePolicy)) errors.push(unsupported(`${path}.seLinuxChangePolicy`, seLinuxChangePolicy, allowed));
  }
}

export function checkSecurityContext(errors: Errors, path: string, context: SecurityContext | undefined, hostUsers: boolean): void {
  if (!context) return;
  if (context.runAsUser !== undefined) invalidFor(errors, `${path}.runAsUser`, context.runAsUser, isValidUserID(context.runAsUser));
  if (context.runAsGroup !== undefined) invalidFor(errors, `${path}.runAsGroup`, context.runAsGroup, isValidGroupID(context.runAsGroup));
  if (context.procMount !== undefined) {
    if (context.procMount !== 'Default' && context.procMount !== 'Unmasked')
      errors.push(unsupported(`${path}.procMount`, context.procMount, ['Default', 'Unmasked']));
    if (hostUsers && context.procMount === 'Unmasked')
      errors.push(invalidField(`${path}.procMount`, context.procMount, '`hostUsers` must be false to use `Unmasked`'));
  }
  checkSeccomp(errors, `${path}.seccompProfile`, context.seccompProfile);
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged)
      errors.push(invalidField(path, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
    for (const capability of context.capabilities?.add ?? [])
      if (capability === 'CAP_SYS_ADMIN')
        errors.push(invalidField(path, context, 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'));
  }
  if (context.windowsOptions) checkWindowsOptions(errors, `${path}.windowsOptions`, context.windowsOptions);
  checkAppArmor(errors, `${path}.appArmorProfile`, context.appArmorProfile);
}
