/** Autoscalers in both their versions: what the older one has no field for stands in its annotations. */
import { get, namespaceOf, patch, post, put, remove } from './scenario.ts';
import type { Scenario, Step } from './scenario.ts';

type Json = Record<string, unknown>;

const prefix = 'autoscaling.alpha.kubernetes.io';
const scaleTargetRef = { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' };
const spec = { scaleTargetRef, minReplicas: 1, maxReplicas: 5 };
const metric = { name: 'm', selector: { matchLabels: { b: '<&>', a: '1' }, matchExpressions: [{ key: 'c', operator: 'Exists' }] } };
const described = { kind: 'Ingress', name: 'i', apiVersion: 'networking.k8s.io/v1' };
const utilization = { type: 'Utilization', averageUtilization: 50 };
const average = { type: 'AverageValue', averageValue: '1.5' };
const value = { type: 'Value', value: '2000m' };

/** A metric of the newer version each. */
const metrics: Record<string, Json> = {
  'cpu utilization': { type: 'Resource', resource: { name: 'cpu', target: utilization } },
  'cpu average': { type: 'Resource', resource: { name: 'cpu', target: average } },
  'memory utilization': { type: 'Resource', resource: { name: 'memory', target: utilization } },
  'memory average': { type: 'Resource', resource: { name: 'memory', target: average } },
  'container utilization': { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'c', target: utilization } },
  'container average': { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'c', target: average } },
  pods: { type: 'Pods', pods: { metric, target: average } },
  'pods utilization': { type: 'Pods', pods: { metric: { name: 'm' }, target: { ...average, type: 'Utilization' } } },
  'pods both': { type: 'Pods', pods: { metric: { name: 'm', selector: {} }, target: { ...average, value: '3' } } },
  'object value': { type: 'Object', object: { metric, describedObject: described, target: value } },
  'object average': { type: 'Object', object: { metric, describedObject: { kind: 'Pod', name: 'p' }, target: average } },
  'object both': { type: 'Object', object: { metric, describedObject: described, target: { ...value, averageValue: '1Gi' } } },
  'external value': { type: 'External', external: { metric, target: value } },
  'external average': { type: 'External', external: { metric: { name: 'm' }, target: average } },
};

const behaviors: Record<string, Json> = {
  none: {},
  up: { scaleUp: { stabilizationWindowSeconds: 5, policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }] } },
  down: { scaleDown: { selectPolicy: 'Disabled', tolerance: '0.05' } },
};

const conditions = [
  { type: 'AbleToScale', status: 'True', lastTransitionTime: '2020-01-01T02:00:00+02:00', reason: 'R', message: 'a <b> & "c"' },
  { type: 'ScalingActive', status: 'Unknown' },
];

const current = { value: '3', averageValue: '500m', averageUtilization: 40 };
const { averageUtilization: _, ...amounts } = current;
const statuses: Record<string, Json> = {
  cpu: { type: 'Resource', resource: { name: 'cpu', current: { averageValue: '1.5', averageUtilization: 40 } } },
  'cpu again': { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 30 } } },
  memory: { type: 'Resource', resource: { name: 'memory', current: { averageValue: '1Mi' } } },
  container: { type: 'ContainerResource', containerResource: { name: 'cpu', container: 'c', current } },
  pods: { type: 'Pods', pods: { metric, current: amounts } },
  'pods nothing': { type: 'Pods', pods: { metric: { name: 'm' }, current: {} } },
  object: { type: 'Object', object: { metric, describedObject: described, current: amounts } },
  'object average': { type: 'Object', object: { metric, describedObject: described, current: { averageValue: '2' } } },
  external: { type: 'External', external: { metric, current: amounts } },
  'external nothing': { type: 'External', external: { metric: { name: 'm' }, current: {} } },
};

/** What a client of the older version may write into the annotations. */
const annotations: Record<string, Record<string, string>> = {
  'resource metrics': {
    metrics:
      '[{"type":"Resource","resource":{"name":"memory","targetAverageUtilization":60}},{"type":"Resource","resource":{"name":"cpu","targetAverageValue":"1500m"}}]',
  },
  'container metrics': {
    metrics:
      '[{"type":"ContainerResource","containerResource":{"name":"cpu","container":"c","targetAverageValue":1500}},{"type":"ContainerResource","containerResource":{"name":"memory","container":"c","targetAverageUtilization":7}}]',
  },
  'pods metric': { metrics: '[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":"1.5","selector":{"matchLabels":{"a":"b"}}}}]' },
  'object metrics': {
    metrics:
      '[{"type":"Object","object":{"target":{"kind":"Pod","name":"p"},"metricName":"m","targetValue":"1000m"}},{"type":"Object","object":{"target":{"kind":"Ingress","name":"p","apiVersion":"a.example/v1"},"metricName":"m","targetValue":"1","averageValue":"2"}}]',
  },
  'object average alone': {
    metrics: '[{"type":"Object","object":{"target":{"kind":"Pod","name":"p"},"metricName":"m","averageValue":"1"}}]',
  },
  'external metrics': {
    metrics:
      '[{"type":"External","external":{"metricName":"m","targetValue":"1","metricSelector":{}}},{"type":"External","external":{"metricName":"n","targetAverageValue":"1"}}]',
  },
  'external both': { metrics: '[{"type":"External","external":{"metricName":"m","targetValue":"1","targetAverageValue":"2"}}]' },
  'other case': { metrics: '[{"Type":"Pods","PODS":{"metricname":"m","TargetAverageValue":"1"}}]' },
  'cpu utilization': { metrics: '[{"type":"Resource","resource":{"name":"cpu","targetAverageUtilization":60}}]' },
  'newer form': { metrics: '[{"type":"Pods","pods":{"metric":{"name":"m"},"target":{"type":"AverageValue","averageValue":"1"}}}]' },
  'newer resource': {
    metrics: '[{"type":"Resource","resource":{"name":"memory","target":{"type":"Utilization","averageUtilization":1}}}]',
  },
  'null metric': { metrics: '[null]' },
  'null fields': { metrics: '[{"type":null,"pods":null,"resource":{"name":null,"targetAverageValue":null}}]' },
  'no metrics': { metrics: '[]' },
  null: { metrics: 'null', behavior: 'null', 'current-metrics': 'null', conditions: 'null' },
  empty: { metrics: '', behavior: '', 'current-metrics': '', conditions: '' },
  garbage: { metrics: '{', behavior: 'x', 'current-metrics': '[', conditions: '1' },
  'other types': { metrics: '{}', behavior: '[]', 'current-metrics': '"a"', conditions: 'true' },
  'wrong type of field': { metrics: '[{"type":"Pods","pods":{"metricName":1,"targetAverageValue":"1"}}]' },
  'bad quantity': { metrics: '[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":"much"}}]' },
  'empty quantity': { metrics: '[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":""}}]' },
  'true quantity': { metrics: '[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":true}}]' },
  'null quantity': { metrics: '[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":null}}]' },
  'exponent quantity': { metrics: '[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":1.5e3}}]' },
  'huge number': { metrics: '[{"type":"Resource","resource":{"name":"memory","targetAverageUtilization":3000000000}}]' },
  'broken number': { metrics: '[{"type":"Resource","resource":{"name":"memory","targetAverageUtilization":1.5}}]' },
  'whole number with point': { metrics: '[{"type":"Resource","resource":{"name":"memory","targetAverageUtilization":1.0}}]' },
  'number with exponent': { metrics: '[{"type":"Resource","resource":{"name":"memory","targetAverageUtilization":1e1}}]' },
  'no sources': { metrics: '[{"type":"Pods"},{"type":"Other","pods":{"metricName":"","targetAverageValue":"-1"}}]' },
  'two sources': {
    metrics: '[{"type":"Pods","pods":{"metricName":"m","targetAverageValue":"1"},"external":{"metricName":"m","targetValue":"1"}}]',
  },
  behavior: {
    behavior:
      '{"ScaleUp":{"StabilizationWindowSeconds":5,"SelectPolicy":"Min","Policies":[{"Type":"Pods","Value":1,"PeriodSeconds":2}],"Tolerance":"0.10"},"ScaleDown":null}',
  },
  'behavior other case': {
    behavior:
      '{"scaleUp":{"selectPolicy":"Max","policies":[{"type":"Percent","value":1,"periodSeconds":2}]},"ScaleDown":{"Policies":[null]}}',
  },
  'behavior without policies': { behavior: '{"ScaleUp":{},"ScaleDown":{"Policies":[]}}' },
  'behavior bad values': {
    behavior:
      '{"ScaleUp":{"StabilizationWindowSeconds":-1,"SelectPolicy":"Most","Policies":[{"Type":"Other","Value":0,"PeriodSeconds":1801}],"Tolerance":"-1"}}',
  },
  'behavior wrong type': { behavior: '{"ScaleUp":{"Policies":{}}}' },
  'behavior nothing': { behavior: '{"ScaleUp":null}' },
  status: {
    'current-metrics': '[{"type":"Pods","pods":{"metricName":"m","currentAverageValue":"1"}}]',
    conditions: '[{"type":"AbleToScale","status":"True","lastTransitionTime":"2020-01-01T00:00:00Z"}]',
  },
  tolerance: { 'scale-up-tolerance': '0.1', 'scale-down-tolerance': '0.2' },
};

const currents: Record<string, Record<string, string>> = {
  all: {
    'current-metrics':
      '[{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":9,"currentAverageValue":"1.5"}},{"type":"ContainerResource","containerResource":{"name":"cpu","container":"c","currentAverageValue":5}},{"type":"Pods","pods":{"metricName":"m","currentAverageValue":"1"}},{"type":"Object","object":{"target":{"kind":"Pod","name":"p"},"metricName":"m","currentValue":"3","averageValue":"4","selector":{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}}},{"type":"External","external":{"metricName":"m","currentAverageValue":"1"}}]',
    conditions:
      '[{"type":"AbleToScale","status":"True","lastTransitionTime":"2020-01-01T02:00:00.5+02:00","reason":"r"},{"TYPE":"x","lastTransitionTime":null},null]',
  },
  'bad time': { conditions: '[{"type":"AbleToScale","status":"True","lastTransitionTime":"yesterday"}]' },
  'no time': { conditions: '[{"type":"AbleToScale","status":"True","lastTransitionTime":""}]' },
  'bad metric': { 'current-metrics': '[{"type":"Pods","pods":[]}]' },
  'no metrics': { 'current-metrics': '[]', conditions: '[]' },
  'null source': { 'current-metrics': '[{"type":"Resource","resource":null},{"type":"Resource","resource":{}}]' },
};

const full = (of: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(of).map(([name, text]) => [`${prefix}/${name}`, text]));

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';

export function autoscalerScenario(): Scenario {
  const name = 'autoscalers';
  const ns = namespaceOf(name);
  const path = (version: string): string => `/apis/autoscaling/${version}/namespaces/${ns}/horizontalpodautoscalers`;
  const older = path('v1');
  const newer = path('v2');
  const object = (version: string, of: string, fields: Json, notes?: Record<string, string>): Json => ({
    kind: 'HorizontalPodAutoscaler',
    apiVersion: `autoscaling/${version}`,
    metadata: { name: of, ...(notes && { annotations: notes }) },
    ...fields,
  });
  const both = (at: string, of: string): Step[] => [get(`${at} in v1`, `${older}/${of}`), get(`${at} in v2`, `${newer}/${of}`)];
  const steps: Step[] = [];
  let made = 0;

  for (const [kind, one] of Object.entries(metrics)) {
    const of = `a${made++}`;
    const at = `metric ${kind}`;
    steps.push(
      post(at, newer, object('v2', of, { spec: { ...spec, metrics: [one] } })),
      ...both(at, of),
      // What the older version shows is written back as it is, and changed, and read again.
      patch(`${at} label by v1`, `${older}/${of}`, 'merge', { metadata: { labels: { a: 'b' } } }),
      ...both(`${at} labelled`, of),
      patch(`${at} status by v1`, `${older}/${of}/status`, 'merge', { status: { currentReplicas: 3 } }),
      ...both(`${at} with status`, of),
    );
  }
  const every = Object.values(metrics);
  steps.push(
    post('every metric', newer, object('v2', 'every', { spec: { ...spec, metrics: every.toReversed() } })),
    ...both('every metric', 'every'),
    get('every metric table v1', `${older}/every`, table),
    get('every metric table v2', `${newer}/every`, table),
    patch('every metric target by v1', `${older}/every`, 'merge', { spec: { targetCPUUtilizationPercentage: 70 } }),
    patch('every metric target removed by v1', `${older}/every?dryRun=All`, 'merge', { spec: { targetCPUUtilizationPercentage: null } }),
    ...both('every metric targeted', 'every'),
    get('list v1', older),
    get('list v2', newer),
  );

  for (const [kind, behavior] of Object.entries(behaviors)) {
    const of = `b${made++}`;
    const at = `behavior ${kind}`;
    steps.push(
      post(at, newer, object('v2', of, { spec: { ...spec, behavior } })),
      ...both(at, of),
      patch(`${at} by v1`, `${older}/${of}`, 'merge', { spec: { maxReplicas: 7 } }),
      ...both(`${at} after v1`, of),
      patch(`${at} removed by v1`, `${older}/${of}`, 'merge', { metadata: { annotations: { [`${prefix}/behavior`]: null } } }),
      ...both(`${at} removed`, of),
    );
  }

  const status = { currentReplicas: 2, desiredReplicas: 3, observedGeneration: 1, lastScaleTime: '2020-01-01T00:00:00Z' };
  steps.push(post('status', newer, object('v2', 'status', { spec })));
  for (const [kind, one] of Object.entries(statuses))
    steps.push(
      put(`status ${kind}`, `${newer}/status/status`, object('v2', 'status', { spec, status: { ...status, currentMetrics: [one] } })),
      ...both(`status ${kind}`, 'status'),
    );
  steps.push(
    put(
      'status all',
      `${newer}/status/status`,
      object('v2', 'status', { spec, status: { ...status, currentMetrics: Object.values(statuses), conditions } }),
    ),
    ...both('status all', 'status'),
    get('status table v1', `${older}/status`, table),
    // An update of the older version leaves all of the status alone.
    put('status left alone', `${older}/status`, object('v1', 'status', { spec: { ...spec, maxReplicas: 9 } })),
    ...both('status left alone', 'status'),
    patch('status by v1', `${older}/status/status`, 'merge', { status: { desiredReplicas: 4 } }),
    ...both('status by v1', 'status'),
    patch('status cpu by v1', `${older}/status/status`, 'merge', {
      metadata: { annotations: { [`${prefix}/current-metrics`]: null } },
      status: { currentCPUUtilizationPercentage: 11 },
    }),
    ...both('status cpu by v1', 'status'),
  );
  for (const [kind, notes] of Object.entries(currents))
    steps.push(
      put(
        `status annotations ${kind}`,
        `${older}/status/status`,
        object('v1', 'status', { spec, status: { ...status, currentCPUUtilizationPercentage: 5 } }, full({ ...notes, metrics: '[]' })),
      ),
      ...both(`status annotations ${kind}`, 'status'),
    );

  for (const [kind, notes] of Object.entries(annotations)) {
    const of = `c${made++}`;
    const at = `annotations ${kind}`;
    steps.push(
      post(`${at} dry`, `${older}?dryRun=All`, object('v1', of, { spec }, full(notes))),
      post(at, older, object('v1', of, { spec }, { own: 'x', ...full(notes) })),
      ...both(at, of),
      post(`${at} with target`, older, object('v1', `${of}-t`, { spec: { ...spec, targetCPUUtilizationPercentage: 33 } }, full(notes))),
      ...both(`${at} with target`, `${of}-t`),
      post(`${at} sent to v2`, newer, object('v2', `${of}-n`, { spec }, full(notes))),
      ...both(`${at} of v2`, `${of}-n`),
    );
  }

  const zero = { ...spec, minReplicas: 0 };
  steps.push(
    post('to zero by v1', older, object('v1', 'zero', { spec: zero }, full(annotations['external metrics']!))),
    post('bad target', older, object('v1', 'bad', { spec: { ...spec, targetCPUUtilizationPercentage: 0 } })),
    post(
      'bad target after metrics',
      older,
      object('v1', 'bad', { spec: { ...spec, targetCPUUtilizationPercentage: -1 } }, full(annotations['pods metric']!)),
    ),
    post('no spec', older, object('v1', 'bad', {})),
    post('whole', older, object('v1', 'whole', { spec, status })),
    put('metrics by update', `${older}/whole`, object('v1', 'whole', { spec }, full(annotations['object metrics']!))),
    ...both('metrics by update', 'whole'),
    put('bad metrics by update', `${older}/whole`, object('v1', 'whole', { spec }, full(annotations['no sources']!))),
    patch('metrics by patch', `${older}/whole`, 'json', [
      { op: 'add', path: '/metadata/annotations', value: full({ metrics: annotations['pods metric']!['metrics']!, behavior: 'x' }) },
    ]),
    ...both('metrics by patch', 'whole'),
    patch(
      'metrics by apply',
      `${older}/applied?fieldManager=a`,
      'apply',
      object('v1', 'applied', { spec }, full(annotations['pods metric']!)),
    ),
    ...both('metrics by apply', 'applied'),
    patch(
      'metrics by second apply',
      `${newer}/applied?fieldManager=b`,
      'apply',
      object('v2', 'applied', { spec: { metrics: [metrics['external value']] } }),
    ),
    ...both('metrics by second apply', 'applied'),
    patch('metrics by apply again', `${older}/applied?fieldManager=a&force=true`, 'apply', object('v1', 'applied', { spec })),
    ...both('metrics by apply again', 'applied'),
    remove('delete dry by v1', `${older}/every?dryRun=All`),
    patch('finalizer', `${newer}/every`, 'merge', { metadata: { finalizers: ['a.example/b'] } }),
    remove('delete by v1', `${older}/every`),
    ...both('deleted', 'every'),
    patch('last finalizer by v1', `${older}/every`, 'merge', { metadata: { finalizers: null } }),
    remove('delete at once by v1', `${older}/whole`),
  );
  return { name, namespace: true, steps };
}
