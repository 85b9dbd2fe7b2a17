import type { Deployment, ReplicaSet } from '#api';
import { Deployment as DeploymentKind, ReplicaSet as ReplicaSetKind } from '#api';
import { timestamp } from '#machinery/clock';
import { controllerOf, draft, equal } from '#machinery/meta';
import { isAlreadyExists, isNotFound } from '#machinery/status';
import type { PodTemplateSpec } from '../api-types.ts';
import { conditionOf, withCondition } from '../conditions.ts';
import type { ControllerContext, Result } from '../contract.ts';
import { controllerReference } from '../owner.ts';
import { isNamespaceTerminating, messageOf } from '../pod-control.ts';
import { templateHash } from '../template-hash.ts';
import { needsScaleAnnotations, newSetAnnotations, scaleAnnotations } from './annotations.ts';
import * as sets from './replica-sets.ts';
import type { DeploymentStatus } from './replica-sets.ts';
import { calculateStatus, condition, hasDeadline, nextProgressCheck, progressing, rolloutStatus } from './status.ts';

/** One pass over one Deployment: what it knows, and the steps that strategies are made of. upstream: pkg/controller/deployment/sync.go. */
export class Rollout {
  readonly context: ControllerContext;
  /** A private copy: its status is kept up with what was written. */
  deployment: Deployment;
  /** Its ReplicaSets, as last written or seen. */
  readonly all: ReplicaSet[];
  newSet: ReplicaSet | undefined;

  constructor(context: ControllerContext, deployment: Deployment, owned: readonly ReplicaSet[]) {
    this.context = context;
    this.deployment = draft(deployment);
    this.all = [...owned];
    this.newSet = sets.findNew(deployment, owned);
  }

  get oldSets(): ReplicaSet[] {
    return this.all.filter((set) => set.metadata!.uid !== this.newSet?.metadata!.uid);
  }

  #now(): string {
    return timestamp(this.context.clock);
  }

  #replace(next: ReplicaSet): void {
    const index = this.all.findIndex((set) => set.metadata!.uid === next.metadata!.uid);
    if (index < 0) this.all.push(next);
    else this.all[index] = next;
    if (this.newSet?.metadata!.uid === next.metadata!.uid) this.newSet = next;
  }

  async writeStatus(status: DeploymentStatus): Promise<void> {
    this.deployment = draft(await this.context.client.updateStatus(DeploymentKind, { ...this.deployment, status }));
  }

  /** Notes the revision of the new ReplicaSet on the Deployment, and that it was found or made, where progress is watched. */
  async #noteNewSet(reason: string, message: string, always: boolean): Promise<void> {
    const revision = this.newSet!.metadata!.annotations?.[sets.revisionAnnotation] ?? '';
    const current = this.deployment.metadata!.annotations?.[sets.revisionAnnotation];
    const note = hasDeadline(this.deployment) && (always || !progressing(this.deployment));
    if (current === revision && !note) return;
    this.deployment.metadata!.annotations = { ...this.deployment.metadata!.annotations, [sets.revisionAnnotation]: revision };
    const status = this.deployment.status ?? {};
    const conditions = note
      ? withCondition(status.conditions, condition(this.#now(), 'Progressing', 'True', reason, message))
      : status.conditions;
    await this.writeStatus({ ...status, ...(conditions && { conditions }) });
  }

  /** Brings the new ReplicaSet's annotations and revision up to date; makes it where it is missing and `create` says so. */
  async syncNewSet(create: boolean): Promise<void> {
    const newest = this.oldSets.toSorted(sets.byRevision).at(-1);
    const revision = (newest ? sets.revisionOf(newest) : 0n) + 1n;
    const existing = this.newSet;
    if (!existing) {
      if (create) await this.#createNewSet(revision);
      return;
    }
    const annotations = newSetAnnotations(this.deployment, existing, revision);
    const minReadySeconds = this.deployment.spec!.minReadySeconds ?? 0;
    if (!equal(annotations, existing.metadata!.annotations ?? {}) || (existing.spec!.minReadySeconds ?? 0) !== minReadySeconds) {
      const next = draft(existing);
      next.metadata!.annotations = annotations;
      next.spec!.minReadySeconds = minReadySeconds;
      this.#replace(await this.context.client.update(ReplicaSetKind, next));
    }
    await this.#noteNewSet('FoundNewReplicaSet', `Found new replica set "${existing.metadata!.name}"`, false);
  }

  async #createNewSet(revision: bigint): Promise<void> {
    const { deployment, context } = this;
    const { name, namespace } = deployment.metadata!;
    const hash = templateHash(deployment.spec!.template, deployment.status?.collisionCount);
    const template: PodTemplateSpec = draft(deployment.spec!.template);
    template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [sets.hashLabel]: hash } };
    const wanted: ReplicaSet = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${name!.slice(0, 253 - 1 - hash.length)}-${hash}`,
        namespace: namespace!,
        labels: { ...template.metadata.labels },
        ownerReferences: [controllerReference(DeploymentKind, deployment)],
      },
      spec: {
        replicas: 0,
        ...(deployment.spec!.minReadySeconds && { minReadySeconds: deployment.spec!.minReadySeconds }),
        selector: {
          ...draft(deployment.spec!.selector),
          matchLabels: { ...deployment.spec!.selector.matchLabels, [sets.hashLabel]: hash },
        },
        template,
      },
    };
    const count = sets.newReplicas(deployment, [...this.all, wanted], wanted);
    wanted.spec!.replicas = count;
    wanted.metadata!.annotations = { ...newSetAnnotations(deployment, wanted, revision), ...scaleAnnotations(deployment) };
    let created: ReplicaSet;
    let existed = false;
    try {
      created = await context.client.create(ReplicaSetKind, wanted);
    } catch (error) {
      if (isAlreadyExists(error)) {
        const found = await context.client.get(ReplicaSetKind, { namespace: namespace!, name: wanted.metadata!.name! });
        if (controllerOf(found)?.uid === deployment.metadata!.uid && sets.sameTemplate(found.spec!.template!, deployment.spec!.template)) {
          // A lagging cache: it is ours already.
          created = found;
          existed = true;
        } else {
          // Another template has the same hash: with the count in it the next hash differs.
          await this.writeStatus({ ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 });
          throw error;
        }
      } else {
        if (!isNamespaceTerminating(error)) {
          const message = `Failed to create new replica set "${wanted.metadata!.name}": ${messageOf(error)}`;
          context.events.event(deployment, 'Warning', 'ReplicaSetCreateError', message);
          if (hasDeadline(deployment))
            await this.writeStatus({
              ...deployment.status,
              conditions: withCondition(
                deployment.status?.conditions,
                condition(this.#now(), 'Progressing', 'False', 'ReplicaSetCreateError', message),
              ),
            });
        }
        throw error;
      }
    }
    this.newSet = created;
    this.#replace(created);
    if (!existed && count > 0)
      context.events.event(deployment, 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${created.metadata!.name} from 0 to ${count}`);
    await this.#noteNewSet('NewReplicaSetCreated', `Created new replica set "${created.metadata!.name}"`, !existed);
  }

  /** Sets a ReplicaSet's size (or only its annotations); answers whether the size changed. */
  async scale(set: ReplicaSet, count: number): Promise<boolean> {
    const before = sets.replicas(set);
    if (before === count && !needsScaleAnnotations(set, this.deployment)) return false;
    const next = draft(set);
    next.spec!.replicas = count;
    next.metadata!.annotations = { ...next.metadata!.annotations, ...scaleAnnotations(this.deployment) };
    this.#replace(await this.context.client.update(ReplicaSetKind, next));
    if (before === count) return false;
    const direction = before < count ? 'up' : 'down';
    this.context.events.event(
      this.deployment,
      'Normal',
      'ScalingReplicaSet',
      `Scaled ${direction} replica set ${set.metadata!.name} from ${before} to ${count}`,
    );
    return true;
  }

  async scaleIfNeeded(set: ReplicaSet, count: number): Promise<boolean> {
    return sets.replicas(set) === count ? false : this.scale(set, count);
  }

  /** Deletes old empty ReplicaSets beyond the history limit, oldest revision first. */
  async cleanUp(): Promise<void> {
    const limit = this.deployment.spec!.revisionHistoryLimit;
    if (limit === undefined || limit === 2 ** 31 - 1) return;
    const old = this.oldSets.filter((set) => !set.metadata!.deletionTimestamp);
    for (const set of old.toSorted(sets.byRevision).slice(0, Math.max(0, old.length - limit))) {
      const unseen = (set.metadata!.generation ?? 0) > (set.status?.observedGeneration ?? 0);
      if ((set.status?.replicas ?? 0) !== 0 || sets.replicas(set) !== 0 || unseen) continue;
      await this.context.client.delete(ReplicaSetKind, set.metadata as { namespace: string; name: string }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }

  /** Only what is true now, without a judgement of progress. */
  async syncStatus(): Promise<void> {
    const status = calculateStatus(this.deployment, this.all, this.newSet, this.#now());
    if (!sets.sameStatus(this.deployment.status, status)) await this.writeStatus(status);
  }

  async syncRolloutStatus(): Promise<Result | undefined> {
    const status = rolloutStatus(this.deployment, this.all, this.newSet, this.#now(), this.context.clock.now());
    if (!sets.sameStatus(this.deployment.status, status)) await this.writeStatus(status);
    const requeueAfter = nextProgressCheck(this.deployment, status, this.context.clock.now());
    return requeueAfter === undefined ? undefined : { requeueAfter };
  }

  /** Says with an Unknown condition that progress is not judged while paused. upstream: checkPausedConditions. */
  async notePause(): Promise<void> {
    if (!hasDeadline(this.deployment)) return;
    const current = conditionOf(this.deployment.status?.conditions, 'Progressing');
    if (current?.reason === 'ProgressDeadlineExceeded') return;
    const noted = current?.reason === 'DeploymentPaused';
    const paused = this.deployment.spec!.paused === true;
    if (paused === noted) return;
    const next = paused
      ? condition(this.#now(), 'Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused')
      : condition(this.#now(), 'Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed');
    await this.writeStatus({ ...this.deployment.status, conditions: withCondition(this.deployment.status?.conditions, next) });
  }
}
