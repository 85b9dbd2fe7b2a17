import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AutoscalingV1HorizontalPodAutoscaler, HorizontalPodAutoscaler } from '#api';
import { seededRandom, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { isStatus } from '#machinery/status';
import { memoryStore } from '#store';
import { createApiServer } from '../../server.ts';
import type { ApiServer } from '../../options.ts';

const admin = { name: 'admin', groups: ['system:masters'] };
const metricsNote = 'autoscaling.alpha.kubernetes.io/metrics';
const behaviorNote = 'autoscaling.alpha.kubernetes.io/behavior';
const spec = { scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' }, minReplicas: 1, maxReplicas: 5 };
const key = { namespace: 'default', name: 'a' };

async function server(): Promise<ApiServer> {
  const clock = virtualClock(0);
  const made = await createApiServer({
    store: memoryStore({ clock, random: seededRandom(1) }),
    clock,
    random: seededRandom(2),
    log: silentLog,
    freeze: true,
    authentication: () => ({ authenticate: () => admin }),
    authorization: () => () => ({ verdict: 'allow', reason: '' }),
  });
  await made.ready;
  return made;
}

const older = (annotations: Record<string, string>): AutoscalingV1HorizontalPodAutoscaler => ({
  metadata: { ...key, annotations },
  spec,
});

test("the older version's annotations are fields of what is stored, with defaults, and are checked as such", async () => {
  await using made = await server();
  const client = made.clientFor(admin);
  const bad = older({ [metricsNote]: '[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":"0"}}]' });
  await assert.rejects(
    client.create(AutoscalingV1HorizontalPodAutoscaler, bad),
    (error: Error) =>
      isStatus(error, 'Invalid') &&
      error.message.includes('spec.metrics[0].pods.target.averageValue: Invalid value: "0": must be positive'),
  );
  const created = await client.create(
    AutoscalingV1HorizontalPodAutoscaler,
    older({
      [metricsNote]: '[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":"1.5"}}]',
      [behaviorNote]: '{"ScaleUp":{"SelectPolicy":"Min","Policies":[{"Type":"Pods","Value":1,"PeriodSeconds":2}]}}',
    }),
  );
  assert.equal(created.metadata?.annotations?.[metricsNote], '[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":"1500m"}}]');
  const { metadata, spec: stored } = await client.get(HorizontalPodAutoscaler, key);
  assert.equal(metadata?.annotations, undefined);
  assert.deepEqual(stored?.metrics, [
    { type: 'Pods', pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1500m' } } },
  ]);
  assert.equal(stored?.behavior?.scaleUp?.stabilizationWindowSeconds, 0);
  assert.equal(stored?.behavior?.scaleDown?.selectPolicy, 'Max');
});

test('an update in the older version leaves the status as it is stored, and one of its status the spec', async () => {
  await using made = await server();
  const client = made.clientFor(admin);
  const average = {
    type: 'Object',
    object: {
      describedObject: { kind: 'Pod', name: 'p' },
      metric: { name: 'm' },
      target: { type: 'AverageValue', averageValue: '2' },
    },
  };
  const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } };
  const currentMetrics = [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 40 } } }];
  const first = await client.create(HorizontalPodAutoscaler, { metadata: key, spec: { ...spec, metrics: [cpu, average] } });
  await client.updateStatus(HorizontalPodAutoscaler, { ...first, status: { desiredReplicas: 1, currentMetrics } });
  const shown = await client.get(AutoscalingV1HorizontalPodAutoscaler, key);
  await client.updateStatus(AutoscalingV1HorizontalPodAutoscaler, { ...shown, status: { ...shown.status!, desiredReplicas: 3 } });
  const after = await client.get(HorizontalPodAutoscaler, key);
  assert.deepEqual(after.spec?.metrics, [cpu, average]);
  assert.equal(after.status?.desiredReplicas, 3);
  await client.updateStatus(HorizontalPodAutoscaler, { ...after, status: { desiredReplicas: 1, currentMetrics } });
  await client.update(AutoscalingV1HorizontalPodAutoscaler, { ...older({}), spec: { ...spec, maxReplicas: 9 } });
  const changed = await client.get(HorizontalPodAutoscaler, key);
  assert.equal(changed.spec?.maxReplicas, 9);
  assert.deepEqual(changed.status?.currentMetrics, currentMetrics);
});
