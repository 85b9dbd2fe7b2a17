import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '#api';
import { virtualClock } from '#machinery/clock';
import { flowTracker, steps } from './mod.ts';

const pod = (spec: object, status: object): Pod => ({
  metadata: { uid: 'u', namespace: 'n', name: 'p', resourceVersion: '7' },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  status,
});
const conditions = (...types: string[]): object => ({ conditions: types.map((type) => ({ type, status: 'True' })) });

test('a pod that becomes Ready walks every step that is not optional, in order', async () => {
  const clock = virtualClock();
  const flow = flowTracker(clock);
  flow.admitted(pod({}, {}), 'me', 'RBAC: allowed');
  for (const state of [
    pod({}, {}),
    pod({ nodeName: 'm' }, {}),
    pod({ nodeName: 'm' }, { startTime: '2026-01-01T00:00:00Z' }),
    pod(
      { nodeName: 'm' },
      {
        startTime: 'x',
        podIP: '1.2.3.4',
        ...conditions('PodReadyToStartContainers'),
        containerStatuses: [{ name: 'c', image: 'i', state: { running: {} } }],
      },
    ),
    pod(
      { nodeName: 'm' },
      {
        startTime: 'x',
        podIP: '1.2.3.4',
        ...conditions('PodReadyToStartContainers', 'Ready'),
        containerStatuses: [{ name: 'c', image: 'i', state: { running: {} } }],
      },
    ),
  ]) {
    await clock.advance(10);
    flow.seen(state);
  }
  const [record] = flow.records('n');
  assert.deepEqual(
    record!.steps.map(({ id }) => id),
    steps.filter(({ optional }) => !optional).map(({ id }) => id),
  );
  assert.equal(record!.stuck, undefined);
  assert.equal(record!.steps.find(({ id }) => id === 'authorized')!.evidence, 'RBAC: allowed');
});

const waits: [name: string, status: object, step: string, why: RegExp][] = [
  [
    'no node fits',
    { conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }] },
    'scheduled',
    /0\/1 nodes/,
  ],
  [
    'the image is not there',
    { containerStatuses: [{ name: 'c', state: { waiting: { reason: 'ImagePullBackOff', message: 'Back-off' } } }] },
    'image',
    /c: ImagePullBackOff: Back-off/,
  ],
  [
    'the container crashes',
    { containerStatuses: [{ name: 'c', state: { waiting: { reason: 'CrashLoopBackOff' } } }] },
    'started',
    /CrashLoopBackOff/,
  ],
];
for (const [name, status, step, why] of waits)
  test(`says what holds a pod when ${name}`, () => {
    const flow = flowTracker(virtualClock());
    flow.seen(pod({}, status));
    const { stuck } = flow.records('')[0]!;
    assert.equal(stuck?.step, step);
    assert.match(stuck!.why, why);
  });
