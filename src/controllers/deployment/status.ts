import type { Deployment, ReplicaSet } from '#api';
import type { Condition } from '../api-types.ts';
import { conditionOf, withCondition, withoutCondition } from '../conditions.ts';
import type { DeploymentStatus } from './replica-sets.ts';
import { available, isComplete, maxUnavailable, replicas, sum } from './replica-sets.ts';

const hasDeadline = (deployment: Deployment): boolean => {
  const deadline = deployment.spec?.progressDeadlineSeconds;
  return deadline !== undefined && deadline !== 2 ** 31 - 1;
};

export const condition = (
  now: string,
  type: string,
  status: string,
  reason: string,
  message: string,
): Required<Pick<Condition, 'type' | 'status' | 'reason' | 'message' | 'lastTransitionTime' | 'lastUpdateTime'>> => ({
  type,
  status,
  lastUpdateTime: now,
  lastTransitionTime: now,
  reason,
  message,
});

export const progressing = (deployment: Deployment) => conditionOf(deployment.status?.conditions, 'Progressing');
export { hasDeadline };

/** Counters and the Available condition. upstream: pkg/controller/deployment/sync.go calculateStatus. */
export function calculateStatus(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  now: string,
): DeploymentStatus {
  const availableReplicas = sum(sets, available);
  const count = (field: 'replicas' | 'readyReplicas') => (set: ReplicaSet) => set.status?.[field] ?? 0;
  const minimum = availableReplicas >= replicas(deployment) - maxUnavailable(deployment);
  const unknown = sets.some((set) => set.status?.terminatingReplicas === undefined && (set.status?.observedGeneration ?? 0) > 0);
  const collisionCount = deployment.status?.collisionCount;
  return {
    observedGeneration: deployment.metadata?.generation ?? 0,
    replicas: sum(sets, count('replicas')),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: sum(sets, count('readyReplicas')),
    availableReplicas,
    unavailableReplicas: Math.max(0, sum(sets, replicas) - availableReplicas),
    ...(!unknown && { terminatingReplicas: sum(sets, (set) => set.status?.terminatingReplicas ?? 0) }),
    ...(collisionCount !== undefined && { collisionCount }),
    conditions: withCondition<Condition>(
      deployment.status?.conditions,
      minimum
        ? condition(now, 'Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
        : condition(now, 'Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'),
    ) as NonNullable<DeploymentStatus['conditions']>,
  };
}

const hasProgressed = (old: DeploymentStatus, next: DeploymentStatus): boolean =>
  (next.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
  (next.replicas ?? 0) - (next.updatedReplicas ?? 0) < (old.replicas ?? 0) - (old.updatedReplicas ?? 0) ||
  (next.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
  (next.availableReplicas ?? 0) > (old.availableReplicas ?? 0);

/** The status during a rollout, with its progress. upstream: pkg/controller/deployment/progress.go. */
export function rolloutStatus(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
  now: string,
  milliseconds: number,
): DeploymentStatus {
  const status = calculateStatus(deployment, sets, newSet, now);
  let conditions: Condition[] = status.conditions ?? [];
  if (!hasDeadline(deployment)) conditions = withoutCondition(conditions, 'Progressing');
  const current = progressing(deployment);
  const wasComplete = status.replicas === status.updatedReplicas && current?.reason === 'NewReplicaSetAvailable';
  const subject = newSet ? `ReplicaSet "${newSet.metadata!.name}"` : `Deployment "${deployment.metadata!.name}"`;
  if (hasDeadline(deployment) && !wasComplete) {
    if (isComplete(deployment, status))
      conditions = withCondition<Condition>(
        conditions,
        condition(now, 'Progressing', 'True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`),
      );
    else if (hasProgressed(deployment.status ?? {}, status)) {
      // Progress of the same kind moves the time of update, which withCondition leaves alone.
      const next: Condition = condition(now, 'Progressing', 'True', 'ReplicaSetUpdated', `${subject} is progressing.`);
      if (current?.status === 'True') next.lastTransitionTime = current.lastTransitionTime ?? now;
      conditions = [...withoutCondition(conditions, 'Progressing'), next];
    } else if (hasTimedOut(deployment, milliseconds))
      conditions = withCondition<Condition>(
        conditions,
        condition(now, 'Progressing', 'False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`),
      );
  }
  const failure = [newSet, ...sets].flatMap((set) => set?.status?.conditions ?? []).find((each) => each.type === 'ReplicaFailure');
  conditions = failure
    ? withCondition<Condition>(conditions, { ...failure, lastUpdateTime: failure.lastTransitionTime ?? now })
    : withoutCondition(conditions, 'ReplicaFailure');
  return { ...status, conditions };
}

function hasTimedOut(deployment: Deployment, now: number): boolean {
  const current = progressing(deployment);
  if (!current || current.reason === 'NewReplicaSetAvailable') return false;
  if (current.reason === 'ProgressDeadlineExceeded') return true;
  return deadlineOf(deployment, current) < now;
}

const deadlineOf = (deployment: Deployment, current: Condition): number =>
  Date.parse(current.lastUpdateTime ?? '') + deployment.spec!.progressDeadlineSeconds! * 1000;

/** Milliseconds until lack of progress must be looked for again; undefined when it need not. upstream: requeueStuckDeployment. */
export function nextProgressCheck(deployment: Deployment, status: DeploymentStatus, now: number): number | undefined {
  const current = conditionOf(status.conditions as Condition[] | undefined, 'Progressing');
  if (!hasDeadline(deployment) || !current) return undefined;
  if (isComplete(deployment, status) || current.reason === 'ProgressDeadlineExceeded') return undefined;
  const after = deadlineOf(deployment, current) - now;
  return after < 1000 ? 200 : after + 1000;
}
