/** The spec of a pod or of a template of pods. upstream: ValidatePodSpec in pkg/apis/core/validation. */
import { isDNS1123SubdomainWithUnderscore, isValidLabelValue, nameIsDNSLabel, nameIsDNSSubdomain } from '#machinery/names';
import { validateIPForLegacyField } from '#machinery/ip';
import { canonicalize, compareQuantities, isQuantity } from '#machinery/quantity';
import {
  checkLabel,
  checkLabels,
  checkOneOf,
  checkQualifiedName,
  checkSubdomain,
  duplicate,
  forbiddenField,
  invalidField,
  invalidFor,
  notFoundField,
  required,
  tooLong,
  unsupported,
} from '../../checks.ts';
import type { Errors } from '../../checks.ts';
import type { ObjectMeta, PodDNSConfig, PodResourceClaim, PodSpec } from '../../facts/types.ts';
import { aggregateResources, isHugePages } from '../resource-list.ts';
import { checkContainers, checkEphemeralContainers, checkInitContainers } from './containers.ts';
import type { ContainerChecks } from './containers.ts';
import { hasInvalidValue } from './node-selector.ts';
import { checkResources } from './resources.ts';
import { checkAffinity, checkSchedulingGates, checkTolerations, checkTopologySpread } from './scheduling.ts';
import type { SchedulingChecks } from './scheduling.ts';
import { checkPodSecurityContext } from './security-context.ts';
import { containersOf } from './visit-containers.ts';
import { checkVolumes } from './volumes.ts';
import { checkHostProcess, checkLinuxPod, checkWindowsPod } from './windows.ts';

export const mirrorAnnotation = 'kubernetes.io/config.mirror';

export interface PodSpecChecks {
  /** A pod, not a template of one. */
  isPod: boolean;
  /** The pod's metadata, where there is a pod. */
  metadata?: ObjectMeta;
  /** What is stored: rules it breaks already are not held against an update. upstream: GetValidationOptionsFromPodSpecAndMeta. */
  old?: PodSpec;
}

const restartPolicies = ['Always', 'OnFailure', 'Never'];
const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const preemptionPolicies = ['PreemptLowerPriority', 'Never'];
const noClaims: ReadonlySet<string> = new Set();

export function checkPodSpec(errors: Errors, path: string, spec: PodSpec, checks: PodSpecChecks): void {
  if (spec.terminationGracePeriodSeconds === undefined) errors.push(required(`${path}.terminationGracePeriodSeconds`));
  const containerChecks: ContainerChecks = {
    spec,
    hostUsers: spec.hostUsers !== false,
    volumes: checkVolumes(errors, `${path}.volumes`, spec.volumes, checks),
    claims: spec.resourceClaims?.length ? new Set(spec.resourceClaims.map((claim) => claim.name).filter(Boolean)) : noClaims,
  };
  if (spec.resourceClaims?.length) checkResourceClaims(errors, `${path}.resourceClaims`, spec.resourceClaims, checks.metadata);
  checkContainers(errors, `${path}.containers`, spec.containers, containerChecks);
  checkInitContainers(errors, `${path}.initContainers`, spec.initContainers, containerChecks);
  checkEphemeralContainers(errors, `${path}.ephemeralContainers`, spec.ephemeralContainers, containerChecks);
  if (spec.resources) checkPodResources(errors, `${path}.resources`, spec, containerChecks);
  if (spec.hostNetwork) checkHostNetworkPorts(errors, path, spec, checks.isPod);
  checkOneOf(errors, `${path}.restartPolicy`, spec.restartPolicy, restartPolicies);
  checkOneOf(errors, `${path}.dnsPolicy`, spec.dnsPolicy, dnsPolicies);
  checkLabels(errors, `${path}.nodeSelector`, spec.nodeSelector);
  checkPodSecurityContext(errors, `${path}.securityContext`, spec, {
    allowMountOption: checks.old?.securityContext?.seLinuxChangePolicy !== undefined,
  });
  const scheduling = schedulingChecks(checks.old);
  checkAffinity(errors, `${path}.affinity`, spec.affinity, scheduling);
  checkDnsConfig(errors, `${path}.dnsConfig`, spec);
  for (const [index, { conditionType }] of (spec.readinessGates ?? []).entries())
    checkQualifiedName(errors, `${path}.readinessGates[${index}].conditionType`, conditionType ?? '');
  checkSchedulingGates(errors, `${path}.schedulingGates`, spec.schedulingGates);
  checkTopologySpread(errors, `${path}.topologySpreadConstraints`, spec.topologySpreadConstraints, scheduling);
  checkHostProcess(errors, path, spec);
  if (spec.hostUsers === false) checkNoHostUsers(errors, path, spec, checks.old);
  if (spec.hostnameOverride !== undefined) checkHostnameOverride(errors, path, spec);
  checkNames(errors, path, spec);
  const { activeDeadlineSeconds } = spec;
  if (activeDeadlineSeconds !== undefined && (activeDeadlineSeconds < 1 || activeDeadlineSeconds > 2147483647))
    errors.push(invalidField(`${path}.activeDeadlineSeconds`, activeDeadlineSeconds, 'must be between 1 and 2147483647, inclusive'));
  checkTolerations(errors, `${path}.tolerations`, spec.tolerations);
  for (const [index, { ip, hostnames }] of (spec.hostAliases ?? []).entries()) {
    errors.push(...validateIPForLegacyField(`${path}.hostAliases[${index}].ip`, ip ?? '', false));
    for (const [position, hostname] of (hostnames ?? []).entries())
      checkSubdomain(errors, `${path}.hostAliases[${index}].hostnames[${position}]`, hostname);
  }
  if (spec.preemptionPolicy !== undefined) checkOneOf(errors, `${path}.preemptionPolicy`, spec.preemptionPolicy, preemptionPolicies);
  if (spec.overhead) checkResources(errors, `${path}.overhead`, { limits: spec.overhead });
  if (spec.os) checkOs(errors, path, spec);
  checkFileKeyVolumes(errors, path, spec);
}

/** upstream: hasInvalidLabelValueInAffinitySelector, hasInvalidTopologySpreadConstraintLabelSelector. */
function schedulingChecks(old: PodSpec | undefined): SchedulingChecks {
  if (!old?.affinity && !old?.topologySpreadConstraints) return {};
  const sides = [old.affinity?.podAffinity, old.affinity?.podAntiAffinity];
  const terms = sides.flatMap((side) => [
    ...(side?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(side?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((weighted) => weighted.podAffinityTerm),
  ]);
  const selectors = [
    ...terms.flatMap((term) => [term?.labelSelector, term?.namespaceSelector]),
    ...(old.topologySpreadConstraints ?? []).map((constraint) => constraint.labelSelector),
  ];
  return {
    allowInvalidSelectorValue: selectors.some((selector) =>
      selector?.matchExpressions?.some((each) => each.values?.some((value) => isValidLabelValue(value).length > 0)),
    ),
    allowInvalidNodeValue: hasInvalidValue(old.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
  };
}

function checkNames(errors: Errors, path: string, spec: PodSpec): void {
  const { serviceAccountName, nodeName, hostname, subdomain, priorityClassName, runtimeClassName } = spec;
  if (serviceAccountName)
    invalidFor(errors, `${path}.serviceAccountName`, serviceAccountName, nameIsDNSSubdomain(serviceAccountName, false));
  if (nodeName) invalidFor(errors, `${path}.nodeName`, nodeName, nameIsDNSSubdomain(nodeName, false));
  if (hostname) checkLabel(errors, `${path}.hostname`, hostname);
  if (subdomain) checkLabel(errors, `${path}.subdomain`, subdomain);
  if (priorityClassName) invalidFor(errors, `${path}.priorityClassName`, priorityClassName, nameIsDNSSubdomain(priorityClassName, false));
  if (runtimeClassName !== undefined)
    invalidFor(errors, `${path}.runtimeClassName`, runtimeClassName, nameIsDNSSubdomain(runtimeClassName, false));
  const workload = spec.workloadRef;
  if (workload) {
    invalidFor(errors, `${path}.workloadRef.name`, workload.name, nameIsDNSSubdomain(workload.name, false));
    invalidFor(errors, `${path}.workloadRef.podGroup`, workload.podGroup, nameIsDNSLabel(workload.podGroup, false));
    const replica = workload.podGroupReplicaKey;
    if (replica) invalidFor(errors, `${path}.workloadRef.podGroupReplicaKey`, replica, nameIsDNSLabel(replica, false));
  }
}

/** upstream: validatePodResourceClaim. */
function checkResourceClaims(errors: Errors, path: string, claims: readonly PodResourceClaim[], metadata: ObjectMeta | undefined): void {
  const names = new Set<string>();
  for (const [index, claim] of claims.entries()) {
    if (metadata?.annotations?.[mirrorAnnotation] !== undefined) {
      errors.push(forbiddenField('', 'static pods do not support resource claims'));
      continue;
    }
    const at = `${path}[${index}]`;
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    if (!name) errors.push(required(`${at}.name`));
    else if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    else {
      checkLabel(errors, `${at}.name`, name);
      names.add(name);
    }
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined)
      errors.push(invalidField(at, claim, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'));
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined)
      errors.push(invalidField(at, claim, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'));
    if (resourceClaimName !== undefined)
      invalidFor(errors, `${at}.resourceClaimName`, resourceClaimName, nameIsDNSSubdomain(resourceClaimName, false));
    if (resourceClaimTemplateName !== undefined)
      invalidFor(
        errors,
        `${at}.resourceClaimTemplateName`,
        resourceClaimTemplateName,
        nameIsDNSSubdomain(resourceClaimTemplateName, false),
      );
  }
}

/** What the pod asks for as a whole covers what its containers ask for. upstream: validatePodResources. */
function checkPodResources(errors: Errors, path: string, spec: PodSpec, checks: ContainerChecks): void {
  if (spec.os?.name === 'windows') {
    errors.push(forbiddenField(path, 'may not be set for a windows pod'));
    return;
  }
  const { limits = {}, requests = {}, claims } = spec.resources!;
  if (claims) errors.push(forbiddenField(`${path}.claims`, 'claims may not be set for Resources at pod-level'));
  checkResources(errors, path, spec.resources, { wholePod: true, claims: checks.claims });
  const more = (a: unknown, b: unknown): boolean => isQuantity(a) && isQuantity(b) && compareQuantities(a as string, b as string) > 0;
  for (const list of ['requests', 'limits'] as const) {
    const together = aggregateResources({ spec }, list);
    const whole = list === 'requests' ? requests : limits;
    for (const name in together) {
      if (whole[name] === undefined || (list === 'limits' && !isHugePages(name)) || !more(together[name], whole[name])) continue;
      const text = `must be greater than or equal to aggregate container ${list} of ${canonicalize(together[name]!)}`;
      errors.push(invalidField(`${path}.${list}[${name}]`, canonicalize(whole[name]!), text));
    }
  }
  for (const [index, container] of (spec.containers ?? []).entries())
    for (const name in container.resources?.limits) {
      const limit = container.resources!.limits![name]!;
      if (limits[name] !== undefined && more(limit, limits[name]))
        errors.push(
          invalidField(
            `${path}.containers[${index}][${name}].limits`,
            canonicalize(limit),
            `must be less than or equal to pod limits of ${canonicalize(limits[name]!)}`,
          ),
        );
    }
}

function checkHostNetworkPorts(errors: Errors, path: string, spec: PodSpec, isPod: boolean): void {
  for (const [index, { ports }] of (spec.containers ?? []).entries())
    for (const [position, { hostPort = 0, containerPort }] of (ports ?? []).entries())
      if ((isPod || hostPort !== 0) && hostPort !== containerPort)
        errors.push(
          invalidField(
            `${path}.containers[${index}].ports[${position}].hostPort`,
            hostPort,
            'must match `containerPort` when `hostNetwork` is true',
          ),
        );
}

const mostNameservers = 3;
const mostSearches = 32;
const longestSearchList = 2048;

function checkDnsConfig(errors: Errors, path: string, { dnsConfig, dnsPolicy }: PodSpec): void {
  if (dnsPolicy === 'None') {
    if (!dnsConfig) {
      errors.push(required(path, 'must provide `dnsConfig` when `dnsPolicy` is None'));
      return;
    }
    if (!dnsConfig.nameservers?.length) {
      errors.push(required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'));
      return;
    }
  }
  if (dnsConfig) checkGivenDnsConfig(errors, path, dnsConfig);
}

function checkGivenDnsConfig(errors: Errors, path: string, { nameservers = [], searches = [], options = [] }: PodDNSConfig): void {
  if (nameservers.length > mostNameservers)
    errors.push(invalidField(`${path}.nameservers`, nameservers, `must not have more than ${mostNameservers} nameservers`));
  for (const [index, nameserver] of nameservers.entries())
    errors.push(...validateIPForLegacyField(`${path}.nameservers[${index}]`, nameserver, false));
  if (searches.length > mostSearches)
    errors.push(invalidField(`${path}.searches`, searches, `must not have more than ${mostSearches} search paths`));
  if (searches.join(' ').length > longestSearchList)
    errors.push(
      invalidField(
        `${path}.searches`,
        searches,
        `must not have more than ${longestSearchList} characters (including spaces) in the search list`,
      ),
    );
  for (const [index, search] of searches.entries()) {
    if (search === '.') continue;
    const name = search.replace(/\.$/, '');
    invalidFor(errors, `${path}.searches[${index}]`, name, isDNS1123SubdomainWithUnderscore(name));
  }
  for (const [index, { name }] of options.entries()) if (!name) errors.push(required(`${path}.options[${index}]`, 'must not be empty'));
}

function checkNoHostUsers(errors: Errors, path: string, spec: PodSpec, old: PodSpec | undefined): void {
  const text = 'when `hostUsers` is false';
  if (spec.hostNetwork && !(old?.hostUsers === false && old.hostNetwork)) errors.push(forbiddenField(`${path}.hostNetwork`, text));
  if (spec.hostPID) errors.push(forbiddenField(`${path}.HostPID`, text));
  if (spec.hostIPC) errors.push(forbiddenField(`${path}.HostIPC`, text));
  for (const [container, at] of containersOf(spec, path))
    if (container.volumeDevices?.length && old?.hostUsers !== false) errors.push(forbiddenField(`${at}.volumeDevices`, text));
}

const longestHostname = 64;

function checkHostnameOverride(errors: Errors, path: string, spec: PodSpec): void {
  const at = `${path}.hostnameOverride`;
  if (spec.setHostnameAsFQDN) errors.push(forbiddenField(at, 'may not be specified when setHostnameAsFQDN is true'));
  if (spec.hostNetwork) errors.push(forbiddenField(at, 'may not be specified when hostNetwork is true'));
  if (spec.hostnameOverride!.length > longestHostname) errors.push(tooLong(at, longestHostname));
  checkSubdomain(errors, at, spec.hostnameOverride!);
}

function checkOs(errors: Errors, path: string, spec: PodSpec): void {
  const name = spec.os!.name;
  if (!name) errors.push(required(`${path}.os.name`));
  else if (name === 'linux') checkLinuxPod(errors, path, spec);
  else if (name === 'windows') checkWindowsPod(errors, path, spec);
  else errors.push(unsupported(`${path}.os`, name, ['linux', 'windows']));
}

/** Environment files lie in emptyDir volumes. upstream: validateFileKeyRefVolumes. */
function checkFileKeyVolumes(errors: Errors, path: string, spec: PodSpec): void {
  for (const [container, at] of containersOf(spec, path))
    for (const [index, { valueFrom }] of (container.env ?? []).entries()) {
      const name = valueFrom?.fileKeyRef?.volumeName;
      if (valueFrom?.fileKeyRef === undefined) continue;
      const field = `${at}.env[${index}].valueFrom.fileKeyRef.volumeName`;
      const volume = spec.volumes?.find((each) => each.name === name);
      if (!volume) errors.push(notFoundField(field, name ?? ''));
      else if (!volume.emptyDir) errors.push(invalidField(field, name, 'referenced volume must be of type emptyDir'));
    }
}
