import assert from 'node:assert/strict';
import { test } from 'node:test';
import { autoscalingV1HorizontalPodAutoscalerRules as olderRules } from './horizontal-pod-autoscaler-v1.ts';
import { horizontalPodAutoscalerRules as newerRules } from './horizontal-pod-autoscaler.ts';
import type { AutoscalingV1HorizontalPodAutoscaler, HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '../facts/types.ts';
import { autoscalerFromFirst, autoscalerToFirst } from './convert.ts';

const prefix = 'autoscaling.alpha.kubernetes.io/';
const scaleTargetRef = { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' };
const spec = { scaleTargetRef, minReplicas: 1, maxReplicas: 5 };
const ingress = { kind: 'Ingress', name: 'i', apiVersion: 'networking.k8s.io/v1' };

const newer = (metrics: MetricSpec[], more: Partial<HorizontalPodAutoscaler> = {}): HorizontalPodAutoscaler => ({
  kind: 'HorizontalPodAutoscaler',
  apiVersion: 'autoscaling/v2',
  metadata: { name: 'a' },
  spec: { ...spec, metrics },
  ...more,
});
const older = (annotations: Record<string, string>, target?: number): AutoscalingV1HorizontalPodAutoscaler => ({
  kind: 'HorizontalPodAutoscaler',
  apiVersion: 'autoscaling/v1',
  metadata: { name: 'a', annotations: Object.fromEntries(Object.entries(annotations).map(([name, text]) => [prefix + name, text])) },
  spec: { ...spec, ...(target !== undefined && { targetCPUUtilizationPercentage: target }) },
});
const cpu = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});
const noteOf = (object: AutoscalingV1HorizontalPodAutoscaler, name: string): string | undefined =>
  object.metadata?.annotations?.[prefix + name];

/** Metrics whose form in the older version loses nothing. */
const forms: [metric: MetricSpec, form: string][] = [
  [
    { type: 'Resource', resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: '1500m' } } },
    '{"type":"Resource","resource":{"name":"cpu","targetAverageValue":"1500m"}}',
  ],
  [
    { type: 'Resource', resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 60 } } },
    '{"type":"Resource","resource":{"name":"memory","targetAverageUtilization":60}}',
  ],
  [
    {
      type: 'ContainerResource',
      containerResource: { name: 'cpu', container: 'c', target: { type: 'Utilization', averageUtilization: 60 } },
    },
    '{"type":"ContainerResource","containerResource":{"name":"cpu","targetAverageUtilization":60,"container":"c"}}',
  ],
  [
    { type: 'Pods', pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1500' } } },
    '{"type":"Pods","pods":{"metricName":"m","targetAverageValue":"1500"}}',
  ],
  [
    {
      type: 'Object',
      object: {
        describedObject: ingress,
        metric: { name: 'm', selector: { matchLabels: { b: '<&>', a: '1' }, matchExpressions: [{ key: 'c', operator: 'Exists' }] } },
        target: { type: 'Value', value: '2' },
      },
    },
    String.raw`{"type":"Object","object":{"target":{"kind":"Ingress","name":"i","apiVersion":"networking.k8s.io/v1"},"metricName":"m","targetValue":"2","selector":{"matchLabels":{"a":"1","b":"\u003c\u0026\u003e"},"matchExpressions":[{"key":"c","operator":"Exists"}]}}}`,
  ],
  [
    { type: 'External', external: { metric: { name: 'm', selector: {} }, target: { type: 'Value', value: '2' } } },
    '{"type":"External","external":{"metricName":"m","metricSelector":{},"targetValue":"2"}}',
  ],
  [
    { type: 'External', external: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '2' } } },
    '{"type":"External","external":{"metricName":"m","targetAverageValue":"2"}}',
  ],
];

test('metrics that the older version has no field for stand in an annotation in a form of their own, and come back', () => {
  for (const [metric, form] of forms) {
    const shown = autoscalerToFirst(newer([metric]));
    assert.equal(noteOf(shown, 'metrics'), `[${form}]`);
    assert.equal(shown.spec?.targetCPUUtilizationPercentage, undefined);
    assert.deepEqual(autoscalerFromFirst(shown), newer([metric]));
  }
});

test("the CPU's utilization is a field of the older version and comes after the others", () => {
  const pods = forms[3]![0];
  const shown = autoscalerToFirst(newer([cpu(50), pods]));
  assert.equal(shown.spec?.targetCPUUtilizationPercentage, 50);
  assert.deepEqual(autoscalerFromFirst(shown), newer([pods, cpu(50)]));
});

test('an average asked of an object has a value of zero in the older version, which does not come back as none', () => {
  const average: MetricSpec = {
    type: 'Object',
    object: { describedObject: ingress, metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '2' } },
  };
  const back = autoscalerFromFirst(autoscalerToFirst(newer([average])));
  assert.deepEqual(back.spec?.metrics?.[0]?.object?.target, { type: 'AverageValue', averageValue: '2', value: '0' });
});

test('status: all current metrics and the conditions stand in annotations', () => {
  const currentMetrics: MetricStatus[] = [
    { type: 'Resource', resource: { name: 'cpu', current: { averageValue: '1500m', averageUtilization: 40 } } },
    { type: 'Pods', pods: { metric: { name: 'm' }, current: { averageValue: '3' } } },
    { type: 'Object', object: { describedObject: ingress, metric: { name: 'm' }, current: { value: '3', averageValue: '1' } } },
    { type: 'External', external: { metric: { name: 'm' }, current: { value: '3' } } },
    { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'c', current: { averageValue: '1' } } },
  ];
  const conditions = [{ type: 'AbleToScale', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z', message: 'a & b' }];
  const object = newer([cpu(50)], { status: { desiredReplicas: 2, currentReplicas: 1, currentMetrics, conditions } });
  const shown = autoscalerToFirst(object);
  assert.deepEqual(shown.status, { desiredReplicas: 2, currentReplicas: 1, currentCPUUtilizationPercentage: 40 });
  assert.equal(
    noteOf(shown, 'current-metrics'),
    '[{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":40,"currentAverageValue":"1500m"}},' +
      '{"type":"Pods","pods":{"metricName":"m","currentAverageValue":"3"}},' +
      '{"type":"Object","object":{"target":{"kind":"Ingress","name":"i","apiVersion":"networking.k8s.io/v1"},"metricName":"m","currentValue":"3","averageValue":"1"}},' +
      '{"type":"External","external":{"metricName":"m","currentValue":"3"}},' +
      '{"type":"ContainerResource","containerResource":{"name":"cpu","currentAverageValue":"1","container":"c"}}]',
  );
  assert.equal(
    noteOf(shown, 'conditions'),
    String.raw`[{"type":"AbleToScale","status":"True","lastTransitionTime":"2020-01-01T00:00:00Z","message":"a \u0026 b"}]`,
  );
  assert.deepEqual(autoscalerFromFirst(shown), object);
});

test("behavior stands in an annotation under the names of Go's fields", () => {
  const behavior = {
    scaleUp: { stabilizationWindowSeconds: 5, policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }], tolerance: '50m' },
  };
  const object = newer([cpu(50)], { spec: { ...spec, metrics: [cpu(50)], behavior } });
  const shown = autoscalerToFirst(object);
  assert.equal(
    noteOf(shown, 'behavior'),
    '{"ScaleUp":{"StabilizationWindowSeconds":5,"SelectPolicy":null,"Policies":[{"Type":"Pods","Value":4,"PeriodSeconds":60}],"Tolerance":"50m"},"ScaleDown":null}',
  );
  assert.deepEqual(autoscalerFromFirst(shown), object);
});

test("annotations are read as Go's decoder reads them: names in any case, null as nothing, quantities and times in their one form", () => {
  const read = autoscalerFromFirst({
    ...older({
      metrics: '[{"Type":"Pods","PODS":{"metricname":"m","TargetAverageValue":1.5e3,"other":1}},null]',
      behavior: '{"scaleUp":{"policies":[null]},"ScaleDown":null}',
      conditions: '[{"type":"x","status":null,"lastTransitionTime":"2020-01-01T02:00:00.5+02:00"}]',
    }),
    status: { currentReplicas: 0, desiredReplicas: 0 },
  });
  assert.deepEqual(read.spec?.metrics, [
    { type: 'Pods', pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1500' } } },
    { type: '' },
  ]);
  assert.deepEqual(read.spec?.behavior, { scaleUp: { policies: [{ type: '', value: 0, periodSeconds: 0 }] } });
  assert.deepEqual(read.status?.conditions, [{ type: 'x', status: '', lastTransitionTime: '2020-01-01T00:00:00Z' }]);
});

test('what cannot be read says nothing, and no version keeps it', () => {
  const unreadable = [
    '',
    '{',
    'null',
    '[]',
    '{}',
    '[{"type":"Pods","pods":{"metricName":1}}]',
    '[{"type":"Pods","pods":{"targetAverageValue":"much"}}]',
    '[{"type":"Pods","pods":{"targetAverageValue":true}}]',
    '[{"type":"Resource","resource":{"name":"memory","targetAverageUtilization":1.0}}]',
    '[{"type":"Resource","resource":{"name":"memory","targetAverageUtilization":3000000000}}]',
  ];
  for (const metrics of unreadable) {
    const object = older({ metrics, behavior: '[]', conditions: '1', 'scale-up-tolerance': '0.1' });
    const stored = autoscalerFromFirst(object);
    assert.deepEqual(stored, newer([cpu(80)]), metrics);
    olderRules.applyDefaults!(object);
    assert.deepEqual(object.metadata, { name: 'a' }, metrics);
    assert.equal(object.spec?.targetCPUUtilizationPercentage, 80);
  }
  const object = newer([cpu(50)], { metadata: { name: 'a', annotations: { [`${prefix}metrics`]: '[]', own: 'x' } } });
  newerRules.applyDefaults!(object);
  assert.deepEqual(object.metadata, { name: 'a', annotations: { own: 'x' } });
});

test("the older version's columns are the newer one's", () => {
  const shown = autoscalerToFirst(newer([forms[3]![0], cpu(50)]));
  assert.equal(olderRules.columns!.find(({ name }) => name === 'Targets')!.cell(shown, 0), '<unknown>/1500, cpu: <unknown>/50%');
});
