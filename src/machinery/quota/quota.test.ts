import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, ResourceQuota } from '../../api/facts/types.ts';
import { evaluatorFor, exceeding, matchesQuota, podLimits, podRequests, usageFrom, usageList } from './mod.ts';

const container = (name: string, requests: Record<string, string>, limits: Record<string, string> = {}, always = false) => ({
  name,
  resources: { requests, limits },
  ...(always && { restartPolicy: 'Always' }),
});

test('pods ask for what runs side by side, and for what comes before', () => {
  const pod: Pod = {
    spec: {
      initContainers: [container('big', { cpu: '2' }), container('sidecar', { cpu: '100m' }, {}, true), container('late', { cpu: '500m' })],
      containers: [container('a', { cpu: '250m', memory: '1Gi' }, { memory: '2Gi' }), container('b', { cpu: '250m' })],
      overhead: { cpu: '10m', memory: '16Mi' },
    },
  };
  assert.deepEqual(usageList(podRequests(pod)), { cpu: '2010m', memory: '1040Mi' });
  assert.deepEqual(usageList(podLimits(pod)), { memory: '2064Mi' });
  const whole = { ...pod, spec: { ...pod.spec!, resources: { requests: { cpu: '5' } } } };
  assert.deepEqual(usageList(podRequests(whole, { withoutOverhead: true })), { cpu: '5', memory: '1Gi' });
});

test('evaluators count what upstream counts', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  for (const [resource, object, wanted] of [
    [
      '/pods',
      { spec: { containers: [container('a', { cpu: '1', 'example.com/gpu': '2', 'hugepages-2Mi': '4Mi' }, { cpu: '2' })] } },
      {
        'count/pods': '1',
        pods: '1',
        cpu: '1',
        'requests.cpu': '1',
        'limits.cpu': '2',
        'hugepages-2Mi': '4Mi',
        'requests.hugepages-2Mi': '4Mi',
        'requests.example.com/gpu': '2',
      },
    ],
    ['/pods', { spec: { containers: [] }, status: { phase: 'Succeeded' } }, { 'count/pods': '1' }],
    [
      '/services',
      { spec: { type: 'LoadBalancer', ports: [{ port: 1 }, { port: 2 }] } },
      {
        'count/services': '1',
        services: '1',
        'services.loadbalancers': '1',
        'services.nodeports': '2',
      },
    ],
    [
      '/persistentvolumeclaims',
      { spec: { storageClassName: 'gold', resources: { requests: { storage: '1Gi' } } } },
      {
        'count/persistentvolumeclaims': '1',
        persistentvolumeclaims: '1',
        'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
        'requests.storage': '1Gi',
        'gold.storageclass.storage.k8s.io/requests.storage': '1Gi',
      },
    ],
    ['/secrets', {}, { 'count/secrets': '1', secrets: '1' }],
    ['apps/deployments', {}, { 'count/deployments.apps': '1' }],
  ] as const) {
    const [group = '', name = ''] = resource.split('/');
    assert.deepEqual(usageList(evaluatorFor(group, name).usage(object as object, now)), wanted, resource);
  }
});

test('scopes and missing amounts', () => {
  const pods = evaluatorFor('', 'pods');
  const quota = (spec: ResourceQuota['spec']): ResourceQuota => ({ spec: spec!, status: { hard: { pods: '1' } } });
  const effort: Pod = { spec: { containers: [container('a', {})], priorityClassName: 'high' } };
  assert.ok(matchesQuota(quota({ scopes: ['BestEffort', 'NotTerminating'] }), pods, effort));
  assert.ok(!matchesQuota(quota({ scopes: ['Terminating'] }), pods, effort));
  const byClass = (operator: string, values?: string[]) =>
    quota({ scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator, ...(values && { values }) }] } });
  assert.ok(matchesQuota(byClass('In', ['high']), pods, effort));
  assert.ok(!matchesQuota(byClass('NotIn', ['high']), pods, effort));
  assert.ok(matchesQuota(byClass('DoesNotExist'), pods, { ...effort, spec: { containers: [] } } as Pod));
  assert.equal(
    pods.constraint!(['limits.cpu', 'requests.memory', 'pods'], effort),
    'must specify limits.cpu for: a; requests.memory for: a',
  );
  assert.deepEqual(exceeding(usageFrom({ cpu: '2', memory: '1' }), usageFrom({ cpu: '1500m' })), ['cpu']);
});
