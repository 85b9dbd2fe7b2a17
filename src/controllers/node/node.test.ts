import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod } from '#api';
import { Lease as LeaseKind, Node as NodeKind, Pod as PodKind } from '#api';
import { microTimestamp, timestamp } from '#machinery/clock';
import { podGarbageCollectorController } from '../pod-gc.ts';
import type { Harness } from '../testing/harness.ts';
import { harness, makeReady } from '../testing/harness.ts';
import { nodeIpamController } from './node-ipam.ts';
import { nodeLifecycleController } from './node-lifecycle.ts';
import { taintEvictionController } from './taint-eviction.ts';
import { ttlController } from './ttl.ts';

const node = (name: string, extra: object = {}): Node => ({
  metadata: { name, labels: { 'kubernetes.io/os': 'linux', 'topology.kubernetes.io/zone': name } },
  spec: {},
  ...extra,
});
const pod = (name: string, nodeName?: string, spec: object = {}): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { ...(nodeName && { nodeName }), containers: [], ...spec },
});

/** A kubelet's heartbeats. */
function beat(h: Harness, name: string): void {
  const key = `kube-node-lease/${name}`;
  const renewTime = microTimestamp(h.clock);
  if (h.api.get(LeaseKind, key)) h.api.change(LeaseKind, key, (lease) => void (lease.spec!.renewTime = renewTime));
  else h.api.create(LeaseKind, { metadata: { name, namespace: 'kube-node-lease' }, spec: { holderIdentity: name, renewTime } });
  h.api.change(NodeKind, name, (next) => {
    if (next.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')) return;
    const now = timestamp(h.clock);
    next.status = {
      conditions: [
        { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: now, lastTransitionTime: now },
        { type: 'MemoryPressure', status: 'False', lastTransitionTime: now },
      ],
    };
  });
}
const readyOf = (h: Harness, name: string): string =>
  h.api
    .get(NodeKind, name)!
    .status!.conditions!.filter(({ type }) => type === 'Ready')
    .map(({ status, reason }) => `${status} ${reason}`)[0]!;
const taintsOf = (h: Harness, name: string): string[] =>
  (h.api.get(NodeKind, name)!.spec!.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).toSorted();

test('a silent node becomes Unknown, is tainted, its pods are marked and then evicted; and it comes back', async () => {
  await using h = await harness({ controllers: [nodeLifecycleController, taintEvictionController] });
  for (const name of ['dead', 'alive']) {
    h.api.create(NodeKind, node(name));
    beat(h, name);
  }
  const seconds = (tolerationSeconds: number) => ({
    tolerations: [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds }],
  });
  makeReady(h.api, h.clock, h.api.create(PodKind, pod('p', 'dead', seconds(30))));
  await h.settle();
  assert.equal(h.api.get(NodeKind, 'dead')!.metadata!.labels!['beta.kubernetes.io/os'], 'linux');
  for (let second = 0; second < 60; second += 10) {
    beat(h, 'alive');
    await h.pass(10_000);
  }
  assert.equal(readyOf(h, 'alive'), 'True KubeletReady');
  assert.equal(readyOf(h, 'dead'), 'Unknown NodeStatusUnknown');
  assert.deepEqual(taintsOf(h, 'dead'), ['node.kubernetes.io/unreachable:NoExecute', 'node.kubernetes.io/unreachable:NoSchedule']);
  assert.equal(h.api.get(PodKind, 'default/p')!.status!.conditions![0]!.status, 'False');
  beat(h, 'alive');
  await h.pass(32_000);
  assert.ok(h.api.get(PodKind, 'default/p')!.metadata!.deletionTimestamp);
  assert.ok(h.events().some((event) => event === 'TaintManagerEviction Marking for deletion Pod default/p'));
  beat(h, 'dead');
  await h.settle();
  assert.deepEqual([readyOf(h, 'dead'), taintsOf(h, 'dead')], ['True KubeletReady', []]);
  assert.deepEqual(h.complaints, []);
});

test('when no node answers, nobody is evicted', async () => {
  await using h = await harness({ controllers: [nodeLifecycleController] });
  h.api.create(NodeKind, node('only'));
  beat(h, 'only');
  await h.pass(60_000);
  assert.deepEqual(taintsOf(h, 'only'), ['node.kubernetes.io/unreachable:NoSchedule']);
});

test('conditions and cordons are taints', async () => {
  await using h = await harness({ controllers: [nodeLifecycleController] });
  h.api.create(NodeKind, node('n', { spec: { unschedulable: true, taints: [{ key: 'mine', effect: 'NoSchedule' }] } }));
  beat(h, 'n');
  h.api.change(NodeKind, 'n', (next) => void (next.status!.conditions![1]!.status = 'True'));
  await h.settle();
  assert.deepEqual(taintsOf(h, 'n'), [
    'mine:NoSchedule',
    'node.kubernetes.io/memory-pressure:NoSchedule',
    'node.kubernetes.io/unschedulable:NoSchedule',
  ]);
});

test('NoExecute taints evict pods that do not tolerate them, at once or after a while; removing the taint cancels', async () => {
  await using h = await harness({ controllers: [taintEvictionController] });
  h.api.create(NodeKind, node('n'));
  const tolerations = (tolerationSeconds?: number) => ({
    tolerations: [{ key: 'evict', operator: 'Exists', effect: 'NoExecute', ...(tolerationSeconds !== undefined && { tolerationSeconds }) }],
  });
  h.api.create(PodKind, pod('none', 'n'));
  h.api.create(PodKind, pod('short', 'n', tolerations(5)));
  h.api.create(PodKind, pod('long', 'n', tolerations(60)));
  h.api.create(PodKind, pod('forever', 'n', tolerations()));
  const left = (): string[] =>
    h.api
      .list(PodKind)
      .filter((each) => !each.metadata!.deletionTimestamp)
      .map((each) => each.metadata!.name!);
  await h.settle();
  h.api.change(NodeKind, 'n', (next) => void (next.spec!.taints = [{ key: 'evict', effect: 'NoExecute' }]));
  await h.settle();
  assert.deepEqual(left(), ['short', 'long', 'forever']);
  const condition = h.api.get(PodKind, 'default/none')!.status!.conditions![0]!;
  assert.deepEqual([condition.type, condition.reason], ['DisruptionTarget', 'DeletionByTaintManager']);
  await h.pass(6000);
  assert.deepEqual(left(), ['long', 'forever']);
  h.api.change(NodeKind, 'n', (next) => void (next.spec!.taints = []));
  await h.pass(120_000);
  assert.deepEqual(left(), ['long', 'forever']);
  assert.ok(h.events().includes('TaintManagerEviction Cancelling deletion of Pod default/long'));
});

test('nodes get ranges of pod addresses; those of nodes that are gone are used again', async () => {
  const options = { allocateNodeCidrs: true, clusterCidrs: ['10.244.0.0/22'], serviceCidrs: ['10.244.3.0/24'], nodeCidrMaskSize: 24 };
  await using h = await harness({ controllers: [nodeIpamController, ttlController], options });
  for (const name of ['a', 'b', 'c', 'd']) h.api.create(NodeKind, node(name));
  await h.settle();
  const cidrs = (): (string | undefined)[] => h.api.list(NodeKind).map((each) => each.spec!.podCIDR);
  assert.deepEqual(cidrs(), ['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24', undefined]);
  h.api.delete(NodeKind, 'b');
  await h.pass(10_000);
  assert.deepEqual(cidrs(), ['10.244.0.0/24', '10.244.2.0/24', '10.244.1.0/24']);
  assert.equal(h.api.list(NodeKind)[0]!.metadata!.annotations!['node.alpha.kubernetes.io/ttl'], '0');
});

test('pods that no kubelet will remove are removed', async () => {
  await using h = await harness({ controllers: [podGarbageCollectorController], options: { terminatedPodThreshold: 3 } });
  h.api.create(NodeKind, node('n'));
  h.api.create(PodKind, pod('lost', 'gone'));
  const held = { ...pod('unscheduled'), metadata: { name: 'unscheduled', namespace: 'default', finalizers: ['x.io/hold'] } };
  h.api.create(PodKind, held);
  h.api.delete(PodKind, 'default/unscheduled');
  for (const name of ['e1', 'e2', 'e3']) h.api.create(PodKind, { ...pod(name, 'n'), status: { phase: 'Succeeded' } });
  await h.pass(30_000);
  assert.deepEqual(
    h.api.list(PodKind).map((each) => each.metadata!.name),
    ['lost', 'unscheduled', 'e2', 'e3'],
  );
  assert.equal(h.api.get(PodKind, 'default/unscheduled')!.status!.phase, 'Failed');
  await h.pass(15_000);
  assert.equal(h.api.get(PodKind, 'default/lost'), undefined);
});
