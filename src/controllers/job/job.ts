import type { Job, Pod } from '#api';
import { Job as JobKind, Pod as PodKind } from '#api';
import { controllerOf, keyOf } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import { claim } from '../claim.ts';
import { isTrue } from '../conditions.ts';
import type { ControllerContext, ControllerFactory } from '../contract.ts';
import { source } from '../contract.ts';
import { Expectations } from '../expectations.ts';
import { controlledBy, indexByController, ownerKeys } from '../owner.ts';
import { matches } from '../selector.ts';
import { isTracked, trackingFinalizer } from './job-pods.ts';
import { JobSync } from './job-sync.ts';
import type { FailureRecord } from './job-sync.ts';

export const isFinished = (job: Job): boolean => isTrue(job.status?.conditions, 'Complete') || isTrue(job.status?.conditions, 'Failed');

const isOurs = (job: Job): boolean => (job.spec?.managedBy ?? 'kubernetes.io/job-controller') === 'kubernetes.io/job-controller';

/** Keys of pods that still have the finalizer though no Job counts them. */
const orphanPrefix = 'orphan ';
/** Changes of pods are looked at together: those of a Job often end at the same time. */
const batchPeriod = 20;

/** Runs Jobs to their end. upstream: pkg/controller/job. */
export const jobController: ControllerFactory = () => {
  let expectations: Expectations;
  const released = new Map<string, Set<string>>();
  const failures = new Map<string, FailureRecord>();
  const finished = new Set<string>();

  const jobOf = (pod: Pod, context: ControllerContext): Job | undefined => {
    const controller = controllerOf(pod);
    if (controller?.kind !== 'Job') return undefined;
    const job = context.lister(JobKind).get(`${pod.metadata!.namespace}/${controller.name}`);
    return job?.metadata!.uid === controller.uid ? job : undefined;
  };
  const ownersOf = (pod: Pod, context: ControllerContext): string[] =>
    ownerKeys(pod, JobKind, context.lister(JobKind), (job) => matches(job.spec?.selector)(pod.metadata!.labels));
  const keyByOwner = (pod: Pod): string | undefined => {
    const controller = controllerOf(pod);
    return controller?.kind === 'Job' ? `${pod.metadata!.namespace}/${controller.name}` : undefined;
  };
  const forget = (key: string): void => {
    expectations.forget(key);
    released.delete(key);
    failures.delete(key);
  };
  const releaseOrphan = async (context: ControllerContext, key: string): Promise<void> => {
    const pod = context.lister(PodKind).get(key);
    if (!pod || !isTracked(pod) || jobOf(pod, context) || (!controllerOf(pod) && ownersOf(pod, context).length > 0)) return;
    const body = { metadata: { '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] } };
    await context.client.patch(PodKind, pod.metadata as { namespace: string; name: string }, 'strategic', body).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  };

  return {
    name: 'job-controller',
    serviceAccount: 'job-controller',
    watches: [source(JobKind)],
    setup(context) {
      expectations = new Expectations(context.clock);
      const pods = indexByController(context.lister(PodKind));
      const enqueue = (pod: Pod): void => {
        const keys = ownersOf(pod, context);
        for (const key of keys) context.enqueue(key, batchPeriod);
        const controller = controllerOf(pod);
        const adoptable = !controller && keys.length > 0;
        if (isTracked(pod) && !adoptable && (!controller || controller.kind === 'Job') && !jobOf(pod, context))
          context.enqueue(orphanPrefix + keyOf(pod), batchPeriod);
      };
      const sawUntracked = (pod: Pod): void => {
        const key = keyByOwner(pod);
        if (key) released.get(key)?.delete(pod.metadata!.uid!);
      };
      const subscription = pods.on({
        added: (pod) => {
          const key = keyByOwner(pod);
          if (key) expectations.creationObserved(key);
          enqueue(pod);
        },
        updated: (pod, old) => {
          const key = keyByOwner(pod);
          if (key && pod.metadata!.deletionTimestamp) expectations.deletionObserved(key, keyOf(pod));
          if (!isTracked(pod)) sawUntracked(pod);
          enqueue(pod);
          if (controllerOf(old)?.uid !== controllerOf(pod)?.uid) enqueue(old);
        },
        deleted: (pod) => {
          const key = keyByOwner(pod);
          if (key) expectations.deletionObserved(key, keyOf(pod));
          sawUntracked(pod);
          if (key) context.enqueue(key, batchPeriod);
        },
      });
      return { [Symbol.asyncDispose]: async () => subscription[Symbol.dispose]() };
    },
    async reconcile(context, key) {
      if (key.startsWith(orphanPrefix)) return releaseOrphan(context, key.slice(orphanPrefix.length));
      const job = context.lister(JobKind).get(key);
      if (!job) {
        forget(key);
        // Pods of a Job that went without waiting for them.
        for (const pod of context.lister(PodKind).list(key.split('/')[0]))
          if (isTracked(pod) && keyByOwner(pod) === key) await releaseOrphan(context, keyOf(pod));
        return;
      }
      if (!isOurs(job)) return;
      const uid = job.metadata!.uid!;
      if (isFinished(job)) {
        failures.delete(key);
        finished.delete(uid);
        return;
      }
      if (finished.has(uid)) return;
      const { completionMode } = job.spec!;
      if (completionMode && completionMode !== 'NonIndexed' && completionMode !== 'Indexed') {
        context.events.event(job, 'Warning', 'UnknownCompletionMode', 'Skipped Job sync because completion mode is unknown');
        return;
      }
      const pods = await claim(
        {
          client: context.client,
          kind: PodKind,
          owner: job,
          ownerKind: JobKind,
          selector: matches(job.spec!.selector),
          finalizers: [trackingFinalizer],
        },
        controlledBy(context.lister(PodKind), job, true),
      );
      let gone = released.get(key);
      if (!gone) released.set(key, (gone = new Set()));
      const sync = new JobSync(context, job, pods, {
        expectations,
        released: gone,
        failures: failures.get(key),
        setFailures: (record) => void failures.set(key, record),
        finished: () => void finished.add(uid),
      });
      return sync.run();
    },
  };
};
