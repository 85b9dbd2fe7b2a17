import type { Job, Pod } from '#api';
import { Job as JobKind, Pod as PodKind } from '#api';
import { timestamp } from '#machinery/clock';
import { draft, equal, keyOf } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { Condition } from '../api-types.ts';
import { conditionOf, isTrue } from '../conditions.ts';
import type { ControllerContext, Result } from '../contract.ts';
import type { Expectations } from '../expectations.ts';
import { createPod, deletePod, isNamespaceTerminating, podFromTemplate } from '../pod-control.ts';
import { inDeletionOrder, isPodActive, isPodReady, isPodTerminating } from '../pods.ts';
import { slowStart } from '../slow-start.ts';
import { IndexSet } from './index-intervals.ts';
import {
  allFailuresOf,
  failsIndex,
  failureBackOff,
  finishedAt,
  generateNameForIndex,
  hasFailed,
  hasIndexWithin,
  hasSucceeded,
  indexOf,
  isIndexed,
  isSuspended,
  isTracked,
  onlyReplacesFailed,
  templateForIndex,
  trackingFinalizer,
} from './job-pods.ts';
import { judgeFailure, matchSuccess } from './policies.ts';

type JobStatus = NonNullable<Job['status']>;

/** So many pods are made, deleted or counted in one go. */
const most = 500;

/** Failures since the last success, and when the last one was. */
export interface FailureRecord {
  count: number;
  last?: number;
}

export interface JobMemory {
  expectations: Expectations;
  /** Pods whose finalizer was taken off, which the cache has not shown yet. */
  released: Set<string>;
  failures: FailureRecord | undefined;
  setFailures(record: FailureRecord): void;
  /** The Job was found finished; the cache has not shown it yet. */
  finished(): void;
}

/**
 * One pass over one Job. Pods are counted through a finalizer: first their uids are noted in the status, then the finalizer goes, then the
 * counters grow; so that no pod is lost or counted twice, whenever the controller stops.
 * upstream: pkg/controller/job/job_controller.go syncJob.
 */
export class JobSync {
  readonly #context: ControllerContext;
  readonly #memory: JobMemory;
  readonly #key: string;
  readonly #pods: readonly Pod[];
  #job: Job;
  #status: JobStatus;
  #active: Pod[];
  #activeCount: number;
  #ready: number;
  #terminating: number;
  #succeeded = 0;
  #failed = 0;
  #finished: Condition | undefined;
  #oldSucceededIndexes = IndexSet.of([]);
  #succeededIndexes = IndexSet.of([]);
  #failedIndexes: IndexSet | undefined;
  /** By index: the failed pod that stays until its replacement carries on its count. */
  #delayed = new Map<number, Pod>();
  #failures: FailureRecord;
  #requeue: number | undefined;

  constructor(context: ControllerContext, job: Job, pods: readonly Pod[], memory: JobMemory) {
    this.#context = context;
    this.#memory = memory;
    this.#key = keyOf(job);
    this.#job = job;
    this.#pods = isIndexed(job) ? pods.toSorted((a, b) => (indexOf(a) ?? -1) - (indexOf(b) ?? -1)) : pods;
    this.#status = draft(job.status ?? {});
    this.#active = this.#pods.filter(isPodActive);
    this.#activeCount = this.#active.length;
    this.#ready = this.#active.filter(isPodReady).length;
    this.#terminating = this.#pods.filter(isPodTerminating).length;
    this.#failures = memory.failures ?? { count: 0 };
  }

  #condition(type: string, reason: string, message: string, status = 'True'): Condition {
    const now = timestamp(this.#context.clock);
    return { type, status, lastProbeTime: now, lastTransitionTime: now, reason, message };
  }

  #again(milliseconds: number): void {
    this.#requeue = Math.min(this.#requeue ?? Infinity, milliseconds);
  }

  /** A pod whose end is not accounted for yet. */
  #isUnaccounted(pod: Pod, counted: readonly string[]): boolean {
    if (!isTracked(pod) || this.#memory.released.has(pod.metadata!.uid!) || counted.includes(pod.metadata!.uid!)) return false;
    return !isIndexed(this.#job) || hasIndexWithin(pod, this.#job);
  }

  async run(): Promise<Result | undefined> {
    const job = this.#job;
    const spec = job.spec!;
    const status = this.#status;
    const unseen = this.#memory.expectations.remaining(this.#key);
    const uncounted = { succeeded: status.uncountedTerminatedPods?.succeeded ?? [], failed: status.uncountedTerminatedPods?.failed ?? [] };
    const newSucceeded = this.#pods.filter((pod) => this.#isUnaccounted(pod, uncounted.succeeded) && hasSucceeded(pod));
    const newFailed = this.#pods.filter((pod) => this.#isUnaccounted(pod, uncounted.failed) && hasFailed(pod, job));
    const counting = newFailed.filter((pod) => judgeFailure(spec.podFailurePolicy, pod).counts);
    this.#succeeded = (status.succeeded ?? 0) + newSucceeded.length + uncounted.succeeded.length;
    this.#failed = (status.failed ?? 0) + counting.length + uncounted.failed.length;
    if (!status.startTime && !isSuspended(job)) status.startTime = timestamp(this.#context.clock);
    this.#noteFailures(newSucceeded, newFailed);
    this.#judge();
    if (isIndexed(job)) this.#judgeIndexes();

    let problem: unknown;
    let suspensionChanged = false;
    if (this.#finished) {
      const deleted = await this.#deletePods(this.#active, false);
      // Not finished while pods may be missing from the cache or could not be deleted.
      if (deleted.error || deleted.count !== this.#active.length || unseen > 0) this.#finished = undefined;
      problem = deleted.error;
    } else {
      const mayManage = unseen === 0 && !job.metadata!.deletionTimestamp;
      if (mayManage) problem = await this.#manage();
      const complete =
        this.#activeCount === 0 && (spec.completions === undefined ? this.#succeeded > 0 : this.#succeeded >= spec.completions);
      if (complete)
        this.#finished = this.#condition('SuccessCriteriaMet', 'CompletionsReached', 'Reached expected number of succeeded pods');
      else if (mayManage) suspensionChanged = this.#noteSuspension();
    }
    const before = job.status ?? {};
    const changed =
      suspensionChanged ||
      this.#activeCount !== (before.active ?? 0) ||
      this.#ready !== before.ready ||
      this.#terminating !== before.terminating ||
      status.startTime !== before.startTime;
    if (this.#activeCount > 0) status.active = this.#activeCount;
    else delete status.active;
    status.ready = this.#ready;
    status.terminating = this.#terminating;
    await this.#account(changed);
    if (problem) throw problem;
    if (unseen > 0) this.#again(unseen);
    return this.#requeue === undefined ? undefined : { requeueAfter: this.#requeue };
  }

  /** Failures since the last success, for the back-off before the next pod. */
  #noteFailures(succeeded: readonly Pod[], failed: readonly Pod[]): void {
    const lastSuccess = succeeded.length ? Math.max(...succeeded.map(finishedAt)) : undefined;
    const later = failed.map(finishedAt).filter((time) => lastSuccess === undefined || time > lastSuccess);
    if (lastSuccess !== undefined) this.#failures = { count: 0 };
    if (later.length) this.#failures = { count: this.#failures.count + later.length, last: Math.max(...later) };
  }

  /** Decides whether the Job is over, by what was decided before and by its failures. */
  #judge(): void {
    const { spec } = this.#job;
    const { conditions } = this.#status;
    const met = conditionOf(conditions, 'SuccessCriteriaMet');
    if (met?.status === 'True') {
      this.#finished = met;
      return;
    }
    const target = conditionOf(conditions, 'FailureTarget');
    if (target?.status === 'True') {
      this.#finished = this.#condition('Failed', target.reason!, target.message!);
      return;
    }
    for (const pod of spec!.podFailurePolicy ? this.#pods : []) {
      const message = hasFailed(pod, this.#job) ? judgeFailure(spec!.podFailurePolicy, pod).failJob : undefined;
      if (message === undefined) continue;
      this.#finished = this.#condition('FailureTarget', 'PodFailurePolicy', message);
      return;
    }
    const deadline = spec!.activeDeadlineSeconds;
    if (this.#failed > (spec!.backoffLimit ?? 6) || this.#hasRestartedTooOften())
      this.#finished = this.#condition('FailureTarget', 'BackoffLimitExceeded', 'Job has reached the specified backoff limit');
    else if (deadline !== undefined && !isSuspended(this.#job)) {
      const left = Date.parse(this.#status.startTime!) + deadline * 1000 - this.#context.clock.now();
      if (left <= 0) this.#finished = this.#condition('FailureTarget', 'DeadlineExceeded', 'Job was active longer than specified deadline');
      else this.#again(left);
    }
  }

  #hasRestartedTooOften(): boolean {
    const spec = this.#job.spec!;
    if (spec.template.spec?.restartPolicy !== 'OnFailure') return false;
    let restarts = 0;
    for (const { status } of this.#pods)
      if (status?.phase === 'Running' || status?.phase === 'Pending')
        for (const each of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) restarts += each.restartCount;
    const limit = spec.backoffLimit ?? 6;
    return limit === 0 ? restarts > 0 : restarts >= limit;
  }

  #judgeIndexes(): void {
    const job = this.#job;
    const spec = job.spec!;
    const completions = spec.completions!;
    const indexesOf = (when: (pod: Pod) => boolean): IndexSet =>
      IndexSet.of(this.#pods.filter((pod) => hasIndexWithin(pod, job) && isTracked(pod) && when(pod)).map((pod) => indexOf(pod)!));
    this.#oldSucceededIndexes = IndexSet.parse(this.#status.completedIndexes, completions);
    this.#succeededIndexes = this.#oldSucceededIndexes.with(indexesOf(hasSucceeded));
    this.#succeeded = this.#succeededIndexes.size;
    if (spec.backoffLimitPerIndex !== undefined) {
      const failed = IndexSet.parse(this.#status.failedIndexes, completions).with(indexesOf((pod) => failsIndex(pod, job)));
      this.#failedIndexes = failed;
      if (!this.#finished) {
        if (spec.maxFailedIndexes !== undefined && failed.size > spec.maxFailedIndexes)
          this.#finished = this.#condition(
            'FailureTarget',
            'MaxFailedIndexesExceeded',
            'Job has exceeded the specified maximal number of failed indexes',
          );
        else if (failed.size > 0 && failed.size + this.#succeeded >= completions)
          this.#finished = this.#condition('FailureTarget', 'FailedIndexes', 'Job has failed indexes');
      }
      this.#noteDelayed(failed);
    }
    if (this.#finished) return;
    const message = matchSuccess(spec.successPolicy, completions, this.#succeededIndexes);
    if (message !== undefined) this.#finished = this.#condition('SuccessCriteriaMet', 'SuccessPolicy', message);
  }

  #noteDelayed(failed: IndexSet): void {
    const busy = new Set(this.#active.map(indexOf));
    for (const pod of this.#pods) {
      const index = indexOf(pod);
      if (index === undefined || !this.#isUnaccounted(pod, []) || !hasFailed(pod, this.#job)) continue;
      if (this.#succeededIndexes.has(index) || failed.has(index) || busy.has(index)) continue;
      const last = this.#delayed.get(index);
      if (!last || (allFailuresOf(last) <= allFailuresOf(pod) && finishedAt(pod) >= finishedAt(last))) this.#delayed.set(index, pod);
    }
  }

  /** Deletes pods; `release` takes their finalizer off first, so that they are not counted. */
  async #deletePods(pods: readonly Pod[], release: boolean): Promise<{ count: number; error: unknown }> {
    let error: unknown;
    let count = 0;
    await Promise.all(
      pods.map(async (pod) => {
        try {
          if (release && isTracked(pod)) await this.#release(pod);
          await deletePod(this.#context, this.#job, pod);
        } catch (cause) {
          if (release) this.#memory.expectations.deletionObserved(this.#key, keyOf(pod));
          if (!isNotFound(cause)) {
            error ??= cause;
            return;
          }
        }
        count++;
        if (isPodReady(pod)) this.#ready--;
      }),
    );
    this.#activeCount -= count;
    this.#terminating += count;
    return { count, error };
  }

  async #release(pod: Pod): Promise<void> {
    const body = { metadata: { '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] } };
    await this.#context.client.patch(PodKind, pod.metadata as { namespace: string; name: string }, 'strategic', body);
  }

  /** Makes or deletes pods so that as many run as should. Answers the first failure. */
  async #manage(): Promise<unknown> {
    const job = this.#job;
    const spec = job.spec!;
    const parallelism = spec.parallelism ?? 1;
    let wanted = parallelism;
    if (isSuspended(job)) wanted = 0;
    else if (spec.completions === undefined) wanted = this.#succeeded > 0 ? this.#activeCount : parallelism;
    else wanted = Math.max(0, Math.min(spec.completions - this.#succeeded, parallelism));
    const surplus = this.#surplus(Math.max(0, this.#activeCount - wanted)).slice(0, isSuspended(job) ? undefined : most);
    if (surplus.length) {
      this.#memory.expectations.expectDeletions(this.#key, surplus.map(keyOf));
      return (await this.#deletePods(surplus, true)).error;
    }
    if (isSuspended(job)) return undefined;
    const missing = wanted - (onlyReplacesFailed(job) ? this.#terminating : 0) - this.#activeCount;
    return missing > 0 ? this.#create(Math.min(missing, most)) : undefined;
  }

  /** At least `count` active pods to delete; of Indexed Jobs all that have no index, one out of range, or one that another has. */
  #surplus(count: number): Pod[] {
    const order = (pods: readonly Pod[]): Pod[] => inDeletionOrder(pods, () => 0, this.#context.clock.now());
    let left = this.#active;
    const surplus: Pod[] = [];
    if (isIndexed(this.#job)) {
      const byIndex = new Map<number, Pod[]>();
      for (const pod of this.#active) {
        if (!hasIndexWithin(pod, this.#job)) surplus.push(pod);
        else byIndex.set(indexOf(pod)!, [...(byIndex.get(indexOf(pod)!) ?? []), pod]);
      }
      left = [];
      for (const pods of byIndex.values()) {
        const ordered = order(pods);
        left.push(ordered.pop()!);
        surplus.push(...ordered);
      }
    }
    if (surplus.length < count) surplus.push(...order(left).slice(0, count - surplus.length));
    return surplus;
  }

  async #create(count: number): Promise<unknown> {
    const job = this.#job;
    const now = this.#context.clock.now();
    const perIndex = job.spec!.backoffLimitPerIndex !== undefined;
    if (!perIndex) {
      const wait = failureBackOff(this.#failures.count, this.#failures.last, now);
      if (wait > 0) {
        this.#again(wait);
        return undefined;
      }
    }
    let indexes: number[] | undefined;
    if (isIndexed(job)) {
      const busy = onlyReplacesFailed(job) ? this.#pods.filter((pod) => isPodActive(pod) || isPodTerminating(pod)) : this.#active;
      const taken = IndexSet.of(busy.map(indexOf).filter((index) => index !== undefined))
        .with(this.#succeededIndexes)
        .with(this.#failedIndexes ?? IndexSet.of([]));
      indexes = taken.missing(count, job.spec!.completions!);
      if (perIndex) {
        const waits = new Map(
          indexes.map((index) => {
            const last = this.#delayed.get(index);
            return [index, last ? failureBackOff(allFailuresOf(last) + 1, finishedAt(last), now) : 0];
          }),
        );
        const later = [...waits.values()].filter((wait) => wait > 0);
        if (later.length) this.#again(Math.min(...later));
        indexes = indexes.filter((index) => waits.get(index) === 0);
      }
      if (indexes.length === 0) return undefined;
    }
    const total = indexes?.length ?? count;
    const finalizers = [...new Set([...(job.spec!.template.metadata?.finalizers ?? []), trackingFinalizer])];
    const template = { ...job.spec!.template, metadata: { ...job.spec!.template.metadata, finalizers } };
    const common = indexes ? undefined : podFromTemplate(template, job, JobKind);
    this.#memory.expectations.expectCreations(this.#key, total);
    this.#activeCount += total;
    const { succeeded, error } = await slowStart(total, async (attempt) => {
      let pod = common;
      if (!pod) {
        const index = indexes![attempt]!;
        pod = podFromTemplate(templateForIndex(job, template, index, this.#delayed.get(index)), job, JobKind);
        pod.metadata!.generateName = generateNameForIndex(job, index);
      }
      try {
        await createPod(this.#context, job, pod);
      } catch (cause) {
        if (!isNamespaceTerminating(cause)) throw cause;
      }
    });
    this.#activeCount -= total - succeeded;
    if (succeeded < total) this.#memory.expectations.creationObserved(this.#key, total - succeeded);
    return error;
  }

  /** Puts a condition in place; a False one only where it was True. Answers whether something changed. */
  #ensure(next: Condition): boolean {
    const conditions = (this.#status.conditions ?? []) as Condition[];
    const old = conditionOf(conditions, next.type);
    if (!old && next.status === 'False') return false;
    if (old && old.status === next.status && old.reason === next.reason && old.message === next.message) return false;
    this.#status.conditions = (old ? conditions.map((each) => (each === old ? next : each)) : [...conditions, next]) as never;
    return true;
  }

  #noteSuspension(): boolean {
    const suspended = isSuspended(this.#job);
    const [reason, message] = suspended ? ['JobSuspended', 'Job suspended'] : ['JobResumed', 'Job resumed'];
    if (!this.#ensure(this.#condition('Suspended', reason!, message!, suspended ? 'True' : 'False'))) return false;
    this.#context.events.event(this.#job, 'Normal', suspended ? 'Suspended' : 'Resumed', message!);
    if (suspended) delete this.#status.startTime;
    else this.#status.startTime = timestamp(this.#context.clock);
    return true;
  }

  async #write(): Promise<void> {
    this.#job = await this.#context.client.updateStatus(JobKind, { ...this.#job, status: this.#status });
    this.#status = draft(this.#job.status ?? {});
  }

  /** Notes ended pods in the status, takes their finalizers off, counts them, and says when the Job is finished. */
  async #account(changed: boolean): Promise<void> {
    const job = this.#job;
    let flush = changed;
    const succeeded = [...(this.#status.uncountedTerminatedPods?.succeeded ?? [])];
    const failed = [...(this.#status.uncountedTerminatedPods?.failed ?? [])];
    const tracked = new Set(
      this.#pods.filter((pod) => isTracked(pod) && !this.#memory.released.has(pod.metadata!.uid!)).map((pod) => pod.metadata!.uid!),
    );
    const toRelease: Pod[] = [];
    const newIndexes: number[] = [];
    let full = false;
    // Pods that were noted before and have lost their finalizer since.
    if (this.#count(succeeded, failed, tracked)) flush = true;
    for (const pod of this.#pods) {
      const uid = pod.metadata!.uid!;
      if (!tracked.has(uid)) continue;
      const isFailed = hasFailed(pod, job);
      const over = job.metadata!.deletionTimestamp !== undefined || this.#finished !== undefined || hasSucceeded(pod);
      if (!over && (!isFailed || this.#delayed.get(indexOf(pod) ?? -1)?.metadata!.uid === uid)) continue;
      toRelease.push(pod);
      if (hasSucceeded(pod) && !failed.includes(uid)) {
        if (isIndexed(job)) {
          if (hasIndexWithin(pod, job) && !this.#oldSucceededIndexes.has(indexOf(pod)!)) newIndexes.push(indexOf(pod)!);
        } else if (!succeeded.includes(uid)) succeeded.push(uid);
      } else if (isFailed || (this.#finished && this.#finished.type !== 'SuccessCriteriaMet')) {
        // When the Job is over, whatever has not ended has failed.
        const counts = judgeFailure(job.spec!.podFailurePolicy, pod).counts;
        if (!failed.includes(uid) && counts && (!isIndexed(job) || hasIndexWithin(pod, job))) failed.push(uid);
      }
      if (newIndexes.length + succeeded.length + failed.length >= most) {
        full = true;
        break;
      }
    }
    const uncounted = { ...(succeeded.length && { succeeded }), ...(failed.length && { failed }) };
    if (!equal(uncounted, this.#status.uncountedTerminatedPods ?? {})) {
      this.#status.uncountedTerminatedPods = uncounted;
      flush = true;
    }
    if (isIndexed(job)) {
      this.#succeededIndexes = this.#succeededIndexes.with(IndexSet.of(newIndexes));
      const text = this.#succeededIndexes.toString();
      if (text !== (this.#status.completedIndexes ?? '') || this.#succeededIndexes.size !== (this.#status.succeeded ?? 0)) flush = true;
      if (text) this.#status.completedIndexes = text;
      else delete this.#status.completedIndexes;
      this.#status.succeeded = this.#succeededIndexes.size;
      if (this.#failedIndexes && this.#failedIndexes.toString() !== this.#status.failedIndexes) {
        this.#status.failedIndexes = this.#failedIndexes.toString();
        flush = true;
      }
    }
    flush = this.#noteTarget() || flush;
    if (flush) {
      await this.#write();
      this.#memory.setFailures(this.#failures);
    }
    const problem = await this.#releaseAll(toRelease, tracked);
    const left = {
      succeeded: [...(this.#status.uncountedTerminatedPods?.succeeded ?? [])],
      failed: [...(this.#status.uncountedTerminatedPods?.failed ?? [])],
    };
    let pending = this.#count(left.succeeded, left.failed, tracked);
    if (pending)
      this.#status.uncountedTerminatedPods = {
        ...(left.succeeded.length && { succeeded: left.succeeded }),
        ...(left.failed.length && { failed: left.failed }),
      };
    const done =
      !problem && !full && this.#finished !== undefined && left.succeeded.length + left.failed.length === 0 && this.#terminating === 0;
    if (done) {
      this.#ensure(this.#finished!);
      if (this.#finished!.type === 'Complete') this.#status.completionTime = this.#finished!.lastTransitionTime!;
      pending = true;
    }
    if (pending) await this.#write();
    if (problem) throw problem;
    if (done) this.#announce();
  }

  /** The interim condition, written before finalizers go; after that the final one is due. */
  #noteTarget(): boolean {
    const finished = this.#finished;
    if (finished?.type === 'FailureTarget') {
      this.#status.conditions = [...(this.#status.conditions ?? []), finished] as never;
      this.#finished = this.#condition('Failed', finished.reason!, finished.message!);
      return true;
    }
    if (finished?.type !== 'SuccessCriteriaMet') return false;
    const isNew = !isTrue(this.#status.conditions, 'SuccessCriteriaMet');
    if (isNew) this.#status.conditions = [...(this.#status.conditions ?? []), finished] as never;
    this.#finished = this.#condition('Complete', finished.reason!, finished.message!);
    return isNew;
  }

  /** Moves uids that have lost their finalizer from the lists to the counters. */
  #count(succeeded: string[], failed: string[], tracked: ReadonlySet<string>): boolean {
    let changed = false;
    for (const [uids, field] of [
      [succeeded, 'succeeded'],
      [failed, 'failed'],
    ] as const) {
      const left = uids.filter((uid) => tracked.has(uid));
      if (left.length === uids.length) continue;
      this.#status[field] = (this.#status[field] ?? 0) + uids.length - left.length;
      uids.splice(0, uids.length, ...left);
      changed = true;
    }
    return changed;
  }

  async #releaseAll(pods: readonly Pod[], tracked: Set<string>): Promise<unknown> {
    let problem: unknown;
    await Promise.all(
      pods.map(async (pod) => {
        const uid = pod.metadata!.uid!;
        this.#memory.released.add(uid);
        try {
          await this.#release(pod);
        } catch (error) {
          this.#memory.released.delete(uid);
          if (!isNotFound(error)) {
            problem ??= error;
            return;
          }
        }
        tracked.delete(uid);
      }),
    );
    return problem;
  }

  #announce(): void {
    const { events } = this.#context;
    const { completions } = this.#job.spec!;
    this.#memory.finished();
    if (this.#finished!.type === 'Complete') {
      if (completions !== undefined && (this.#status.succeeded ?? 0) > completions)
        events.event(this.#job, 'Warning', 'TooManySucceededPods', 'Too many succeeded pods running after completion count reached');
      events.event(this.#job, 'Normal', 'Completed', 'Job completed');
    } else events.event(this.#job, 'Warning', this.#finished!.reason!, this.#finished!.message!);
  }
}
