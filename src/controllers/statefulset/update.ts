import type { ControllerRevision, Pod, StatefulSet } from '#api';
import { Pod as PodKind } from '#api';
import { draft } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { ControllerContext } from '../contract.ts';
import { templateOf } from '../controller-revision.ts';
import { messageOf } from '../pod-control.ts';
import { isPodAvailable, isPodReady } from '../pods.ts';
import { slowStart } from '../slow-start.ts';
import { awaitsOldClaim, createClaims, ownClaims } from './claims.ts';
import {
  firstOrdinal,
  hasIdentity,
  hasStorage,
  isInRange,
  newPod,
  ordinalOf,
  replicas,
  revisionOf,
  setIdentity,
  setStorage,
} from './identity.ts';

export type StatefulSetStatus = NonNullable<StatefulSet['status']>;

const isCreated = (pod: Pod): boolean => pod.metadata!.uid !== undefined;
const isTerminating = (pod: Pod): boolean => pod.metadata!.deletionTimestamp !== undefined;
const hasEnded = (pod: Pod): boolean => pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
const isRunningAndReady = (pod: Pod): boolean => pod.status?.phase === 'Running' && isPodReady(pod);

/**
 * One pass over one StatefulSet: makes pods from the lowest ordinal up, removes them from the highest down, replaces those of an old revision from
 * the highest down; one at a time unless its policy is Parallel.
 * upstream: pkg/controller/statefulset/stateful_set_control.go updateStatefulSet.
 */
export class StatefulSetUpdate {
  readonly #context: ControllerContext;
  readonly #set: StatefulSet;
  readonly #current: ControllerRevision;
  readonly #update: ControllerRevision;
  readonly #replicas: Pod[] = [];
  readonly #condemned: Pod[];
  /** Pods that were not there when the pass began count from when they are made. */
  #removed = 0;

  constructor(context: ControllerContext, set: StatefulSet, pods: readonly Pod[], current: ControllerRevision, update: ControllerRevision) {
    this.#context = context;
    this.#set = set;
    this.#current = current;
    this.#update = update;
    const byOrdinal = new Map(pods.filter((pod) => isInRange(set, pod)).map((pod) => [ordinalOf(pod), pod]));
    const first = firstOrdinal(set);
    for (let ordinal = first; ordinal < first + replicas(set); ordinal++)
      this.#replicas.push(byOrdinal.get(ordinal) ?? this.#newPod(ordinal));
    this.#condemned = pods.filter((pod) => !isInRange(set, pod) && ordinalOf(pod) >= 0).toSorted((a, b) => ordinalOf(b) - ordinalOf(a));
  }

  /** A pod below the partition, or one that was not updated yet, is made of the current revision. */
  #newPod(ordinal: number): Pod {
    const set = this.#set;
    const { updateStrategy } = set.spec!;
    const kept = updateStrategy?.rollingUpdate
      ? (updateStrategy.rollingUpdate.partition ?? 0)
      : updateStrategy?.type === 'RollingUpdate'
        ? (set.status?.currentReplicas ?? 0)
        : 0;
    const revision = ordinal < firstOrdinal(set) + kept ? this.#current : this.#update;
    return newPod(set, templateOf(revision), ordinal, revision.metadata!.name!);
  }

  #isAvailable(pod: Pod): boolean {
    return isPodAvailable(pod, this.#set.spec!.minReadySeconds ?? 0, this.#context.clock.now());
  }

  status(collisions: number): StatefulSetStatus {
    const pods = [...this.#replicas, ...this.#condemned];
    const count = (when: (pod: Pod) => boolean): number => pods.filter((pod) => isCreated(pod) && when(pod)).length;
    const current = this.#current.metadata!.name!;
    const update = this.#update.metadata!.name!;
    const status: StatefulSetStatus = {
      observedGeneration: this.#set.metadata!.generation!,
      replicas: count(() => true),
      readyReplicas: count(isRunningAndReady),
      availableReplicas: count((pod) => isRunningAndReady(pod) && this.#isAvailable(pod)),
      currentReplicas: count((pod) => !isTerminating(pod) && revisionOf(pod) === current) - this.#removed,
      updatedReplicas: count((pod) => !isTerminating(pod) && revisionOf(pod) === update),
      currentRevision: current,
      updateRevision: update,
      collisionCount: collisions,
      ...(this.#set.status?.conditions && { conditions: this.#set.status.conditions }),
    };
    const wanted = replicas(this.#set);
    if (
      this.#set.spec!.updateStrategy?.type !== 'OnDelete' &&
      status.updatedReplicas === wanted &&
      status.readyReplicas === wanted &&
      status.replicas === wanted
    ) {
      status.currentReplicas = status.updatedReplicas!;
      status.currentRevision = update;
    }
    return status;
  }

  async run(): Promise<void> {
    if (this.#set.metadata!.deletionTimestamp) return;
    const monotonic = this.#set.spec!.podManagementPolicy !== 'Parallel';
    const isUnavailable = (pod: Pod): boolean => !this.#isAvailable(pod) || isTerminating(pod);
    const firstUnavailable = [...this.#replicas, ...this.#condemned.toReversed()].find(isUnavailable);
    /** True: this pass ends here. */
    const forAll = async (pods: readonly Pod[], work: (pod: Pod, index: number) => Promise<boolean>): Promise<boolean> => {
      if (monotonic) {
        for (const [index, pod] of pods.entries()) if (await work(pod, index)) return true;
        return false;
      }
      const { error } = await slowStart(pods.length, async (index) => void (await work(pods[index]!, index)));
      if (error) throw error;
      return false;
    };
    if (await forAll(this.#replicas, (pod, index) => this.#keep(pod, index, monotonic))) return;
    if (
      await forAll(this.#condemned, async (pod) => {
        await ownClaims(this.#context, this.#set, pod);
        return false;
      })
    )
      return;
    if (await forAll(this.#condemned, (pod) => this.#condemn(pod, monotonic, firstUnavailable))) return;
    if (this.#set.spec!.updateStrategy?.type === 'OnDelete') return;
    const partition = this.#set.spec!.updateStrategy?.rollingUpdate?.partition ?? 0;
    for (let index = this.#replicas.length - 1; index >= Math.max(0, partition - firstOrdinal(this.#set)); index--) {
      const pod = this.#replicas[index]!;
      if (revisionOf(pod) !== this.#update.metadata!.name && !isTerminating(pod)) {
        await this.#delete(pod);
        if (revisionOf(pod) === this.#current.metadata!.name) this.#removed++;
        return;
      }
      if (isUnavailable(pod)) return;
    }
  }

  /** Makes or mends one pod that should be there. True: the ones after it must wait. */
  async #keep(pod: Pod, index: number, monotonic: boolean): Promise<boolean> {
    const set = this.#set;
    if (hasEnded(pod)) {
      if (!isTerminating(pod)) await this.#delete(pod);
      return true;
    }
    if (!isCreated(pod)) {
      if (awaitsOldClaim(this.#context, set, pod)) return true;
      this.#replicas[index] = await this.#create(pod);
      return monotonic;
    }
    if (pod.status?.phase === 'Pending') await createClaims(this.#context, set, pod);
    if (monotonic && (isTerminating(pod) || !isRunningAndReady(pod) || !this.#isAvailable(pod))) {
      await ownClaims(this.#context, set, pod);
      return true;
    }
    await ownClaims(this.#context, set, pod);
    if (!hasIdentity(set, pod) || !hasStorage(set, pod)) await this.#mend(pod);
    return false;
  }

  async #condemn(pod: Pod, monotonic: boolean, firstUnavailable: Pod | undefined): Promise<boolean> {
    if (isTerminating(pod)) return monotonic;
    if (monotonic && pod !== firstUnavailable && (!isRunningAndReady(pod) || !this.#isAvailable(pod))) return true;
    await this.#delete(pod);
    return true;
  }

  #record(verb: string, pod: Pod, error?: unknown): void {
    const about = `${verb} Pod ${pod.metadata!.name} in StatefulSet ${this.#set.metadata!.name}`;
    if (error === undefined) this.#context.events.event(this.#set, 'Normal', `Successful${verb}`, `${about} successful`);
    else this.#context.events.event(this.#set, 'Warning', `Failed${verb}`, `${about} failed error: ${messageOf(error)}`);
  }

  async #create(pod: Pod): Promise<Pod> {
    try {
      await createClaims(this.#context, this.#set, pod);
      const created = await this.#context.client.create(PodKind, pod);
      await ownClaims(this.#context, this.#set, created);
      this.#record('Create', pod);
      return created;
    } catch (error) {
      this.#record('Create', pod, error);
      throw error;
    }
  }

  async #delete(pod: Pod): Promise<void> {
    try {
      await this.#context.client.delete(PodKind, pod.metadata as { namespace: string; name: string });
      this.#record('Delete', pod);
    } catch (error) {
      if (isNotFound(error)) return;
      this.#record('Delete', pod, error);
      throw error;
    }
  }

  async #mend(pod: Pod): Promise<void> {
    const next = draft(pod);
    setIdentity(next);
    if (!hasStorage(this.#set, next)) {
      setStorage(this.#set, next);
      await createClaims(this.#context, this.#set, next);
    }
    try {
      await this.#context.client.update(PodKind, next);
      this.#record('Update', pod);
    } catch (error) {
      this.#record('Update', pod, error);
      throw error;
    }
  }
}
