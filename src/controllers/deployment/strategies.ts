import type { Pod, ReplicaSet } from '#api';
import { Deployment as DeploymentKind } from '#api';
import { draft } from '#machinery/meta';
import type { Result } from '../contract.ts';
import { isPodTerminal } from '../pods.ts';
import { rolledBackAnnotations } from './annotations.ts';
import * as sets from './replica-sets.ts';
import type { Rollout } from './rollout.ts';

/** Replaces pods a few at a time. upstream: pkg/controller/deployment/rolling.go. */
export async function rollingUpdate(rollout: Rollout): Promise<Result | undefined> {
  await rollout.syncNewSet(true);
  if (!(await scaleNew(rollout)) && !(await scaleOld(rollout)) && sets.isComplete(rollout.deployment, rollout.deployment.status ?? {}))
    await rollout.cleanUp();
  return rollout.syncRolloutStatus();
}

async function scaleNew(rollout: Rollout): Promise<boolean> {
  const { deployment, newSet } = rollout;
  const [have, want] = [sets.replicas(newSet!), sets.replicas(deployment)];
  if (have === want) return false;
  return rollout.scaleIfNeeded(newSet!, have > want ? want : sets.newReplicas(deployment, rollout.all, newSet!));
}

async function scaleOld(rollout: Rollout): Promise<boolean> {
  const { deployment, newSet } = rollout;
  const old = sets.oldestFirst(sets.active(rollout.oldSets));
  if (old.length === 0) return false;
  const minimum = sets.replicas(deployment) - sets.maxUnavailable(deployment);
  // Pods of the new set that are not available yet must not let old ones go.
  const room = sets.sum(rollout.all, sets.replicas) - minimum - (sets.replicas(newSet!) - sets.available(newSet!));
  if (room <= 0) return false;
  const targets = new Map(old.map((set) => [set, sets.replicas(set)]));
  let removed = 0;
  for (const set of old) {
    const unhealthy = Math.min(room - removed, sets.replicas(set) - sets.available(set));
    if (unhealthy <= 0) continue;
    targets.set(set, sets.replicas(set) - unhealthy);
    removed += unhealthy;
  }
  // Unhealthy pods went first; of the available ones, as many as are above the minimum.
  let spare = sets.sum(old, sets.available) + sets.available(newSet!) - minimum;
  for (const set of old) {
    const count = Math.min(targets.get(set)!, spare);
    if (count <= 0) continue;
    targets.set(set, targets.get(set)! - count);
    spare -= count;
    removed += count;
  }
  for (const [set, count] of targets) await rollout.scaleIfNeeded(set, count);
  return removed > 0;
}

/** Ends all old pods before it makes new ones. upstream: pkg/controller/deployment/recreate.go. */
export async function recreate(rollout: Rollout, podsOf: (set: ReplicaSet) => readonly Pod[]): Promise<Result | undefined> {
  await rollout.syncNewSet(false);
  let scaled = false;
  for (const set of sets.active(rollout.oldSets)) scaled = (await rollout.scale(set, 0)) || scaled;
  const oldPodsRun =
    sets.sum(rollout.oldSets, (set) => set.status?.replicas ?? 0) > 0 ||
    rollout.oldSets.some((set) => podsOf(set).some((pod) => !isPodTerminal(pod)));
  if (scaled || oldPodsRun) return rollout.syncRolloutStatus();
  if (!rollout.newSet) await rollout.syncNewSet(true);
  await rollout.scaleIfNeeded(rollout.newSet!, sets.replicas(rollout.deployment));
  if (sets.isComplete(rollout.deployment, rollout.deployment.status ?? {})) await rollout.cleanUp();
  return rollout.syncRolloutStatus();
}

/** True where the size asked for differs from what the ReplicaSets with pods were last scaled for. */
export function isScaling(rollout: Rollout): boolean {
  return sets.active(rollout.all).some((set) => {
    const desired = sets.desiredOf(set);
    return desired !== undefined && desired !== sets.replicas(rollout.deployment);
  });
}

/** Resizes without moving the rollout on: each ReplicaSet in proportion. upstream: pkg/controller/deployment/sync.go scale. */
export async function resize(rollout: Rollout): Promise<void> {
  const { deployment } = rollout;
  const only = sets.activeOrLatest(rollout.newSet, rollout.oldSets);
  if (only) {
    await rollout.scaleIfNeeded(only, sets.replicas(deployment));
    return;
  }
  if (sets.isSaturated(deployment, rollout.newSet)) {
    for (const set of sets.active(rollout.oldSets)) await rollout.scaleIfNeeded(set, 0);
    return;
  }
  if (!sets.isRolling(deployment)) return;
  const running = sets.active(rollout.all);
  const allowed = sets.replicas(deployment) > 0 ? sets.replicas(deployment) + sets.maxSurge(deployment) : 0;
  const toAdd = allowed - sets.sum(running, sets.replicas);
  // Larger ones first; of equal ones the newest grows first and the oldest shrinks first.
  const ordered = (toAdd < 0 ? sets.oldestFirst(running) : sets.newestFirst(running)).toSorted(
    (a, b) => sets.replicas(b) - sets.replicas(a),
  );
  let added = 0;
  const sizes = ordered.map((set) => {
    const share = sets.proportion(set, deployment, toAdd, added);
    added += share;
    return sets.replicas(set) + share;
  });
  if (toAdd !== 0 && sizes.length > 0) sizes[0] = Math.max(0, sizes[0]! + toAdd - added);
  for (const [index, set] of ordered.entries()) await rollout.scale(set, sizes[index]!);
}

/** Rolls back to the revision that the deprecated annotation names. upstream: pkg/controller/deployment/rollback.go. */
export async function rollBack(rollout: Rollout, revision: bigint): Promise<void> {
  const { deployment, context } = rollout;
  await rollout.syncNewSet(true);
  const update = async (change?: (next: typeof deployment) => void): Promise<void> => {
    const next = draft(rollout.deployment);
    const { [sets.rollbackAnnotation]: _, ...annotations } = next.metadata!.annotations ?? {};
    next.metadata!.annotations = annotations;
    change?.(next);
    await context.client.update(DeploymentKind, next);
  };
  const last = rollout.all.toSorted(sets.byRevision).at(-2);
  const wanted = revision === 0n ? (last ? sets.revisionOf(last) : 0n) : revision;
  if (wanted === 0n) {
    context.events.event(deployment, 'Warning', 'DeploymentRollbackRevisionNotFound', 'Unable to find last revision.');
    return update();
  }
  const set = rollout.all.find((each) => sets.revisionOf(each) === wanted);
  if (!set) {
    context.events.event(deployment, 'Warning', 'DeploymentRollbackRevisionNotFound', 'Unable to find the revision to rollback to.');
    return update();
  }
  const name = deployment.metadata!.name!;
  if (sets.sameTemplate(set.spec!.template!, deployment.spec!.template)) {
    const message = `The rollback revision contains the same template as current deployment "${name}"`;
    context.events.event(deployment, 'Warning', 'DeploymentRollbackTemplateUnchanged', message);
    return update();
  }
  await update((next) => {
    const template = draft(set.spec!.template!);
    delete template.metadata?.labels?.[sets.hashLabel];
    next.spec!.template = template;
    next.metadata!.annotations = rolledBackAnnotations(deployment, set);
  });
  context.events.event(deployment, 'Normal', 'DeploymentRollback', `Rolled back deployment "${name}" to revision ${wanted}`);
}
