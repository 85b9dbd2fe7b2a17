import type { Job, Pod } from '#api';
import { draft } from '#machinery/meta';
import type { PodTemplateSpec } from '../api-types.ts';
import { readyCondition } from '../pods.ts';
import { judgeFailure } from './policies.ts';

/** Questions about a Job and its pods. upstream: pkg/controller/job/{indexed_job_utils,backoff_utils,job_controller}.go. */

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
export const indexAnnotation = 'batch.kubernetes.io/job-completion-index';
export const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count';
export const ignoredFailureCountAnnotation = 'batch.kubernetes.io/job-index-ignored-failure-count';

export const isTracked = (pod: Pod): boolean => pod.metadata!.finalizers?.includes(trackingFinalizer) === true;
export const isIndexed = (job: Job): boolean => job.spec!.completionMode === 'Indexed';
export const isSuspended = (job: Job): boolean => job.spec!.suspend === true;
export const onlyReplacesFailed = (job: Job): boolean =>
  job.spec!.podReplacementPolicy === 'Failed' || job.spec!.podFailurePolicy !== undefined;

/** A pod that is being deleted has failed as well, unless such pods are waited for. */
export const hasFailed = (pod: Pod, job: Job): boolean =>
  pod.status?.phase === 'Failed' ||
  (!onlyReplacesFailed(job) && pod.metadata!.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded');
export const hasSucceeded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded';

const wholeNumber = (text: string | undefined): number | undefined => (text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined);

export const indexOf = (pod: Pod): number | undefined => wholeNumber(pod.metadata!.annotations?.[indexAnnotation]);
export const hasIndexWithin = (pod: Pod, job: Job): boolean => {
  const index = indexOf(pod);
  return index !== undefined && index < (job.spec!.completions ?? 0);
};

const failuresOf = (pod: Pod): number => wholeNumber(pod.metadata!.annotations?.[failureCountAnnotation]) ?? 0;
const ignoredFailuresOf = (pod: Pod): number => wholeNumber(pod.metadata!.annotations?.[ignoredFailureCountAnnotation]) ?? 0;
export const allFailuresOf = (pod: Pod): number => failuresOf(pod) + ignoredFailuresOf(pod);

/** Whether a pod's failure is the one too many for its index. */
export function failsIndex(pod: Pod, job: Job): boolean {
  if (!hasFailed(pod, job)) return false;
  const { counts, action } = judgeFailure(job.spec!.podFailurePolicy, pod);
  return action === 'FailIndex' || (counts && failuresOf(pod) >= job.spec!.backoffLimitPerIndex!);
}

/** When a pod ended, in milliseconds: by its containers, or else by the best that is known. */
export function finishedAt(pod: Pod): number {
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter((each) => each.restartPolicy === 'Always').map((each) => each.name));
  const statuses = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name)),
  ];
  const ends = statuses.map(({ state }) => state?.terminated?.finishedAt);
  if (ends.length > 0 && ends.every((end) => end !== undefined)) return Math.max(...ends.map((end) => Date.parse(end)));
  const ready = readyCondition(pod);
  if (ready?.status === 'False' && ready.lastTransitionTime) return Date.parse(ready.lastTransitionTime);
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, creationTimestamp } = pod.metadata!;
  if (deletionTimestamp) return Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  return Date.parse(creationTimestamp!);
}

/** How long to wait after so many failures, of which the last was then: 10 s, doubled each time, at most 10 min. */
export function failureBackOff(failures: number, last: number | undefined, now: number): number {
  if (failures === 0 || last === undefined) return 0;
  return Math.max(0, Math.min(10_000 * 2 ** Math.min(failures - 1, 10), 600_000) - (now - last));
}

/** The template of the pod for an index; `replaced`: the failed pod it comes after, whose failures it goes on counting. */
export function templateForIndex(job: Job, template: PodTemplateSpec, index: number, replaced: Pod | undefined): PodTemplateSpec {
  const next = draft(template);
  const metadata = (next.metadata ??= {});
  metadata.annotations = { ...metadata.annotations, [indexAnnotation]: String(index) };
  metadata.labels = { ...metadata.labels, [indexAnnotation]: String(index) };
  next.spec!.hostname = `${job.metadata!.name}-${index}`;
  for (const container of [...(next.spec!.initContainers ?? []), ...next.spec!.containers]) {
    if (container.env?.some(({ name }) => name === 'JOB_COMPLETION_INDEX')) continue;
    const fieldRef = { fieldPath: `metadata.labels['${indexAnnotation}']` };
    container.env = [...(container.env ?? []), { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef } }];
  }
  if (job.spec!.backoffLimitPerIndex === undefined) return next;
  let failures = replaced ? failuresOf(replaced) : 0;
  let ignored = replaced ? ignoredFailuresOf(replaced) : 0;
  if (replaced) {
    if (judgeFailure(job.spec!.podFailurePolicy, replaced).counts) failures++;
    else ignored++;
  }
  metadata.annotations[failureCountAnnotation] = String(failures);
  if (ignored > 0) metadata.annotations[ignoredFailureCountAnnotation] = String(ignored);
  return next;
}

/** "name-3-", cut to what generateName takes. */
export function generateNameForIndex(job: Job, index: number): string {
  const end = `-${index}-`;
  return job.metadata!.name!.slice(0, 58 - end.length) + end;
}
