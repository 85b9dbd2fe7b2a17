/** Containers, init containers and ephemeral containers. upstream: validateContainerCommon, validateInitContainers, validateEphemeralContainers. */
import { isValidPortName, isValidPortNum } from '#machinery/names';
import {
  checkLabel,
  checkOneOf,
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
import type {
  Container,
  ContainerPort,
  ContainerResizePolicy,
  ContainerRestartRule,
  EphemeralContainer,
  PodSpec,
  Volume,
  VolumeDevice,
  VolumeMount,
} from '../../facts/types.ts';
import { isSidecar } from '../resource-list.ts';
import { checkEnv, checkEnvFrom } from './env.ts';
import { checkDescendingPath } from './paths.ts';
import { checkLifecycle, checkProbes } from './probes.ts';
import { checkPullPolicy } from './pull-policy.ts';
import { checkResources } from './resources.ts';
import { checkSecurityContext } from './security-context.ts';

/** What a container's checks know of its pod. */
export interface ContainerChecks {
  spec: PodSpec;
  volumes: ReadonlyMap<string, Volume>;
  claims: ReadonlySet<string>;
  hostUsers: boolean;
}

const protocols = ['SCTP', 'TCP', 'UDP'];
const messagePolicies = ['File', 'FallbackToLogsOnError'];

function checkCommon(errors: Errors, path: string, container: Container, checks: ContainerChecks): void {
  if (!container.name) errors.push(required(`${path}.name`));
  else checkLabel(errors, `${path}.name`, container.name);
  if (!container.image) errors.push(required(`${path}.image`));
  checkOneOf(errors, `${path}.terminationMessagePolicy`, container.terminationMessagePolicy, messagePolicies);
  if (container.ports) checkPorts(errors, `${path}.ports`, container.ports);
  checkEnv(errors, `${path}.env`, container.env);
  checkEnvFrom(errors, `${path}.envFrom`, container.envFrom);
  const { volumeMounts = [], volumeDevices = [] } = container;
  if (volumeMounts.length) checkMounts(errors, `${path}.volumeMounts`, volumeMounts, volumeDevices, container, checks.volumes);
  if (volumeDevices.length) checkDevices(errors, `${path}.volumeDevices`, volumeDevices, volumeMounts, checks.volumes);
  checkPullPolicy(errors, `${path}.imagePullPolicy`, container.imagePullPolicy);
  checkResources(errors, `${path}.resources`, container.resources, checks);
  if (container.resizePolicy) checkResizePolicy(errors, `${path}.resizePolicy`, container.resizePolicy, checks.spec.restartPolicy);
  checkSecurityContext(errors, `${path}.securityContext`, container.securityContext, checks.hostUsers);
}

function checkPorts(errors: Errors, path: string, ports: readonly ContainerPort[]): void {
  const names = new Set<string>();
  for (const [index, { name, containerPort, hostPort, protocol }] of ports.entries()) {
    const at = `${path}[${index}]`;
    if (name) {
      const messages = isValidPortName(name);
      invalidFor(errors, `${at}.name`, name, messages);
      if (!messages.length && names.has(name)) errors.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
    if (!containerPort) errors.push(required(`${at}.containerPort`));
    else invalidFor(errors, `${at}.containerPort`, containerPort, isValidPortNum(containerPort));
    if (hostPort) invalidFor(errors, `${at}.hostPort`, hostPort, isValidPortNum(hostPort));
    checkOneOf(errors, `${at}.protocol`, protocol, protocols);
  }
}

const propagations = ['Bidirectional', 'HostToContainer', 'None'];
const recursions = ['Disabled', 'Enabled', 'IfPossible'];

function checkMounts(
  errors: Errors,
  path: string,
  mounts: readonly VolumeMount[],
  devices: readonly VolumeDevice[],
  container: Container,
  volumes: ReadonlyMap<string, Volume>,
): void {
  const targets = new Set<string>();
  for (const [index, mount] of mounts.entries()) {
    const at = `${path}[${index}]`;
    const { name, mountPath, subPath, subPathExpr, mountPropagation, recursiveReadOnly } = mount;
    if (!name) errors.push(required(`${at}.name`));
    if (!volumes.has(name)) errors.push(notFoundField(`${at}.name`, name ?? ''));
    if (!mountPath) errors.push(required(`${at}.mountPath`));
    if (targets.has(mountPath)) errors.push(invalidField(`${at}.mountPath`, mountPath, 'must be unique'));
    targets.add(mountPath);
    if (devices.some((device) => (device.name ?? '') === (name ?? '')))
      errors.push(invalidField(`${at}.name`, name ?? '', 'must not already exist in volumeDevices'));
    if (devices.some((device) => device.devicePath === mountPath))
      errors.push(invalidField(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices'));
    // Upstream's paths leave out the index from here on.
    if (subPath) checkDescendingPath(errors, `${path}.subPath`, subPath);
    if (subPathExpr) {
      if (subPath) errors.push(invalidField(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
      checkDescendingPath(errors, `${path}.subPathExpr`, subPathExpr);
    }
    if (mountPropagation !== undefined) {
      if (!propagations.includes(mountPropagation)) errors.push(unsupported(`${path}.mountPropagation`, mountPropagation, propagations));
      if (mountPropagation === 'Bidirectional' && !container.securityContext?.privileged)
        errors.push(
          forbiddenField(`${path}.mountPropagation`, 'Bidirectional mount propagation is available only to privileged containers'),
        );
    }
    if (recursiveReadOnly === 'Enabled' || recursiveReadOnly === 'IfPossible') {
      if (!mount.readOnly) errors.push(forbiddenField(`${path}.recursiveReadOnly`, 'may only be specified when readOnly is true'));
      if (mountPropagation !== undefined && mountPropagation !== 'None')
        errors.push(forbiddenField(`${path}.recursiveReadOnly`, 'may only be specified when mountPropagation is None or not specified'));
    } else if (recursiveReadOnly !== undefined && recursiveReadOnly !== 'Disabled')
      errors.push(unsupported(`${path}.recursiveReadOnly`, recursiveReadOnly, recursions));
  }
}

function checkDevices(
  errors: Errors,
  path: string,
  devices: readonly VolumeDevice[],
  mounts: readonly VolumeMount[],
  volumes: ReadonlyMap<string, Volume>,
): void {
  const names = new Set<string>();
  const paths = new Set<string>();
  for (const [index, { name, devicePath }] of devices.entries()) {
    const at = `${path}[${index}]`;
    const volume = volumes.get(name);
    if (!name) errors.push(required(`${at}.name`));
    if (names.has(name)) errors.push(invalidField(`${at}.name`, name, 'must be unique'));
    if (volume && !volume.persistentVolumeClaim && !volume.ephemeral)
      errors.push(invalidField(`${at}.name`, name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'));
    if (!volume) errors.push(notFoundField(`${at}.name`, name ?? ''));
    if (!devicePath) errors.push(required(`${at}.devicePath`));
    if (paths.has(devicePath)) errors.push(invalidField(`${at}.devicePath`, devicePath, 'must be unique'));
    if (devicePath?.split('/').includes('..'))
      errors.push(invalidField(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    else paths.add(devicePath);
    if (mounts.some((mount) => (mount.name ?? '') === (name ?? '')))
      errors.push(invalidField(`${at}.name`, name ?? '', 'must not already exist in volumeMounts'));
    if (mounts.some((mount) => mount.mountPath === devicePath))
      errors.push(invalidField(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts'));
    if (name) names.add(name);
  }
}

function checkResizePolicy(
  errors: Errors,
  path: string,
  policies: readonly ContainerResizePolicy[],
  restartPolicy: string | undefined,
): void {
  const seen = new Set<string>();
  for (const [index, { resourceName, restartPolicy: policy }] of policies.entries()) {
    if (seen.has(resourceName)) errors.push(duplicate(`${path}[${index}]`, resourceName));
    seen.add(resourceName);
    checkOneOf(errors, path, resourceName, ['cpu', 'memory']);
    checkOneOf(errors, path, policy, ['NotRequired', 'RestartContainer']);
    if (restartPolicy === 'Never' && policy !== 'NotRequired')
      errors.push(invalidField(path, policy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
  }
}

const restartPolicies = ['Always', 'Never', 'OnFailure'];
const mostRules = 20;
const mostExitCodes = 255;

/** upstream: validateContainerRestartPolicy. */
function checkRestartPolicy(errors: Errors, path: string, policy: string | undefined, rules: readonly ContainerRestartRule[]): void {
  if (policy === undefined) {
    if (rules.length) errors.push(required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used'));
  } else if (!restartPolicies.includes(policy)) errors.push(unsupported(`${path}.restartPolicy`, policy, restartPolicies));
  if (rules.length > mostRules) errors.push(tooLong(`${path}.restartPolicyRules`, mostRules));
  for (const [index, { action, exitCodes }] of rules.entries()) {
    const at = `${path}.restartPolicyRules[${index}]`;
    if (action !== 'Restart') errors.push(unsupported(`${at}.action`, action, ['Restart']));
    if (!exitCodes) errors.push(required(`${at}.exitCodes`, 'must be specified'));
    else {
      if (exitCodes.operator !== 'In' && exitCodes.operator !== 'NotIn')
        errors.push(unsupported(`${at}.exitCodes.operator`, exitCodes.operator, ['In', 'NotIn']));
      if ((exitCodes.values?.length ?? 0) > mostExitCodes) errors.push(tooLong(`${at}.exitCodes.values`, mostExitCodes));
    }
  }
}

/** One host port serves one container. `taken` collects what is in use. upstream: AccumulateUniqueHostPorts. */
export function checkHostPorts(errors: Errors, path: string, containers: readonly Container[], taken = new Set<string>()): void {
  for (const [index, { ports }] of containers.entries())
    for (const [position, { hostPort, hostIP, protocol }] of (ports ?? []).entries()) {
      if (!hostPort) continue;
      const key = `${protocol}/${hostIP ?? ''}/${hostPort}`;
      if (taken.has(key)) errors.push(duplicate(`${path}[${index}].ports[${position}].hostPort`, key));
      else taken.add(key);
    }
}

export function checkContainers(errors: Errors, path: string, containers: readonly Container[] | undefined, checks: ContainerChecks): void {
  if (!containers?.length) {
    errors.push(required(path));
    return;
  }
  const names = new Set<string>();
  const gracePeriod = checks.spec.terminationGracePeriodSeconds;
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`;
    checkCommon(errors, at, container, checks);
    if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
    names.add(container.name);
    if (container.lifecycle) checkLifecycle(errors, `${at}.lifecycle`, container.lifecycle, gracePeriod, checks.spec.os?.name);
    checkProbes(errors, at, container, gracePeriod);
    if (container.restartPolicy !== undefined || container.restartPolicyRules)
      checkRestartPolicy(errors, at, container.restartPolicy, container.restartPolicyRules ?? []);
  }
  checkHostPorts(errors, path, containers);
}

const notWithoutAlways = 'may not be set for init containers without restartPolicy=Always';

export function checkInitContainers(
  errors: Errors,
  path: string,
  containers: readonly Container[] | undefined,
  checks: ContainerChecks,
): void {
  if (!containers?.length) return;
  const names = new Set((checks.spec.containers ?? []).map((container) => container.name));
  const gracePeriod = checks.spec.terminationGracePeriodSeconds;
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`;
    checkCommon(errors, at, container, checks);
    checkInitRestartPolicy(errors, at, container);
    if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
    else if (container.name) names.add(container.name);
    checkHostPorts(errors, path, [container]);
    if (isSidecar(container)) {
      if (container.lifecycle) checkLifecycle(errors, `${at}.lifecycle`, container.lifecycle, gracePeriod, checks.spec.os?.name);
      checkProbes(errors, at, container, gracePeriod);
    } else
      for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
        if (container[field]) errors.push(forbiddenField(`${at}.${field}`, notWithoutAlways));
  }
}

function checkInitRestartPolicy(errors: Errors, path: string, { restartPolicy, restartPolicyRules = [] }: Container): void {
  if (restartPolicy === undefined) {
    if (restartPolicyRules.length) errors.push(required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used'));
  } else if (restartPolicy !== 'Always') checkRestartPolicy(errors, path, restartPolicy, restartPolicyRules);
  else if (restartPolicyRules.length)
    errors.push(
      forbiddenField(`${path}.restartPolicyRules`, 'restartPolicyRules are not allowed for init containers with restart policy Always'),
    );
}

/** What an ephemeral container may have, beside its target. */
const ephemeralFields = new Set([
  'name',
  'image',
  'command',
  'args',
  'workingDir',
  'envFrom',
  'env',
  'volumeMounts',
  'volumeDevices',
  'terminationMessagePath',
  'terminationMessagePolicy',
  'imagePullPolicy',
  'securityContext',
  'stdin',
  'stdinOnce',
  'tty',
  'targetContainerName',
]);
const notEphemeral = 'cannot be set for an Ephemeral Container';

function isEmptyValue(value: unknown): boolean {
  if (value == null || value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

export function checkEphemeralContainers(
  errors: Errors,
  path: string,
  containers: readonly EphemeralContainer[] | undefined,
  checks: ContainerChecks,
): void {
  if (!containers?.length) return;
  const others = new Set([...(checks.spec.containers ?? []), ...(checks.spec.initContainers ?? [])].map((container) => container.name));
  const names = new Set(others);
  for (const [index, ephemeral] of containers.entries()) {
    const at = `${path}[${index}]`;
    const container = ephemeral as Container;
    checkCommon(errors, at, container, checks);
    checkImageSpace(errors, at, container);
    if (names.has(ephemeral.name)) errors.push(duplicate(`${at}.name`, ephemeral.name));
    else names.add(ephemeral.name);
    if (ephemeral.targetContainerName && !others.has(ephemeral.targetContainerName))
      errors.push(notFoundField(`${at}.targetContainerName`, ephemeral.targetContainerName));
    for (const field in ephemeral) {
      if (ephemeralFields.has(field) || isEmptyValue(ephemeral[field as keyof EphemeralContainer])) continue;
      errors.push(forbiddenField(`${at}.${field}`, notEphemeral));
    }
    for (const [position, mount] of (ephemeral.volumeMounts ?? []).entries())
      for (const field of ['subPath', 'subPathExpr'] as const)
        if (mount[field]) errors.push(forbiddenField(`${at}.volumeMounts[${position}].${field}`, notEphemeral));
  }
}

/** Pods must not have it; templates that do may be left as they are. upstream: validateContainerOnlyForPod. */
export function checkImageSpace(errors: Errors, path: string, { image = '' }: Container): void {
  if (image.trim() !== image) errors.push(invalidField(`${path}.image`, image, 'must not have leading or trailing whitespace'));
}
