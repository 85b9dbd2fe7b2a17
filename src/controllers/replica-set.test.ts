import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReplicaSet } from '#api';
import { Pod as PodKind, ReplicaSet as ReplicaSetKind, ReplicationController as ReplicationControllerKind } from '#api';
import { forbidden } from '#machinery/status';
import { replicaSetController } from './replica-set.ts';
import { replicationControllerController } from './replication-controller.ts';
import { harness, makeReady, playKubelet } from './testing/harness.ts';

const labels = { app: 'web' };
const replicaSet = (replicas: number, extra: object = {}): ReplicaSet => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'i' }] } },
    ...extra,
  },
});
const controllers = [replicaSetController, replicationControllerController];

test('a ReplicaSet makes exactly its pods, and says so in its status', async () => {
  await using h = await harness({ controllers });
  h.api.create(ReplicaSetKind, replicaSet(20));
  await h.settle();
  const pods = h.api.list(PodKind);
  assert.equal(pods.length, 20);
  assert.equal(pods[0]!.metadata!.ownerReferences![0]!.kind, 'ReplicaSet');
  assert.match(pods[0]!.metadata!.name!, /^web-[a-z0-9]{5}$/);
  playKubelet(h.api, h.clock);
  await h.settle();
  const { status } = h.api.get(ReplicaSetKind, 'default/web')!;
  assert.deepEqual(
    { ...status },
    {
      replicas: 20,
      fullyLabeledReplicas: 20,
      readyReplicas: 20,
      availableReplicas: 20,
      terminatingReplicas: 0,
      conditions: undefined,
      observedGeneration: 1,
    },
  );
  assert.equal(h.events().filter((event) => event.startsWith('SuccessfulCreate Created pod: web-')).length > 5, true);
  assert.deepEqual(h.complaints, []);
});

test('scaling down deletes pods that are least use first', async () => {
  await using h = await harness({ controllers });
  h.api.create(ReplicaSetKind, replicaSet(4));
  await h.settle();
  const [a, b, c] = h.api.list(PodKind);
  for (const pod of [a!, b!, c!]) makeReady(h.api, h.clock, pod);
  h.api.change(PodKind, `default/${b!.metadata!.name}`, (pod) => {
    pod.metadata!.annotations = { 'controller.kubernetes.io/pod-deletion-cost': '-5' };
  });
  h.api.change(ReplicaSetKind, 'default/web', (set) => void (set.spec!.replicas = 2));
  await h.settle();
  playKubelet(h.api, h.clock);
  await h.settle();
  assert.deepEqual(
    h.api.list(PodKind).map((pod) => pod.metadata!.name),
    [a!.metadata!.name, c!.metadata!.name],
  );
});

test('pods that match are adopted, pods that no longer match are released and replaced', async () => {
  await using h = await harness({ controllers });
  h.api.create(PodKind, { metadata: { name: 'orphan', namespace: 'default', labels }, spec: { containers: [] } });
  h.api.create(ReplicaSetKind, replicaSet(2));
  await h.settle();
  assert.equal(h.api.list(PodKind).length, 2);
  assert.equal(h.api.get(PodKind, 'default/orphan')!.metadata!.ownerReferences![0]!.name, 'web');
  h.api.change(PodKind, 'default/orphan', (pod) => void (pod.metadata!.labels = { app: 'other' }));
  await h.settle();
  assert.equal(h.api.list(PodKind).length, 3);
  assert.deepEqual(h.api.get(PodKind, 'default/orphan')!.metadata!.ownerReferences ?? [], []);
});

test('a refused creation is a condition and an event, and is gone when creations work again', async () => {
  await using h = await harness({ controllers });
  let refuse = true;
  h.api.reactions.push((call) =>
    refuse && call.verb === 'create' && call.kind.kind === 'Pod' ? forbidden(call.kind, '', 'exceeded quota') : undefined,
  );
  h.api.create(ReplicaSetKind, replicaSet(10));
  await h.settle();
  const failure = h.api.get(ReplicaSetKind, 'default/web')!.status!.conditions![0]!;
  assert.deepEqual([failure.type, failure.status, failure.reason], ['ReplicaFailure', 'True', 'FailedCreate']);
  assert.match(failure.message!, /exceeded quota/);
  assert.ok(h.events().some((event) => event.startsWith('FailedCreate Error creating: pods is forbidden')));
  refuse = false;
  await h.pass(60_000);
  assert.equal(h.api.list(PodKind).length, 10);
  assert.deepEqual(h.api.get(ReplicaSetKind, 'default/web')!.status!.conditions ?? [], []);
});

test('availability waits for minReadySeconds', async () => {
  await using h = await harness({ controllers });
  h.api.create(ReplicaSetKind, replicaSet(1, { minReadySeconds: 30 }));
  await h.settle();
  playKubelet(h.api, h.clock);
  await h.settle();
  assert.equal(h.api.get(ReplicaSetKind, 'default/web')!.status!.availableReplicas, 0);
  await h.pass(31_000);
  assert.equal(h.api.get(ReplicaSetKind, 'default/web')!.status!.availableReplicas, 1);
});

test('a deleted or failed pod is replaced', async () => {
  await using h = await harness({ controllers });
  h.api.create(ReplicaSetKind, replicaSet(2));
  await h.settle();
  const [first, second] = h.api.list(PodKind);
  h.api.delete(PodKind, `default/${first!.metadata!.name}`);
  h.api.change(PodKind, `default/${second!.metadata!.name}`, (pod) => void (pod.status = { phase: 'Failed' }));
  await h.settle();
  const active = h.api.list(PodKind).filter((pod) => pod.status?.phase !== 'Failed');
  assert.equal(active.length, 2);
});

test('a ReplicationController does the same with a plain selector', async () => {
  await using h = await harness({ controllers });
  h.api.create(ReplicationControllerKind, {
    metadata: { name: 'rc', namespace: 'default' },
    spec: { replicas: 3, selector: labels, template: { metadata: { labels }, spec: { containers: [] } } },
  });
  await h.settle();
  assert.equal(h.api.list(PodKind).length, 3);
  assert.equal(h.api.get(ReplicationControllerKind, 'default/rc')!.status!.replicas, 3);
  assert.equal('terminatingReplicas' in h.api.get(ReplicationControllerKind, 'default/rc')!.status!, false);
});
