import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HorizontalPodAutoscaler, Pod } from '#api';
import { Deployment as DeploymentKind, HorizontalPodAutoscaler as AutoscalerKind, Pod as PodKind } from '#api';
import type { FakeApi } from '../testing/fake-api.ts';
import { harness } from '../testing/harness.ts';
import type { Memory } from './behavior.ts';
import { noteChange, restrain } from './behavior.ts';
import { averageValue, propose, requestsOf, utilization } from './calculator.ts';
import { horizontalPodAutoscalerController } from './horizontal.ts';
import type { PodMetrics } from './metrics.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const pod = (name: string, extra: object = {}): Pod => ({
  metadata: { name, namespace: 'default', labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }] },
  status: {
    phase: 'Running',
    startTime: new Date(start - 3_600_000).toISOString(),
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: new Date(start - 3_600_000).toISOString() }],
    ...extra,
  },
});
const metricsOf = (values: Record<string, number>): PodMetrics =>
  new Map(Object.entries(values).map(([name, value]) => [name, { value, timestamp: start, window: 60_000 }]));
const tolerance = { up: 0.1, down: 0.1 };

for (const [what, values, pods, wanted] of [
  ['twice the target doubles', { a: 1000, b: 1000 }, [pod('a'), pod('b')], 4],
  ['half the target halves', { a: 250, b: 250 }, [pod('a'), pod('b')], 1],
  ['a little off stays', { a: 540, b: 520 }, [pod('a'), pod('b')], 2],
  ['a pod without metrics dampens going up', { a: 1000 }, [pod('a'), pod('b')], 2],
  ['a pod that starts dampens going up', { a: 2000 }, [pod('a'), pod('b', { phase: 'Pending' })], 4],
  ['failed pods do not count', { a: 1000 }, [pod('a'), pod('b', { phase: 'Failed' })], 2],
] as const)
  test(`propose(): ${what}`, () => {
    const requests = requestsOf(pods, 'cpu', undefined);
    const { replicas } = propose({
      pods,
      metrics: metricsOf(values),
      currentReplicas: 2,
      tolerance,
      isCpu: true,
      now: start,
      ratio: utilization(requests, 50),
      assumed: () => 1000,
    });
    assert.equal(replicas, wanted);
  });

test('propose() by plain value, and what cannot be measured', () => {
  const question = {
    pods: [pod('a')],
    currentReplicas: 1,
    tolerance,
    isCpu: false,
    now: start,
    ratio: averageValue(100),
    assumed: () => 100,
  };
  assert.equal(propose({ ...question, metrics: metricsOf({ a: 300 }) }).replicas, 3);
  assert.throws(() => propose({ ...question, metrics: new Map() }), /did not receive metrics/);
  assert.throws(() => requestsOf([{ ...pod('a'), spec: { containers: [{ name: 'c' }] } }], 'cpu', undefined), /missing request for cpu/);
});

const memory = (): Memory => ({ recommendations: [], changes: [] });
for (const [what, behavior, before, sizes, wanted, reason] of [
  ['grows by what the policies allow', undefined, memory(), [1, 20, 1, 30], 5, 'ScaleUpLimit'],
  ['stops at the most', undefined, memory(), [8, 20, 1, 10], 10, 'TooManyReplicas'],
  [
    'does not shrink while it lately wanted more',
    undefined,
    { recommendations: [{ at: start - 60_000, value: 8 }], changes: [] },
    [8, 2, 1, 10],
    8,
    'DesiredWithinRange',
  ],
  [
    'shrinks when that is long ago',
    undefined,
    { recommendations: [{ at: start - 301_000, value: 8 }], changes: [] },
    [8, 2, 1, 10],
    2,
    'DesiredWithinRange',
  ],
  ['stops at the least', undefined, memory(), [8, 1, 3, 10], 3, 'TooFewReplicas'],
  [
    'may be forbidden to shrink',
    { scaleDown: { selectPolicy: 'Disabled', stabilizationWindowSeconds: 0 } },
    memory(),
    [8, 2, 1, 10],
    8,
    'ScaleDownLimit',
  ],
] as const)
  test(`restrain(): it ${what}`, () => {
    const [current, desired, least, most] = sizes;
    const decision = restrain(behavior, { ...before } as Memory, { current, desired, least, most }, start);
    assert.deepEqual([decision.replicas, decision.reason], [wanted, reason]);
  });

test('restrain() counts what was added in the period of a policy', () => {
  const remembered = memory();
  noteChange(remembered, start - 5000, 4);
  assert.equal(restrain(undefined, remembered, { current: 5, desired: 20, least: 1, most: 30 }, start).replicas, 5);
});

test('an autoscaler sizes a Deployment by its metrics, and says why when it cannot', async () => {
  const usage: Record<string, string> = { a: '900m', b: '900m' };
  const before = (api: FakeApi): void => {
    const plain = api.transportFor.bind(api);
    api.transportFor = (user) => ({
      ...plain(user),
      raw: async (path) => {
        if (!path.startsWith('/apis/metrics.k8s.io')) throw new Error('the server could not find the requested resource');
        const items = Object.entries(usage).map(([name, cpu]) => ({
          metadata: { name },
          timestamp: '2026-01-01T00:00:00Z',
          window: '15s',
          containers: [{ name: 'c', usage: { cpu } }],
        }));
        return { items };
      },
    });
  };
  await using h = await harness({ controllers: [horizontalPodAutoscalerController], before });
  const scaler: HorizontalPodAutoscaler = {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      maxReplicas: 10,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 45 } } }],
    },
  };
  h.api.create(AutoscalerKind, scaler);
  await h.settle();
  const conditions = (): string[] =>
    h.api.get(AutoscalerKind, 'default/web')!.status!.conditions!.map(({ type, status, reason }) => `${type} ${status} ${reason}`);
  assert.deepEqual(conditions(), ['AbleToScale False FailedGetScale']);
  for (const name of ['a', 'b']) h.api.create(PodKind, pod(name));
  h.api.create(DeploymentKind, {
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: {} },
    status: { selector: 'app=web' },
  } as never);
  await h.pass(16_000);
  assert.equal(h.api.get(DeploymentKind, 'default/web')!.spec!.replicas, 4);
  assert.deepEqual(conditions(), [
    'AbleToScale True SucceededRescale',
    'ScalingActive True ValidMetricFound',
    'ScalingLimited False DesiredWithinRange',
  ]);
  assert.ok(h.events().includes('SuccessfulRescale New size: 4; reason: cpu resource utilization (percentage of request) above target'));
  delete usage['a'];
  delete usage['b'];
  await h.pass(16_000);
  assert.ok(conditions().includes('ScalingActive False FailedGetResourceMetric'));
});
