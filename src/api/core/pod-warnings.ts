/** What the API server warns of in pods and templates. upstream: pkg/api/pod/warnings.go. */
import { warningsForIP } from '#machinery/ip';
import { isDNS1123Label } from '#machinery/names';
import { isQuantity, parseQuantity } from '#machinery/quantity';
import type {
  ContainerPort,
  KeyToPath,
  ObjectMeta,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Quantity,
  Volume,
  VolumeProjection,
} from '../facts/types.ts';
import type { KubeObject } from '#machinery/meta';
import { nodeLabelDeprecation, warningsForNodeSelectorTerm } from './node-label-warnings.ts';
import { warningsForClaimSpec } from './claim-warnings.ts';
import { appArmorContainer } from './validation/pod-annotations.ts';
import { containersOf } from './validation/visit-containers.ts';

const goList = (items: readonly string[]): string => `[${items.join(' ')}]`;

/** Names of workloads end up in host names. */
export function hostnameWarnings(object: KubeObject): string[] {
  const messages = isDNS1123Label(object.metadata?.name ?? '');
  return messages.length
    ? [
        `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: ${goList(messages)}`,
      ]
    : [];
}

export function warningsForPod(pod: Pod, old?: Pod): string[] {
  if (old || !pod.spec) return [];
  const messages = isDNS1123Label(pod.metadata?.name ?? '');
  const texts = messages.length
    ? [
        `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: ${goList(messages)}`,
      ]
    : [];
  return [...texts, ...warningsFor(pod.spec, pod.metadata, '', true)];
}

export const warningsForPodTemplate = (template: PodTemplateSpec | undefined, path: string): string[] =>
  template?.spec ? warningsFor(template.spec, template.metadata, `${path}.`, false) : [];

const deprecatedAnnotations: [string, string][] = [
  ['scheduler.alpha.kubernetes.io/critical-pod', 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ['security.alpha.kubernetes.io/sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
  ['security.alpha.kubernetes.io/unsafe-sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
];

/** `at` is empty or ends in a dot. */
function warningsFor(spec: PodSpec, metadata: ObjectMeta | undefined, at: string, isPod: boolean): string[] {
  const texts: string[] = [];
  const annotations = metadata?.annotations;
  schedulingWarnings(texts, spec, at);
  if (annotations)
    for (const [key, message] of deprecatedAnnotations)
      if (annotations[key] !== undefined) texts.push(`${at}metadata.annotations[${key}]: ${message}`);
  for (const [index, volume] of (spec.volumes ?? []).entries()) volumeWarnings(texts, volume, `${at}spec.volumes[${index}]`);
  for (const volume of spec.volumes ?? []) overlapWarnings(texts, volume);
  const ips = new Set<string>();
  for (const [index, { ip }] of (spec.hostAliases ?? []).entries()) {
    if (ips.has(ip)) texts.push(`${at}spec.hostAliases[${index}].ip: duplicate ip ${JSON.stringify(ip)}`);
    ips.add(ip);
  }
  const secrets = new Set<string>();
  for (const [index, { name = '' }] of (spec.imagePullSecrets ?? []).entries()) {
    const path = `${at}spec.imagePullSecrets[${index}].name`;
    if (secrets.has(name)) texts.push(`${path}: duplicate name ${JSON.stringify(name)}`);
    if (name === '') texts.push(`${path}: invalid empty name ""`);
    secrets.add(name);
  }
  for (const name of ['memory', 'ephemeral-storage']) fractionWarning(texts, `${at}spec.overhead[${name}]`, spec.overhead?.[name]);
  if (annotations) profileWarnings(texts, spec, annotations, at, isPod);
  for (const [container, path] of containersOf(spec, `${at}spec`)) {
    for (const name of ['memory', 'ephemeral-storage'])
      for (const list of ['limits', 'requests'] as const)
        fractionWarning(texts, `${path}.resources.${list}[${name}]`, container.resources?.[list]?.[name]);
    if (container.env && container.env.length > 1) envWarnings(texts, container.env, path);
  }
  portWarnings(texts, spec, `${at}spec`);
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    texts.push(`${at}spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`);
  affinityWarnings(texts, spec, at);
  for (const [index, nameserver] of (spec.dnsConfig?.nameservers ?? []).entries())
    texts.push(...warningsForIP(`${at}spec.dnsConfig.nameservers[${index}]`, nameserver));
  for (const [index, { ip }] of (spec.hostAliases ?? []).entries()) texts.push(...warningsForIP(`${at}spec.hostAliases[${index}].ip`, ip));
  return texts;
}

const matchesNothing = 'a null labelSelector results in matching no pod';

function schedulingWarnings(texts: string[], spec: PodSpec, at: string): void {
  for (const key in spec.nodeSelector) {
    const message = nodeLabelDeprecation(key);
    if (message) texts.push(`${at}spec.nodeSelector[${key}]: ${message}`);
  }
  const affinity = spec.affinity?.nodeAffinity;
  const path = `${at}spec.affinity.nodeAffinity`;
  for (const [index, term] of (affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []).entries())
    texts.push(
      ...warningsForNodeSelectorTerm(term, false, `${path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${index}]`),
    );
  for (const [index, term] of (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries())
    texts.push(
      ...warningsForNodeSelectorTerm(term.preference, true, `${path}.preferredDuringSchedulingIgnoredDuringExecution[${index}].preference`),
    );
  for (const [index, { topologyKey, labelSelector }] of (spec.topologySpreadConstraints ?? []).entries()) {
    const constraint = `${at}spec.topologySpreadConstraints[${index}]`;
    const message = nodeLabelDeprecation(topologyKey);
    if (message) texts.push(`${constraint}.topologyKey: ${topologyKey} is ${message}`);
    if (!labelSelector) texts.push(`${constraint}.labelSelector: ${matchesNothing}`);
  }
}

function affinityWarnings(texts: string[], spec: PodSpec, at: string): void {
  for (const field of ['podAffinity', 'podAntiAffinity'] as const) {
    const side = spec.affinity?.[field];
    const path = `${at}spec.affinity.${field}`;
    for (const [index, term] of (side?.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries())
      if (!term.labelSelector)
        texts.push(`${path}.requiredDuringSchedulingIgnoredDuringExecution[${index}].labelSelector: ${matchesNothing}`);
    for (const [index, term] of (side?.preferredDuringSchedulingIgnoredDuringExecution ?? []).entries())
      if (!term.podAffinityTerm?.labelSelector)
        texts.push(`${path}.preferredDuringSchedulingIgnoredDuringExecution[${index}].podAffinityTerm.labelSelector: ${matchesNothing}`);
  }
}

const deprecatedVolumes: [keyof Volume, string, string][] = [
  ['photonPersistentDisk', 'photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'storageOS', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

function volumeWarnings(texts: string[], volume: Volume, path: string): void {
  for (const [field, name, message] of deprecatedVolumes) if (volume[field]) texts.push(`${path}.${name}: ${message}`);
  const claim = volume.ephemeral?.volumeClaimTemplate;
  if (claim) texts.push(...warningsForClaimSpec(claim.spec, `${path}.ephemeral.volumeClaimTemplate.spec`));
}

interface SourcedPath {
  path: string;
  source: string;
}
const shown = ({ path, source }: SourcedPath): string => (source ? `${JSON.stringify(path)} (${source})` : JSON.stringify(path));
const pathsOf = (items: readonly Pick<KeyToPath, 'path'>[] | undefined, source: string): SourcedPath[] =>
  (items ?? []).map(({ path }) => ({ path: path.replace(/\/+$/, ''), source }));

/** Files of one volume that would lie on or inside each other. */
function overlapWarnings(texts: string[], volume: Volume): void {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap?.items)
    reportOverlaps(texts, volume.name, `ConfigMap ${JSON.stringify(configMap.name ?? '')}`, pathsOf(configMap.items, ''));
  if (secret?.items) reportOverlaps(texts, volume.name, `Secret ${JSON.stringify(secret.secretName ?? '')}`, pathsOf(secret.items, ''));
  if (downwardAPI?.items) reportOverlaps(texts, volume.name, 'DownwardAPI', pathsOf(downwardAPI.items, ''));
  if (!projected) return;
  const paths: SourcedPath[] = [];
  for (const source of projected.sources ?? []) {
    if (Object.keys(source).length === 0) texts.push(`volume ${JSON.stringify(volume.name)} (Projected) has no sources provided`);
    else paths.push(...projectedPaths(source));
  }
  reportOverlaps(texts, volume.name, 'Projected', paths);
}

function projectedPaths({ configMap, secret, downwardAPI, serviceAccountToken }: VolumeProjection): SourcedPath[] {
  if (configMap?.items) return pathsOf(configMap.items, `ConfigMap ${JSON.stringify(configMap.name ?? '')}`);
  if (secret?.items) return pathsOf(secret.items, `Secret ${JSON.stringify(secret.name ?? '')}`);
  if (downwardAPI?.items) return pathsOf(downwardAPI.items, 'DownwardAPI');
  return serviceAccountToken ? pathsOf([serviceAccountToken], 'ServiceAccountToken') : [];
}

function reportOverlaps(texts: string[], volume: string, what: string, paths: readonly SourcedPath[]): void {
  for (const [index, each] of paths.entries()) {
    if (!each.path) continue;
    for (const other of paths.slice(0, index))
      if (other.path && (`${other.path}/`.startsWith(`${each.path}/`) || `${each.path}/`.startsWith(`${other.path}/`)))
        texts.push(`volume ${JSON.stringify(volume)} (${what}): overlapping paths: ${shown(each)} with ${shown(other)}`);
  }
}

function fractionWarning(texts: string[], path: string, amount: Quantity | undefined): void {
  if (amount === undefined || !isQuantity(amount)) return;
  const quantity = parseQuantity(amount);
  if (quantity.milliValue() % 1000 !== 0)
    texts.push(`${path}: fractional byte value ${JSON.stringify(quantity.toString())} is invalid, must be an integer`);
}

function profileWarnings(texts: string[], spec: PodSpec, annotations: Record<string, string>, at: string, isPod: boolean): void {
  const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod';
  const seccomp = 'non-functional in v1.27+; use the "seccompProfile" field instead';
  if (!spec.securityContext?.seccompProfile && annotations[seccompPod] !== undefined)
    texts.push(`${at}metadata.annotations[${seccompPod}]: ${seccomp}`);
  for (const [container] of containersOf(spec, '')) {
    const key = `container.seccomp.security.alpha.kubernetes.io/${container.name}`;
    if (!container.securityContext?.seccompProfile && annotations[key] !== undefined)
      texts.push(`${at}metadata.annotations[${key}]: ${seccomp}`);
    const appArmor = `${appArmorContainer}${container.name}`;
    if (!isPod && !container.securityContext?.appArmorProfile && annotations[appArmor] !== undefined)
      texts.push(`${at}metadata.annotations[${appArmor}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
  }
}

function envWarnings(texts: string[], env: readonly { name: string; value?: string; valueFrom?: object }[], path: string): void {
  const names = new Set<string>();
  for (const [index, { name, value = '', valueFrom }] of env.entries()) {
    const reference = `$(${name})`;
    if (names.has(name) && (valueFrom || value === reference || !value.includes(reference)))
      texts.push(`${path}.env[${index}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`);
    names.add(name);
  }
}

function portWarnings(texts: string[], spec: PodSpec, path: string): void {
  const taken = new Map<string, { path: string; port: ContainerPort }[]>();
  const names = new Map<string, string>();
  const named: string[] = [];
  for (const [container, at] of containersOf(spec, path))
    for (const [index, port] of (container.ports ?? []).entries()) {
      const place = `${at}.ports[${index}]`;
      const { hostIP = '', hostPort = 0 } = port;
      if (hostIP && !hostPort) texts.push(`${place}: hostIP set without hostPort: ${JSON.stringify(port)}`);
      const key = `${port.containerPort}/${port.protocol}`;
      const others = taken.get(key) ?? [];
      for (const other of others) {
        const otherIP = other.port.hostIP ?? '';
        const otherPort = other.port.hostPort ?? 0;
        if (hostIP === otherIP && hostPort === otherPort) texts.push(`${place}: duplicate port definition with ${other.path}`);
        else if (!hostPort || !otherPort) texts.push(`${place}: overlapping port definition with ${other.path}`);
        else if (hostPort === otherPort && (hostIP === '') !== (otherIP === ''))
          texts.push(`${place}: dangerously ambiguous port definition with ${other.path}`);
      }
      taken.set(key, [...others, { path: place, port }]);
      if (!port.name) continue;
      const first = names.get(port.name);
      if (first)
        named.push(
          `${place}: duplicate port name ${JSON.stringify(port.name)} with ${first}, services and probes that select ports by name will use ${first}`,
        );
      else names.set(port.name, place);
    }
  texts.push(...named);
}
