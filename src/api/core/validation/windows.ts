/** What Windows pods may and may not have. upstream: validateWindowsSecurityContextOptions, validateWindows, validateWindowsHostProcessPod. */
import { isDNS1123Subdomain } from '#machinery/names';
import { forbiddenField, invalidField, invalidFor } from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { PodSpec, WindowsSecurityContextOptions } from '../../facts/types.ts';
import { containersOf } from './visit-containers.ts';

const controlCharacters = /[\0-\x1f\x7f]+/;
const netBios = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const dnsLabel = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const dnsDomain = new RegExp(`^${dnsLabel}(?:\\.${dnsLabel})*$`);
const badUserCharacters = /["/\\:;|=,+*?<>@[\]]/;
const onlyDotsAndSpaces = /^[. ]+$/;
const largestCredentialSpec = 64 * 1024;
const longestDomain = 256;
const longestUser = 104;

export function checkWindowsOptions(errors: Errors, path: string, options: WindowsSecurityContextOptions): void {
  const { gmsaCredentialSpecName, gmsaCredentialSpec, runAsUserName } = options;
  if (gmsaCredentialSpecName !== undefined)
    invalidFor(errors, `${path}.gmsaCredentialSpecName`, gmsaCredentialSpecName, isDNS1123Subdomain(gmsaCredentialSpecName));
  if (gmsaCredentialSpec !== undefined) {
    const at = `${path}.gmsaCredentialSpec`;
    if (gmsaCredentialSpec === '') errors.push(invalidField(at, gmsaCredentialSpec, 'gmsaCredentialSpec cannot be an empty string'));
    else if (Buffer.byteLength(gmsaCredentialSpec) > largestCredentialSpec)
      errors.push(invalidField(at, gmsaCredentialSpec, 'gmsaCredentialSpec size must be under 64 KiB'));
  }
  if (runAsUserName !== undefined)
    invalidFor(
      errors,
      `${path}.runAsUserName`,
      runAsUserName,
      userNameErrors(runAsUserName).map((text) => `runAsUserName${text}`),
    );
}

function userNameErrors(name: string): string[] {
  if (name === '') return [' cannot be an empty string'];
  if (controlCharacters.test(name)) return [' cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return [' cannot contain more than one backslash'];
  const domain = parts.length === 2 ? parts[0]! : undefined;
  const user = parts.at(-1)!;
  const errors: string[] = [];
  if (domain !== undefined && domain.length >= longestDomain) errors.push(`'s Domain length must be under ${longestDomain} characters`);
  if (domain !== undefined && !netBios.test(domain) && !dnsDomain.test(domain))
    errors.push("'s Domain doesn't match the NetBios nor the DNS format");
  if (user === '') errors.push("'s User cannot be empty");
  else if (user.length > longestUser) errors.push(`'s User length must not be longer than ${longestUser} characters`);
  if (onlyDotsAndSpaces.test(user)) errors.push("'s User cannot contain only periods or spaces");
  if (badUserCharacters.test(user)) errors.push('\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]');
  return errors;
}

const notForWindows = 'cannot be set for a windows pod';
const podContextFields = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const;
const containerContextFields = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;

/** A pod that says it is for Windows. */
export function checkWindowsPod(errors: Errors, path: string, spec: PodSpec): void {
  const context = spec.securityContext;
  for (const field of podContextFields) {
    const value = context?.[field];
    if (value === undefined || (field === 'sysctls' && !context!.sysctls!.length)) continue;
    errors.push(forbiddenField(`${path}.securityContext.${field}`, notForWindows));
  }
  for (const field of ['hostUsers', 'shareProcessNamespace'] as const)
    if (spec[field] !== undefined) errors.push(forbiddenField(`${path}.${field}`, notForWindows));
  for (const field of ['hostPID', 'hostIPC'] as const) if (spec[field]) errors.push(forbiddenField(`${path}.${field}`, notForWindows));
  for (const [container, at] of containersOf(spec, path))
    for (const field of containerContextFields)
      if (container.securityContext?.[field] !== undefined) errors.push(forbiddenField(`${at}.securityContext.${field}`, notForWindows));
}

/** A pod that says it is for Linux. */
export function checkLinuxPod(errors: Errors, path: string, spec: PodSpec): void {
  const text = 'windows options cannot be set for a linux pod';
  if (spec.securityContext?.windowsOptions) errors.push(forbiddenField(`${path}.securityContext.windowsOptions`, text));
  for (const [container, at] of containersOf(spec, path))
    if (container.securityContext?.windowsOptions) errors.push(forbiddenField(`${at}.securityContext.windowsOptions`, text));
}

/** All containers of a pod run as processes of the host, or none. */
export function checkHostProcess(errors: Errors, path: string, spec: PodSpec): void {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  let all = 0;
  let hostProcesses = 0;
  for (const [container, at] of containersOf(spec, path)) {
    all++;
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (ofPod !== undefined && own !== undefined && ofPod !== own)
      errors.push(
        invalidField(
          `${at}.securityContext.windowsOptions.hostProcess`,
          own,
          `pod hostProcess value must be identical if both are specified, was ${ofPod}`,
        ),
      );
    if (own ?? ofPod) hostProcesses++;
  }
  if (hostProcesses === 0) return;
  if (hostProcesses !== all)
    errors.push(invalidField(path, '', 'If pod contains any hostProcess containers then all containers must be HostProcess containers'));
  if (!spec.hostNetwork)
    errors.push(invalidField(`${path}.hostNetwork`, false, 'hostNetwork must be true if pod contains any hostProcess containers'));
}
