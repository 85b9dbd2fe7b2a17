import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CronJob } from '#api';
import { CronJob as CronJobKind, Job as JobKind } from '#api';
import { timestamp } from '#machinery/clock';
import type { Harness } from '../testing/harness.ts';
import { harness } from '../testing/harness.ts';
import { ttlAfterFinishedController } from '../ttl-after-finished.ts';
import { cronJobController } from './cron-job.ts';
import { formatInZone, parseSchedule } from './schedule.ts';

const controllers = [cronJobController, ttlAfterFinishedController];
const key = 'default/tick';
const cronJob = (spec: object = {}): CronJob => ({
  metadata: { name: 'tick', namespace: 'default' },
  spec: {
    schedule: '*/1 * * * *',
    concurrencyPolicy: 'Allow',
    successfulJobsHistoryLimit: 1,
    failedJobsHistoryLimit: 1,
    jobTemplate: { metadata: { labels: { x: 'y' } }, spec: { template: { spec: { containers: [] } } } },
    ...spec,
  },
});
const minutes = (count: number): number => count * 60_000;
const names = (h: Harness): string[] => h.api.list(JobKind).map((job) => job.metadata!.name!);
const finish = (h: Harness, name: string): void =>
  void h.api.change(JobKind, `default/${name}`, (job) => {
    job.status = {
      startTime: timestamp(h.clock),
      completionTime: timestamp(h.clock),
      conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: timestamp(h.clock) }],
    };
  });

test('a CronJob makes a Job each minute, follows it, and keeps a short history', async () => {
  await using h = await harness({ controllers });
  h.api.create(CronJobKind, cronJob());
  await h.pass(minutes(1) + 500);
  const base = Math.floor(h.clock.now() / 60_000);
  assert.deepEqual(names(h), [`tick-${base}`]);
  assert.equal(h.api.get(CronJobKind, key)!.status!.active!.length, 1);
  assert.equal(h.api.list(JobKind)[0]!.metadata!.annotations!['batch.kubernetes.io/cronjob-scheduled-timestamp'], '2026-01-01T00:01:00Z');
  finish(h, `tick-${base}`);
  await h.settle();
  const { status } = h.api.get(CronJobKind, key)!;
  assert.deepEqual(
    [status!.active, status!.lastScheduleTime, Boolean(status!.lastSuccessfulTime)],
    [undefined, '2026-01-01T00:01:00Z', true],
  );
  await h.pass(minutes(1));
  finish(h, `tick-${base + 1}`);
  await h.settle();
  assert.deepEqual(names(h), [`tick-${base + 1}`]);
  for (const reason of ['SuccessfulCreate', 'SawCompletedJob', 'SuccessfulDelete'])
    assert.ok(
      h.events().some((event) => event.startsWith(reason)),
      reason,
    );
  assert.equal(
    h.events().some((event) => event.startsWith('UnexpectedJob')),
    false,
  );
  assert.deepEqual(h.complaints, []);
});

for (const [policy, wanted] of [
  ['Allow', 3],
  ['Forbid', 1],
  ['Replace', 1],
] as const)
  test(`concurrencyPolicy ${policy} leaves ${wanted} Jobs after three minutes`, async () => {
    await using h = await harness({ controllers });
    h.api.create(CronJobKind, cronJob({ concurrencyPolicy: policy }));
    const first = Math.floor(h.clock.now() / 60_000) + 1;
    await h.pass(minutes(3) + 500);
    assert.equal(names(h).length, wanted);
    assert.equal(names(h)[0] === `tick-${first}`, policy !== 'Replace');
  });

test('a suspended CronJob makes nothing, and a removed active Job is noticed', async () => {
  await using h = await harness({ controllers });
  h.api.create(CronJobKind, cronJob({ suspend: true }));
  await h.pass(minutes(2));
  assert.deepEqual(names(h), []);
  h.api.change(CronJobKind, key, (next) => void (next.spec!.suspend = false));
  await h.settle();
  const [name] = names(h);
  h.api.delete(JobKind, `default/${name}`);
  await h.settle();
  assert.ok(h.events().some((event) => event === `MissingJob Active job went missing: ${name}`));
});

test('a finished Job with a ttl is deleted when it is up', async () => {
  await using h = await harness({ controllers });
  h.api.create(JobKind, { metadata: { name: 'j', namespace: 'default' }, spec: { ttlSecondsAfterFinished: 30, template: {} } });
  finish(h, 'j');
  await h.pass(25_000);
  assert.deepEqual(names(h), ['j']);
  await h.pass(6_000);
  assert.notEqual(h.api.get(JobKind, 'default/j')?.metadata!.deletionTimestamp, undefined);
});

const at = (text: string): number => Date.parse(text);
for (const [schedule, zone, after, wanted] of [
  ['*/15 * * * *', '', '2026-03-01T10:07:00Z', '2026-03-01T10:15:00.000Z'],
  ['0 0 29 2 *', '', '2026-03-01T00:00:00Z', '2028-02-29T00:00:00.000Z'],
  ['30 6-16/4 * * 1-5', '', '2026-03-06T14:31:00Z', '2026-03-09T06:30:00.000Z'],
  ['0 12 13 * FRI', '', '2026-03-07T00:00:00Z', '2026-03-13T12:00:00.000Z'],
  ['@hourly', '', '2026-03-01T10:00:00Z', '2026-03-01T11:00:00.000Z'],
  ['@every 90s', '', '2026-03-01T10:00:00Z', '2026-03-01T10:01:30.000Z'],
  ['0 9 * * *', 'America/New_York', '2026-07-01T00:00:00Z', '2026-07-01T13:00:00.000Z'],
  ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T00:30:00.000Z'],
] as const)
  test(`${schedule} ${zone} after ${after} is ${wanted}`, () => {
    assert.equal(new Date(parseSchedule(schedule, zone).next(at(after))!).toISOString(), wanted);
  });

for (const schedule of ['* * * *', '60 * * * *', '5-1 * * * *', '*/0 * * * *', '@sometimes', 'x * * * *'])
  test(`${schedule} is refused`, () => assert.throws(() => parseSchedule(schedule), /Cannot read schedule/));

test('an impossible day has no next time; zones show in timestamps', () => {
  assert.equal(parseSchedule('0 0 31 2 *').next(0), undefined);
  assert.equal(formatInZone(at('2026-07-01T00:00:00Z'), 'Asia/Kolkata'), '2026-07-01T05:30:00+05:30');
});
