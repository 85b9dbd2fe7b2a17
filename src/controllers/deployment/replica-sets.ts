import type { Deployment, ReplicaSet } from '#api';
import { equal } from '#machinery/meta';
import type { PodTemplateSpec } from '../api-types.ts';
import { scaledValue } from '../int-or-percent.ts';
import { canonicalJson } from '../template-hash.ts';

/** Questions about a Deployment and its ReplicaSets. upstream: pkg/controller/deployment/util/deployment_util.go. */

export const hashLabel = 'pod-template-hash';
export const revisionAnnotation = 'deployment.kubernetes.io/revision';
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas';
export const rollbackAnnotation = 'deprecated.deployment.rollback.to';
export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';

export const replicas = (object: Deployment | ReplicaSet): number => object.spec?.replicas ?? 1;
export const available = (set: ReplicaSet): number => set.status?.availableReplicas ?? 0;
export const sum = (sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number =>
  sets.reduce((total, set) => total + of(set), 0);
export const active = (sets: readonly ReplicaSet[]): ReplicaSet[] => sets.filter((set) => replicas(set) > 0);

const byCreation = (a: ReplicaSet, b: ReplicaSet): number => {
  const [one, other] = [a.metadata?.creationTimestamp ?? '', b.metadata?.creationTimestamp ?? ''];
  if (one !== other) return one < other ? -1 : 1;
  return a.metadata!.name! < b.metadata!.name! ? -1 : 1;
};
export const oldestFirst = (sets: readonly ReplicaSet[]): ReplicaSet[] => sets.toSorted(byCreation);
export const newestFirst = (sets: readonly ReplicaSet[]): ReplicaSet[] => sets.toSorted((a, b) => byCreation(b, a));

export const isRolling = (deployment: Deployment): boolean => deployment.spec?.strategy?.type !== 'Recreate';

/** How many pods more, and how many fewer, than asked for there may be. Never both zero: nothing could move then. */
function fences(deployment: Deployment): { surge: number; unavailable: number } {
  const rolling = deployment.spec?.strategy?.rollingUpdate;
  const total = replicas(deployment);
  const surge = scaledValue(rolling?.maxSurge, total, true);
  const unavailable = scaledValue(rolling?.maxUnavailable, total, false);
  return surge === 0 && unavailable === 0 ? { surge: 0, unavailable: 1 } : { surge, unavailable };
}

export const maxSurge = (deployment: Deployment): number => (isRolling(deployment) ? fences(deployment).surge : 0);
export const maxUnavailable = (deployment: Deployment): number =>
  !isRolling(deployment) || replicas(deployment) === 0 ? 0 : Math.min(fences(deployment).unavailable, replicas(deployment));

const canonical = new WeakMap<object, string>();

/** A template as text, without its hash label; kept for stored templates, which never change. */
function textOf(template: PodTemplateSpec): string {
  const known = canonical.get(template);
  if (known !== undefined) return known;
  const { [hashLabel]: _, ...labels } = template.metadata?.labels ?? {};
  const text = canonicalJson({ ...template, metadata: { ...template.metadata, labels, creationTimestamp: undefined } });
  if (Object.isFrozen(template)) canonical.set(template, text);
  return text;
}

export const sameTemplate = (a: PodTemplateSpec, b: PodTemplateSpec): boolean => textOf(a) === textOf(b);

/** The ReplicaSet of the Deployment's template: the oldest one, should there be several. */
export const findNew = (deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined =>
  oldestFirst(sets).find((set) => sameTemplate(set.spec!.template!, deployment.spec!.template));

const wholeNumber = (text: string | undefined): number | undefined => (text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined);

/** An int64 upstream: beyond what a number holds exactly. */
export function revisionOf(set: ReplicaSet): bigint {
  const text = set.metadata?.annotations?.[revisionAnnotation];
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : 0n;
}

/** For sorting, the smaller first. */
export const byRevision = (a: ReplicaSet, b: ReplicaSet): number => {
  const [left, right] = [revisionOf(a), revisionOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
};

export const desiredOf = (set: ReplicaSet): number | undefined => wholeNumber(set.metadata?.annotations?.[desiredReplicasAnnotation]);
export const maxOf = (set: ReplicaSet): number | undefined => wholeNumber(set.metadata?.annotations?.[maxReplicasAnnotation]);

/** The only ReplicaSet with pods, or the newest where none has; undefined where several have. */
export function activeOrLatest(newSet: ReplicaSet | undefined, oldSets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const sets = active(newSet ? [...newestFirst(oldSets), newSet] : newestFirst(oldSets));
  if (sets.length === 0) return newSet ?? newestFirst(oldSets)[0];
  return sets.length === 1 ? sets[0] : undefined;
}

export const isSaturated = (deployment: Deployment, set: ReplicaSet | undefined): boolean =>
  set !== undefined &&
  replicas(set) === replicas(deployment) &&
  desiredOf(set) === replicas(deployment) &&
  available(set) === replicas(deployment);

/** How many replicas the new ReplicaSet may have now. */
export function newReplicas(deployment: Deployment, sets: readonly ReplicaSet[], newSet: ReplicaSet): number {
  const wanted = replicas(deployment);
  if (!isRolling(deployment)) return wanted;
  const room = wanted + scaledValue(deployment.spec?.strategy?.rollingUpdate?.maxSurge, wanted, true) - sum(sets, replicas);
  return room <= 0 ? replicas(newSet) : replicas(newSet) + Math.min(room, wanted - replicas(newSet));
}

/** The share of `toAdd` (which may be negative) that a ReplicaSet gets when a Deployment is scaled in the middle of a rollout. */
export function proportion(set: ReplicaSet, deployment: Deployment, toAdd: number, added: number): number {
  if (replicas(set) === 0 || toAdd === 0 || toAdd === added) return 0;
  const share = (): number => {
    if (replicas(deployment) === 0) return -replicas(set);
    const before = maxOf(set) || (deployment.status?.replicas ?? 0);
    if (before === 0) return 0;
    return Math.round((replicas(set) * (replicas(deployment) + maxSurge(deployment))) / before) - replicas(set);
  };
  return toAdd > 0 ? Math.min(share(), toAdd - added) : Math.max(share(), toAdd - added);
}

export type DeploymentStatus = NonNullable<Deployment['status']>;

/** Counters that are absent are zero. */
export const sameStatus = (a: DeploymentStatus | undefined, b: DeploymentStatus): boolean => {
  const whole = (status: DeploymentStatus | undefined): unknown => ({
    observedGeneration: 0,
    replicas: 0,
    updatedReplicas: 0,
    readyReplicas: 0,
    availableReplicas: 0,
    unavailableReplicas: 0,
    ...status,
    conditions: status?.conditions ?? [],
  });
  return equal(whole(a), whole(b));
};

export const isComplete = (deployment: Deployment, status: DeploymentStatus): boolean =>
  (status.updatedReplicas ?? 0) === replicas(deployment) &&
  (status.replicas ?? 0) === replicas(deployment) &&
  (status.availableReplicas ?? 0) === replicas(deployment) &&
  (status.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0);
