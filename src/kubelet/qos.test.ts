import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Pod, PodSpec } from '#api';
import { podLimits, podRequests } from './pod-resources.ts';
import { oomScoreAdjust, qosOf } from './qos.ts';

const container = (requests?: Record<string, string>, limits?: Record<string, string>, more: Partial<Container> = {}): Container => ({
  name: 'c',
  resources: { ...(requests && { requests }), ...(limits && { limits }) },
  ...more,
});
const pod = (containers: Container[], spec: Partial<PodSpec> = {}): Pod => ({ metadata: { name: 'p' }, spec: { containers, ...spec } });
const full = { cpu: '100m', memory: '64Mi' };

for (const [what, subject, want] of [
  ['nothing asked for', pod([container()]), 'BestEffort'],
  ['requests equal to limits', pod([container(full, full)]), 'Guaranteed'],
  ['one container without', pod([container(full, full), container()]), 'Burstable'],
  ['requests alone', pod([container({ cpu: '1m' })]), 'Burstable'],
  ['requests below limits', pod([container({ cpu: '50m', memory: '64Mi' }, full)]), 'Burstable'],
  ['only a limit for memory', pod([container({ memory: '64Mi' }, { memory: '64Mi' })]), 'Burstable'],
  ['limits for the whole pod', pod([container()], { resources: { requests: full, limits: full } }), 'Guaranteed'],
] as const)
  test(`${what} is ${want}`, () => assert.equal(qosOf(subject), want));

test('init containers count by their greatest, sidecars with what follows them', () => {
  const subject = pod([container({ cpu: '1' })], {
    initContainers: [container({ cpu: '500m' }, {}, { name: 's', restartPolicy: 'Always' }), container({ cpu: '2' }, {}, { name: 'i' })],
    overhead: { cpu: '100m' },
  });
  assert.equal(podRequests(subject).get('cpu')?.toString(), '2600m');
  assert.equal(podLimits(subject).get('cpu'), undefined);
});

test('who asks for more memory dies later', () => {
  const memory = 4 * 2 ** 30;
  assert.equal(oomScoreAdjust(pod([container(full, full)]), container(full, full), memory), -997);
  assert.equal(oomScoreAdjust(pod([container()]), container(), memory), 1000);
  const half = container({ memory: '2Gi' });
  assert.equal(oomScoreAdjust(pod([half]), half, memory), 500);
  const little = container({ cpu: '1m' });
  assert.equal(oomScoreAdjust(pod([little]), little, memory), 999);
});
