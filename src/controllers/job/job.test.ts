import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Job, Pod } from '#api';
import { Job as JobKind, Pod as PodKind } from '#api';
import { timestamp } from '#machinery/clock';
import type { Harness } from '../testing/harness.ts';
import { harness } from '../testing/harness.ts';
import { IndexSet } from './index-intervals.ts';
import { jobController } from './job.ts';

const controllers = [jobController];
const key = 'default/job';
const job = (spec: object = {}): Job => ({
  metadata: { name: 'job', namespace: 'default' },
  spec: {
    parallelism: 1,
    completions: 1,
    backoffLimit: 6,
    completionMode: 'NonIndexed',
    selector: { matchLabels: { job: 'x' } },
    template: { metadata: { labels: { job: 'x' } }, spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'i' }] } },
    ...spec,
  },
});
const indexed = (spec: object = {}): Job => job({ completionMode: 'Indexed', completions: 3, parallelism: 3, ...spec });
const pods = (h: Harness): Pod[] => h.api.list(PodKind);
const active = (h: Harness): Pod[] =>
  pods(h).filter((pod) => !pod.metadata!.deletionTimestamp && !['Succeeded', 'Failed'].includes(pod.status?.phase ?? ''));
const indexOf = (pod: Pod): string => pod.metadata!.annotations!['batch.kubernetes.io/job-completion-index']!;
const current = (h: Harness): Job => h.api.get(JobKind, key)!;
const conditions = (h: Harness): string[] =>
  (current(h).status?.conditions ?? []).map(({ type, status, reason }) => `${type} ${status} ${reason}`);

function end(h: Harness, pod: Pod, exitCode = 0, extra: object = {}): void {
  h.api.change(PodKind, `default/${pod.metadata!.name}`, (next) => {
    next.status = {
      phase: exitCode === 0 ? 'Succeeded' : 'Failed',
      containerStatuses: [
        {
          name: 'main',
          image: 'i',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode, finishedAt: timestamp(h.clock) } },
        },
      ],
      ...extra,
    };
  });
}

test('a Job runs its pods, so many at a time, and is complete', async () => {
  await using h = await harness({ controllers });
  h.api.create(JobKind, job({ parallelism: 2, completions: 5 }));
  for (let round = 0; round < 4; round++) {
    await h.settle();
    assert.ok(active(h).length <= 2);
    for (const pod of active(h)) end(h, pod);
  }
  await h.settle();
  const { status } = current(h);
  assert.deepEqual([status!.succeeded, status!.active, status!.uncountedTerminatedPods, status!.ready], [5, undefined, {}, 0]);
  assert.deepEqual(conditions(h), ['SuccessCriteriaMet True CompletionsReached', 'Complete True CompletionsReached']);
  assert.ok(status!.completionTime && status!.startTime);
  assert.equal(pods(h).length, 5);
  assert.ok(pods(h).every((pod) => !pod.metadata!.finalizers?.length));
  assert.ok(h.events().includes('Completed Job completed'));
  assert.deepEqual(h.complaints, []);
});

test('failures are tried again with back-off until the limit', async () => {
  await using h = await harness({ controllers });
  h.api.create(JobKind, job({ backoffLimit: 2 }));
  await h.settle();
  end(h, active(h)[0]!, 1);
  await h.settle();
  assert.equal(active(h).length, 0);
  await h.pass(10_000);
  assert.equal(active(h).length, 1);
  end(h, active(h)[0]!, 1);
  await h.pass(15_000);
  assert.equal(active(h).length, 0);
  await h.pass(6_000);
  end(h, active(h)[0]!, 1);
  await h.settle();
  assert.deepEqual(conditions(h), ['FailureTarget True BackoffLimitExceeded', 'Failed True BackoffLimitExceeded']);
  assert.equal(current(h).status!.failed, 3);
});

test('an Indexed Job gives each pod its index and retries only what failed', async () => {
  await using h = await harness({ controllers });
  h.api.create(JobKind, indexed());
  await h.settle();
  assert.deepEqual(active(h).map(indexOf).toSorted(), ['0', '1', '2']);
  const pod = active(h).find((each) => indexOf(each) === '1')!;
  assert.match(pod.metadata!.name!, /^job-1-[a-z0-9]{5}$/);
  assert.equal(pod.spec!.hostname, 'job-1');
  assert.equal(pod.spec!.containers[0]!.env![0]!.name, 'JOB_COMPLETION_INDEX');
  for (const each of active(h)) end(h, each, indexOf(each) === '1' ? 1 : 0);
  await h.settle();
  assert.equal(current(h).status!.completedIndexes, '0,2');
  await h.pass(11_000);
  assert.deepEqual(active(h).map(indexOf), ['1']);
  end(h, active(h)[0]!);
  await h.settle();
  assert.equal(current(h).status!.completedIndexes, '0-2');
  assert.equal(conditions(h).at(-1), 'Complete True CompletionsReached');
});

test('a limit of failures for each index fails only that index', async () => {
  await using h = await harness({ controllers });
  h.api.create(JobKind, indexed({ backoffLimitPerIndex: 1, completions: 2, parallelism: 2, backoffLimit: 2 ** 31 - 1 }));
  await h.settle();
  for (let failure = 0; failure < 2; failure++) {
    end(
      h,
      active(h).find((pod) => indexOf(pod) === '0')!,
      1,
    );
    await h.pass(12_000);
  }
  assert.equal(current(h).status!.failedIndexes, '0');
  assert.deepEqual(active(h).map(indexOf), ['1']);
  end(h, active(h)[0]!);
  await h.settle();
  assert.deepEqual(conditions(h), ['FailureTarget True FailedIndexes', 'Failed True FailedIndexes']);
  assert.equal(current(h).status!.completedIndexes, '1');
});

test('the pod failure policy fails the Job at once, or does not count a failure', async () => {
  for (const [action, exitCode, wanted] of [
    ['FailJob', 42, 'Failed True PodFailurePolicy'],
    ['Ignore', 42, undefined],
  ] as const) {
    await using h = await harness({ controllers });
    const rules = [{ action, onExitCodes: { operator: 'In', values: [42] } }];
    h.api.create(JobKind, job({ backoffLimit: 0, podFailurePolicy: { rules }, podReplacementPolicy: 'Failed' }));
    await h.settle();
    end(h, active(h)[0]!, exitCode);
    await h.pass(12_000);
    assert.equal(conditions(h).at(-1), wanted, action);
    assert.equal(active(h).length, action === 'Ignore' ? 1 : 0);
  }
});

test('a success policy ends the Job when the right indexes have succeeded', async () => {
  await using h = await harness({ controllers });
  h.api.create(JobKind, indexed({ successPolicy: { rules: [{ succeededIndexes: '0-1', succeededCount: 1 }] } }));
  await h.settle();
  end(
    h,
    active(h).find((pod) => indexOf(pod) === '1')!,
  );
  await h.settle();
  for (const pod of pods(h)) if (pod.metadata!.deletionTimestamp) end(h, pod, 0);
  await h.settle();
  assert.deepEqual(conditions(h), ['SuccessCriteriaMet True SuccessPolicy', 'Complete True SuccessPolicy']);
});

test('a suspended Job has no pods until it is resumed', async () => {
  await using h = await harness({ controllers });
  h.api.create(JobKind, job({ suspend: true, parallelism: 2, completions: 2 }));
  await h.settle();
  assert.deepEqual([pods(h).length, conditions(h), current(h).status!.startTime], [0, ['Suspended True JobSuspended'], undefined]);
  h.api.change(JobKind, key, (next) => void (next.spec!.suspend = false));
  await h.settle();
  assert.deepEqual([active(h).length, conditions(h)], [2, ['Suspended False JobResumed']]);
  h.api.change(JobKind, key, (next) => void (next.spec!.suspend = true));
  await h.settle();
  assert.deepEqual([active(h).length, current(h).status!.failed ?? 0], [0, 0]);
});

test('a Job past its deadline fails and its pods are deleted', async () => {
  await using h = await harness({ controllers });
  h.api.create(JobKind, job({ activeDeadlineSeconds: 5, parallelism: 2, completions: 2 }));
  await h.settle();
  assert.equal(active(h).length, 2);
  await h.pass(6000);
  assert.deepEqual(conditions(h), ['FailureTarget True DeadlineExceeded', 'Failed True DeadlineExceeded']);
  assert.equal(pods(h).length, 0);
});

test('pods of a deleted Job lose their finalizer', async () => {
  await using h = await harness({ controllers });
  h.api.create(JobKind, job());
  await h.settle();
  assert.deepEqual(pods(h)[0]!.metadata!.finalizers, ['batch.kubernetes.io/job-tracking']);
  h.api.delete(JobKind, key);
  await h.settle();
  assert.deepEqual(pods(h)[0]!.metadata!.finalizers, []);
});

test('IndexSet reads and writes what status.completedIndexes holds', () => {
  for (const [text, limit, written, size] of [
    ['1,3-5,7', 10, '1,3-5,7', 5],
    ['0-2,3', 10, '0-3', 4],
    ['0-9', 4, '0-3', 4],
    ['x,2', 4, '2', 1],
    ['0,1', 4, '0,1', 2],
  ] as const) {
    const set = IndexSet.parse(text, limit);
    assert.deepEqual([set.toString(), set.size], [written, size]);
  }
  assert.deepEqual(IndexSet.of([0, 2, 3]).missing(3, 6), [1, 4, 5]);
  assert.equal(IndexSet.of([1, 2, 5]).common(IndexSet.of([2, 5, 6])), 2);
});
