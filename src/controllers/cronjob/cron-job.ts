import type { CronJob, Job } from '#api';
import { CronJob as CronJobKind, Job as JobKind } from '#api';
import { controllerOf, draft, equal } from '#machinery/meta';
import { isAlreadyExists, isNotFound } from '#machinery/status';
import { isTrue } from '../conditions.ts';
import type { ControllerContext, ControllerFactory, Result } from '../contract.ts';
import { source } from '../contract.ts';
import { controlledBy, controllerReference, indexByController } from '../owner.ts';
import { isNamespaceTerminating, messageOf } from '../pod-control.ts';
import type { Schedule } from './schedule.ts';
import { formatInZone, parseSchedule, zoneOf } from './schedule.ts';

type CronJobStatus = NonNullable<CronJob['status']>;

/** Clocks may differ a little: we look again so long after the time. */
const padding = 100;

const isFinished = (job: Job): boolean => isTrue(job.status?.conditions, 'Complete') || isTrue(job.status?.conditions, 'Failed');
const goTime = (time: number): string => new Date(time).toUTCString().replace('GMT', '+0000');

interface Recent {
  earliest: number;
  /** The last time at which a Job should have been made, not after now. */
  due: number | undefined;
  missed: number;
}

/** upstream: pkg/controller/cronjob/utils.go mostRecentScheduleTime. */
export function mostRecent(cronJob: CronJob, now: number, schedule: Schedule, withDeadline: boolean): Recent {
  let earliest = Date.parse(cronJob.status?.lastScheduleTime ?? cronJob.metadata!.creationTimestamp!);
  const deadline = cronJob.spec!.startingDeadlineSeconds;
  if (withDeadline && deadline !== undefined) earliest = Math.max(earliest, now - deadline * 1000);
  const first = schedule.next(earliest);
  if (first === undefined) throw new Error('time difference between two schedules is less than 1 second');
  if (now < first) return { earliest, due: undefined, missed: 0 };
  const second = schedule.next(first);
  if (second === undefined || now < second) return { earliest, due: first, missed: 0 };
  const period = second - first;
  const missed = Math.floor((now - first) / period) + 1;
  let due: number | undefined;
  for (let time = schedule.next(first + (missed - 2) * period); time !== undefined && time <= now; time = schedule.next(time)) due = time;
  return { earliest, due, missed };
}

function untilNext(cronJob: CronJob, now: number, schedule: Schedule): Result | undefined {
  let from = now;
  try {
    const { earliest, due, missed } = mostRecent(cronJob, now, schedule, false);
    from = due ?? (missed === 0 ? earliest : now);
  } catch {
    // A schedule that makes no sense now may do so from now on.
  }
  const next = schedule.next(from);
  return next === undefined ? undefined : { requeueAfter: next + padding - now };
}

/** Makes Jobs when their time comes. upstream: pkg/controller/cronjob. */
export const cronJobController: ControllerFactory = () => ({
  name: 'cronjob-controller',
  serviceAccount: 'cronjob-controller',
  watches: [
    source(CronJobKind),
    source(JobKind, {
      keys: (job) => {
        const controller = controllerOf(job);
        return controller?.kind === 'CronJob' ? [`${job.metadata!.namespace}/${controller.name}`] : [];
      },
    }),
  ],
  setup(context) {
    indexByController(context.lister(JobKind));
  },
  async reconcile(context, key) {
    const cronJob = context.lister(CronJobKind).get(key);
    if (!cronJob) return;
    const jobs = controlledBy(context.lister(JobKind), cronJob);
    const run = new CronJobRun(context, cronJob);
    let result: Result | undefined;
    try {
      result = await run.sync(jobs);
    } finally {
      await run.writeStatus();
    }
    await cleanUp(context, cronJob, jobs);
    return result;
  },
});

class CronJobRun {
  readonly #context: ControllerContext;
  readonly #cronJob: CronJob;
  #status: CronJobStatus;
  #before: CronJobStatus | undefined;
  #resourceVersion: string;

  constructor(context: ControllerContext, cronJob: CronJob) {
    this.#context = context;
    this.#cronJob = cronJob;
    this.#before = cronJob.status;
    this.#status = draft(cronJob.status ?? {});
    this.#resourceVersion = cronJob.metadata!.resourceVersion!;
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(this.#cronJob, type, reason, message);
  }

  async writeStatus(): Promise<void> {
    const whole = (status: CronJobStatus | undefined): unknown => ({ ...status, active: status?.active ?? [] });
    if (equal(whole(this.#status), whole(this.#before))) return;
    if (this.#status.active?.length === 0) delete this.#status.active;
    const metadata = { ...this.#cronJob.metadata, resourceVersion: this.#resourceVersion };
    const written = await this.#context.client.updateStatus(CronJobKind, { ...this.#cronJob, metadata, status: this.#status });
    this.#resourceVersion = written.metadata!.resourceVersion!;
    this.#before = written.status;
    this.#status = draft(written.status ?? {});
  }

  #dropActive(uid: string): void {
    this.#status.active = (this.#status.active ?? []).filter((each) => each.uid !== uid);
  }

  #isActive(job: Job): boolean {
    return this.#status.active?.some((each) => each.uid === job.metadata!.uid) === true;
  }

  async #noteJobs(jobs: readonly Job[]): Promise<void> {
    const { namespace, name } = this.#cronJob.metadata!;
    const ref = { namespace: namespace!, name: name! };
    for (const job of jobs) {
      const { uid, name: jobName } = job.metadata!;
      if (isFinished(job)) {
        const complete = isTrue(job.status?.conditions, 'Complete');
        if (this.#isActive(job)) {
          this.#dropActive(uid!);
          this.#event('Normal', 'SawCompletedJob', `Saw completed job: ${jobName}, condition: ${complete ? 'Complete' : 'Failed'}`);
        }
        const { completionTime } = job.status!;
        if (complete && completionTime && completionTime > (this.#status.lastSuccessfulTime ?? ''))
          this.#status.lastSuccessfulTime = completionTime;
      } else if (!this.#isActive(job)) {
        // The cache of CronJobs may lag behind the one of Jobs.
        const fresh = await this.#context.client.get(CronJobKind, ref);
        if (fresh.status?.active?.some((each) => each.uid === uid)) {
          this.#before = fresh.status;
          this.#status = draft(fresh.status);
          this.#resourceVersion = fresh.metadata!.resourceVersion!;
        } else this.#event('Warning', 'UnexpectedJob', `Saw a job that the controller did not create or forgot: ${jobName}`);
      }
    }
    const known = new Set(jobs.map((job) => job.metadata!.uid));
    for (const each of this.#status.active ?? []) {
      if (known.has(each.uid)) continue;
      try {
        await this.#context.client.get(JobKind, { namespace: each.namespace!, name: each.name! });
      } catch (error) {
        if (!isNotFound(error)) throw error;
        this.#event('Normal', 'MissingJob', `Active job went missing: ${each.name}`);
        this.#dropActive(each.uid!);
      }
    }
  }

  async sync(jobs: readonly Job[]): Promise<Result | undefined> {
    const { context } = { context: this.#context };
    const { spec, metadata } = this.#cronJob;
    await this.#noteJobs(jobs);
    if (metadata!.deletionTimestamp) return undefined;
    const timeZone = spec!.timeZone ?? '';
    try {
      zoneOf(timeZone);
    } catch (error) {
      this.#event('Warning', 'UnknownTimeZone', `invalid timeZone: "${timeZone}": ${messageOf(error)}`);
      return undefined;
    }
    if (spec!.suspend) return undefined;
    let schedule: Schedule;
    try {
      schedule = parseSchedule(spec!.schedule, timeZone);
    } catch (error) {
      this.#event('Warning', 'UnparseableSchedule', `unparseable schedule: "${spec!.schedule}" : ${messageOf(error)}`);
      return undefined;
    }
    const now = context.clock.now();
    const current = { ...this.#cronJob, status: this.#status };
    let recent: Recent;
    try {
      recent = mostRecent(current, now, schedule, true);
    } catch (error) {
      this.#event('Warning', 'InvalidSchedule', `invalid schedule: ${spec!.schedule} : ${messageOf(error)}`);
      return undefined;
    }
    const { due, missed } = recent;
    if (due === undefined) return untilNext(current, now, schedule);
    if (missed > 100)
      this.#event(
        'Warning',
        'TooManyMissedTimes',
        'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
      );
    if (spec!.startingDeadlineSeconds !== undefined && due + spec!.startingDeadlineSeconds * 1000 < now) {
      this.#event('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${goTime(due)}`);
      return untilNext(current, now, schedule);
    }
    const name = `${metadata!.name}-${Math.floor(due / 60_000)}`;
    const done = this.#status.lastScheduleTime !== undefined && Date.parse(this.#status.lastScheduleTime) === due;
    if (done || this.#status.active?.some((each) => each.name === name)) return untilNext(current, now, schedule);
    if (spec!.concurrencyPolicy === 'Forbid' && this.#status.active?.length) {
      this.#event('Normal', 'JobAlreadyActive', 'Not starting job because prior execution is running and concurrency policy is Forbid');
      return untilNext(current, now, schedule);
    }
    if (spec!.concurrencyPolicy === 'Replace') await this.#deleteActive();
    await this.#start(name, due, timeZone);
    return untilNext({ ...this.#cronJob, status: this.#status }, now, schedule);
  }

  async #deleteActive(): Promise<void> {
    for (const each of this.#status.active ?? []) {
      try {
        await this.#context.client.delete(JobKind, { namespace: each.namespace!, name: each.name! }, { propagationPolicy: 'Background' });
        this.#event('Normal', 'SuccessfulDelete', `Deleted job ${each.name}`);
      } catch (error) {
        if (!isNotFound(error)) {
          this.#event('Warning', 'FailedDelete', `Deleted job: ${messageOf(error)}`);
          throw error;
        }
      }
      this.#dropActive(each.uid!);
    }
  }

  async #start(name: string, due: number, timeZone: string): Promise<void> {
    const { jobTemplate } = this.#cronJob.spec!;
    const { labels, annotations } = jobTemplate.metadata ?? {};
    const namespace = this.#cronJob.metadata!.namespace!;
    let job: Job;
    try {
      job = await this.#context.client.create(JobKind, {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: {
          name,
          namespace,
          ...(labels && { labels: { ...labels } }),
          annotations: { ...annotations, 'batch.kubernetes.io/cronjob-scheduled-timestamp': formatInZone(due, timeZone) },
          ownerReferences: [controllerReference(CronJobKind, this.#cronJob)],
        },
        spec: draft(jobTemplate.spec!),
      });
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      if (!isAlreadyExists(error)) {
        this.#event('Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
        throw error;
      }
      const existing = await this.#context.client.get(JobKind, { namespace, name });
      if (controllerOf(existing)?.uid !== this.#cronJob.metadata!.uid) {
        this.#event('Warning', 'FailedCreate', `CronJobJob already exists: ${messageOf(error)}`);
        throw error;
      }
      if (isFinished(existing)) {
        this.#status.lastScheduleTime = `${new Date(due).toISOString().slice(0, 19)}Z`;
        return;
      }
      job = existing;
    }
    const { uid, resourceVersion } = job.metadata!;
    if (!this.#isActive(job)) {
      this.#event('Normal', 'SuccessfulCreate', `Created job ${name}`);
      this.#status.active = [
        ...(this.#status.active ?? []),
        { kind: 'Job', namespace, name, uid: uid!, apiVersion: 'batch/v1', resourceVersion: resourceVersion! },
      ];
    }
    this.#status.lastScheduleTime = `${new Date(due).toISOString().slice(0, 19)}Z`;
  }
}

/** Deletes the oldest finished Jobs beyond the history limits. */
async function cleanUp(context: ControllerContext, cronJob: CronJob, jobs: readonly Job[]): Promise<void> {
  if (cronJob.metadata!.deletionTimestamp) return;
  const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = cronJob.spec!;
  for (const [type, limit] of [
    ['Complete', successfulJobsHistoryLimit],
    ['Failed', failedJobsHistoryLimit],
  ] as const) {
    if (limit === undefined) continue;
    const finished = jobs
      .filter((job) => isTrue(job.status?.conditions, type) && !job.metadata!.deletionTimestamp)
      .toSorted((a, b) => {
        const [one, other] = [a.status?.startTime ?? '9', b.status?.startTime ?? '9'];
        return one < other ? -1 : one > other ? 1 : a.metadata!.name! < b.metadata!.name! ? -1 : 1;
      });
    for (const job of finished.slice(0, Math.max(0, finished.length - limit)))
      try {
        await context.client.delete(JobKind, job.metadata as { namespace: string; name: string }, { propagationPolicy: 'Background' });
        context.events.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${job.metadata!.name}`);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
  }
}
