/** What creating and updating a pod resets. upstream: pkg/registry/core/pod/strategy.go, pkg/api/pod/util.go (dropped fields). */
import type {
  Container,
  ContainerStatus,
  EphemeralContainer,
  LabelSelector,
  Pod,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
} from '../facts/types.ts';
import type { StrategyContext } from '../contract.ts';
import { keepMetadata, keepSpec, keepStatus, timeOf } from '../strategy.ts';
import { appArmorFromAnnotations } from './app-armor.ts';
import { qosClass } from './resource-list.ts';

export function prepareForCreate(pod: Pod, context: StrategyContext): void {
  const spec = pod.spec!;
  pod.status = { phase: 'Pending', qosClass: qosClass(pod) };
  if (pod.metadata) pod.metadata.generation = 1;
  dropDisabledFields(spec);
  if (spec.schedulingGates?.length)
    pod.status.conditions = [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'SchedulingGated',
        message: 'Scheduling is blocked due to non-empty scheduling gates',
        lastProbeTime: null as never,
        lastTransitionTime: timeOf(context.now),
      },
    ];
  mergeLabelKeys(pod);
  appArmorFromAnnotations(pod);
}

export function prepareForUpdate(pod: Pod, old: Pod): void {
  keepStatus(pod, old);
  dropDisabledFields(pod.spec!, old.spec);
}

/** matchLabelKeys become requirements of the selector beside them. upstream: mutatePodAffinity, mutateTopologySpreadConstraints. */
function mergeLabelKeys(pod: Pod): void {
  const labels = pod.metadata?.labels;
  const { affinity, topologySpreadConstraints } = pod.spec!;
  for (const side of [affinity?.podAffinity, affinity?.podAntiAffinity]) {
    for (const { podAffinityTerm } of side?.preferredDuringSchedulingIgnoredDuringExecution ?? []) mergeTerm(podAffinityTerm, labels);
    for (const term of side?.requiredDuringSchedulingIgnoredDuringExecution ?? []) mergeTerm(term, labels);
  }
  for (const { labelSelector, matchLabelKeys } of topologySpreadConstraints ?? []) mergeKeys(labelSelector, matchLabelKeys, 'In', labels);
}

function mergeTerm(term: PodAffinityTerm | undefined, labels: Record<string, string> | undefined): void {
  if (!term) return;
  mergeKeys(term.labelSelector, term.matchLabelKeys, 'In', labels);
  mergeKeys(term.labelSelector, term.mismatchLabelKeys, 'NotIn', labels);
}

function mergeKeys(
  selector: LabelSelector | undefined,
  keys: string[] | undefined,
  operator: string,
  labels: Record<string, string> | undefined,
): void {
  if (!selector || !labels) return;
  for (const key of keys ?? []) {
    const value = labels[key];
    if (value !== undefined) (selector.matchExpressions ??= []).push({ key, operator, values: [value] });
  }
}

/** Fields behind feature gates that are off by default in v1.35 go away, unless the stored object has them already. Changes `spec`. */
export function dropDisabledFields(spec: PodSpec, old?: PodSpec): void {
  if (spec.workloadRef && !old?.workloadRef) delete spec.workloadRef;
  for (const volume of spec.volumes ?? [])
    for (const source of volume.projected?.sources ?? []) {
      if (source.clusterTrustBundle && !projects(old, 'clusterTrustBundle')) delete source.clusterTrustBundle;
      if (source.podCertificate && !projects(old, 'podCertificate')) delete source.podCertificate;
    }
  for (const containers of [spec.initContainers, spec.containers, spec.ephemeralContainers])
    for (const container of containers ?? []) {
      const { lifecycle } = container;
      if (!lifecycle?.stopSignal || usesStopSignal(old)) continue;
      delete lifecycle.stopSignal;
      if (!lifecycle.postStart && !lifecycle.preStop) delete container.lifecycle;
    }
}

const projects = (spec: PodSpec | undefined, source: 'clusterTrustBundle' | 'podCertificate'): boolean =>
  spec?.volumes?.some((volume) => volume.projected?.sources?.some((each) => each[source])) ?? false;

const usesStopSignal = (spec: PodSpec | undefined): boolean =>
  [spec?.initContainers, spec?.containers, spec?.ephemeralContainers].some((containers) =>
    containers?.some((container: Container | EphemeralContainer) => container.lifecycle?.stopSignal),
  );

/** The same for templates. upstream: DropDisabledTemplateFields. */
export function dropDisabledTemplateFields(template: PodTemplateSpec | undefined, old?: PodTemplateSpec): void {
  if (template?.spec) dropDisabledFields(template.spec, old?.spec);
}

export function prepareForStatusUpdate(pod: Pod, old: Pod): void {
  keepSpec(pod, old);
  const metadata = (pod.metadata ??= {});
  // Deletion is asked for with DELETE alone; the registry restores what is stored.
  delete metadata.deletionTimestamp;
  if (old.metadata?.deletionTimestamp) metadata.deletionTimestamp = old.metadata.deletionTimestamp;
  if (old.metadata?.ownerReferences) metadata.ownerReferences = old.metadata.ownerReferences;
  else delete metadata.ownerReferences;
  const status = (pod.status ??= {});
  const before = old.status ?? {};
  if (!status.qosClass && before.qosClass) status.qosClass = before.qosClass;
  if (!status.observedGeneration && before.observedGeneration) status.observedGeneration = before.observedGeneration;
  keepObservedGenerations(status.conditions, before.conditions);
  if (!before.resources) delete status.resources;
  if (!before.allocatedResources) delete status.allocatedResources;
  if (!before.extendedResourceClaimStatus) delete status.extendedResourceClaimStatus;
  for (const statuses of [status.initContainerStatuses, status.containerStatuses, status.ephemeralContainerStatuses])
    for (const container of statuses ?? ([] as ContainerStatus[])) delete container.allocatedResourcesStatus;
}

type Conditions = NonNullable<Pod['status']>['conditions'];

/** Old clients do not know conditions' observedGeneration and would drop it. upstream: preserveOldObservedGeneration. */
function keepObservedGenerations(conditions: Conditions, old: Conditions): void {
  if (!conditions || !old) return;
  const taken = new Map<string, number>();
  for (const condition of conditions) {
    const nth = taken.get(condition.type) ?? 0;
    taken.set(condition.type, nth + 1);
    if (condition.observedGeneration) continue;
    let seen = 0;
    const before = old.find((each) => each.type === condition.type && seen++ === nth);
    if (before?.observedGeneration) condition.observedGeneration = before.observedGeneration;
  }
}

/** Only the ephemeral containers may change. */
export function prepareForEphemeralContainers(pod: Pod, old: Pod): void {
  const asked = pod.spec?.ephemeralContainers;
  pod.spec = { ...old.spec! };
  if (asked) pod.spec.ephemeralContainers = asked;
  else delete pod.spec.ephemeralContainers;
  keepStatus(pod, old);
  keepMetadata(pod, old);
  dropDisabledFields(pod.spec, old.spec);
}

/** Only the resources and resize policies of containers may change; a change of the containers themselves is left for validation to refuse. */
export function prepareForResize(pod: Pod, old: Pod): void {
  const spec = pod.spec!;
  const before = old.spec!;
  const sameCount =
    (spec.containers?.length ?? 0) === (before.containers?.length ?? 0) &&
    (spec.initContainers?.length ?? 0) === (before.initContainers?.length ?? 0);
  if (!sameCount) return;
  pod.spec = { ...before, containers: resized(spec.containers ?? [], before.containers ?? []) };
  if (spec.initContainers?.length) pod.spec.initContainers = resized(spec.initContainers, before.initContainers ?? []);
  keepStatus(pod, old);
  keepMetadata(pod, old);
}

function resized(containers: Container[], old: Container[]): Container[] {
  if (containers.some((container, index) => container.name !== old[index]!.name)) return containers;
  return containers.map((container, index) => {
    const result = { ...old[index]! };
    if (container.resources) result.resources = container.resources;
    else delete result.resources;
    if (container.resizePolicy) result.resizePolicy = container.resizePolicy;
    else delete result.resizePolicy;
    return result;
  });
}

/** upstream: podStrategy.CheckGracefulDelete. */
export function gracePeriod(pod: Pod, asked: number | undefined): number {
  if (!pod.spec?.nodeName || pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return 0;
  const period = asked ?? pod.spec.terminationGracePeriodSeconds ?? 0;
  return period < 0 ? 1 : period;
}
