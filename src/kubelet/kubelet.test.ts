import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '#api';
import { harness } from './testing/harness.ts';

const sleeper = { name: 'main', image: 'busybox:1', imagePullPolicy: 'IfNotPresent', command: ['sleep', 'infinity'] };

test('a pod with one container becomes ready, and its node too', async () => {
  await using kubelet = await harness();
  const node = kubelet.api.object<Node>('nodes', undefined, 'node-1')!;
  assert.equal(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  kubelet.run('web', { containers: [sleeper] });
  await kubelet.settle();
  const { status } = kubelet.pod('web')!;
  assert.equal(status?.phase, 'Running');
  assert.deepEqual(Object.fromEntries(status!.conditions!.map(({ type, status: is }) => [type, is])), {
    PodReadyToStartContainers: 'True',
    Initialized: 'True',
    Ready: 'True',
    ContainersReady: 'True',
    PodScheduled: 'True',
  });
  assert.equal(status?.podIP, '10.1.0.1');
  assert.equal(status?.hostIP, '192.168.0.1');
  const [container] = status!.containerStatuses!;
  assert.equal(container!.ready, true);
  assert.equal(container!.started, true);
  assert.match(container!.containerID!, /^simulated:\/\//);
  assert.deepEqual(kubelet.reasons('web'), ['Pulling', 'Pulled', 'Created', 'Started']);
});

test('a deleted pod is ended, and leaves the API and the runtime', async () => {
  await using kubelet = await harness();
  kubelet.run('web', { containers: [sleeper] });
  await kubelet.settle();
  kubelet.api.deletePod('default', 'web');
  await kubelet.settle();
  assert.equal(kubelet.pod('web'), undefined);
  assert.deepEqual((await kubelet.runtime.runtime.listPodSandbox({})).items, []);
  assert.ok(kubelet.reasons('web').includes('Killing'));
});
