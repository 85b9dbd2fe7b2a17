import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, ReplicaSet } from '#api';
import { Deployment as DeploymentKind, Pod as PodKind, ReplicaSet as ReplicaSetKind } from '#api';
import { replicaSetController } from '../replica-set.ts';
import type { Harness } from '../testing/harness.ts';
import { harness, playKubelet } from '../testing/harness.ts';
import { deploymentController } from './deployment.ts';

const labels = { app: 'web' };
const controllers = [deploymentController, replicaSetController];
const deployment = (replicas: number, extra: object = {}): Deployment => ({
  metadata: { name: 'web', namespace: 'default', annotations: { team: 'a' } },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'one' }] } },
    ...extra,
  },
});

const key = 'default/web';
const current = (h: Harness): Deployment => h.api.get(DeploymentKind, key)!;
const conditionsOf = (h: Harness): Record<string, string> =>
  Object.fromEntries((current(h).status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]));
const sets = (h: Harness): Record<string, number> =>
  Object.fromEntries(
    h.api.list(ReplicaSetKind).map((set: ReplicaSet) => [set.spec!.template!.spec!.containers[0]!.image!, set.spec!.replicas!]),
  );
const setImage = (h: Harness, image: string): void =>
  void h.api.change(DeploymentKind, key, (next) => void (next.spec!.template.spec!.containers[0]!.image = image));

async function finish(h: Harness): Promise<void> {
  for (let turn = 0; turn < 30; turn++) {
    await h.settle();
    if (playKubelet(h.api, h.clock) === 0) return;
  }
}

test('a Deployment makes a ReplicaSet with hash, revision and sizes, and reports availability', async () => {
  await using h = await harness({ controllers });
  h.api.create(DeploymentKind, deployment(4));
  await h.settle();
  const [set] = h.api.list(ReplicaSetKind);
  assert.match(set!.metadata!.name!, /^web-[bcdfghjklmnpqrstvwxz2456789]{8,10}$/);
  const hash = set!.metadata!.labels!['pod-template-hash'];
  assert.equal(set!.metadata!.name, `web-${hash}`);
  assert.deepEqual(set!.spec!.selector!.matchLabels, { app: 'web', 'pod-template-hash': hash });
  assert.deepEqual(set!.metadata!.annotations, {
    team: 'a',
    'deployment.kubernetes.io/revision': '1',
    'deployment.kubernetes.io/desired-replicas': '4',
    'deployment.kubernetes.io/max-replicas': '5',
  });
  assert.equal(current(h).metadata!.annotations!['deployment.kubernetes.io/revision'], '1');
  assert.deepEqual(conditionsOf(h), { Available: 'False MinimumReplicasUnavailable', Progressing: 'True ReplicaSetUpdated' });
  await finish(h);
  assert.deepEqual(conditionsOf(h), { Available: 'True MinimumReplicasAvailable', Progressing: 'True NewReplicaSetAvailable' });
  const { replicas, updatedReplicas, readyReplicas, availableReplicas, unavailableReplicas, observedGeneration } = current(h).status!;
  assert.deepEqual(
    [replicas, updatedReplicas, readyReplicas, availableReplicas, unavailableReplicas, observedGeneration],
    [4, 4, 4, 4, 0, 1],
  );
  assert.ok(h.events().some((event) => event === `ScalingReplicaSet Scaled up replica set web-${hash} from 0 to 4`));
  assert.deepEqual(h.complaints, []);
});

test('a rolling update never leaves the fences and ends on the new template', async () => {
  await using h = await harness({ controllers });
  h.api.create(DeploymentKind, deployment(8));
  await finish(h);
  setImage(h, 'two');
  for (let turn = 0; turn < 40; turn++) {
    await h.settle();
    const pods = h.api.list(PodKind).filter((pod) => !pod.metadata!.deletionTimestamp);
    const ready = pods.filter((pod) => pod.status?.phase === 'Running');
    assert.ok(pods.length <= 10 && ready.length >= 6, `${pods.length} pods, ${ready.length} ready`);
    if (playKubelet(h.api, h.clock) === 0) break;
  }
  assert.deepEqual(sets(h), { one: 0, two: 8 });
  assert.equal(current(h).metadata!.annotations!['deployment.kubernetes.io/revision'], '2');
  assert.equal(conditionsOf(h)['Progressing'], 'True NewReplicaSetAvailable');
});

test('rolling back reuses the ReplicaSet with a new revision and a history', async () => {
  await using h = await harness({ controllers });
  h.api.create(DeploymentKind, deployment(2));
  await finish(h);
  setImage(h, 'two');
  await finish(h);
  setImage(h, 'one');
  await finish(h);
  const [first] = h.api.list(ReplicaSetKind);
  assert.equal(first!.spec!.replicas, 2);
  assert.equal(first!.metadata!.annotations!['deployment.kubernetes.io/revision'], '3');
  assert.equal(first!.metadata!.annotations!['deployment.kubernetes.io/revision-history'], '1');
  h.api.change(DeploymentKind, key, (next) => void (next.metadata!.annotations!['deprecated.deployment.rollback.to'] = '0'));
  await finish(h);
  assert.deepEqual(sets(h), { one: 0, two: 2 });
  assert.ok(h.events().includes('DeploymentRollback Rolled back deployment "web" to revision 2'));
});

test('Recreate ends all old pods before it makes new ones', async () => {
  await using h = await harness({ controllers });
  h.api.create(DeploymentKind, deployment(3, { strategy: { type: 'Recreate' } }));
  await finish(h);
  setImage(h, 'two');
  await h.settle();
  assert.deepEqual(sets(h), { one: 0 });
  assert.equal(h.api.list(PodKind).filter((pod) => pod.metadata!.deletionTimestamp).length, 3);
  await finish(h);
  assert.deepEqual(sets(h), { one: 0, two: 3 });
  assert.equal(h.api.list(PodKind).length, 3);
});

test('a paused Deployment scales but does not roll out', async () => {
  await using h = await harness({ controllers });
  h.api.create(DeploymentKind, deployment(2));
  await finish(h);
  h.api.change(DeploymentKind, key, (next) => {
    next.spec!.paused = true;
    next.spec!.replicas = 5;
    next.spec!.template.spec!.containers[0]!.image = 'two';
  });
  await finish(h);
  assert.deepEqual(sets(h), { one: 5 });
  assert.equal(conditionsOf(h)['Progressing'], 'Unknown DeploymentPaused');
  h.api.change(DeploymentKind, key, (next) => void (next.spec!.paused = false));
  await finish(h);
  assert.deepEqual(sets(h), { one: 0, two: 5 });
});

test('scaling in the middle of a rollout is proportional', async () => {
  await using h = await harness({ controllers });
  h.api.create(DeploymentKind, deployment(10, { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }));
  await finish(h);
  setImage(h, 'broken');
  for (let turn = 0; turn < 5; turn++) {
    await h.settle();
    for (const pod of h.api.list(PodKind)) if (pod.metadata!.deletionTimestamp) h.api.finish(PodKind, `default/${pod.metadata!.name}`);
  }
  assert.deepEqual(sets(h), { one: 8, broken: 5 });
  h.api.change(DeploymentKind, key, (next) => void (next.spec!.replicas = 30));
  await h.settle();
  assert.deepEqual(sets(h), { one: 20, broken: 13 });
});

test('a rollout without progress times out', async () => {
  await using h = await harness({ controllers });
  h.api.create(DeploymentKind, deployment(1, { progressDeadlineSeconds: 10 }));
  await h.pass(15_000);
  assert.equal(conditionsOf(h)['Progressing'], 'False ProgressDeadlineExceeded');
});

test('old ReplicaSets beyond the history limit are deleted', async () => {
  await using h = await harness({ controllers });
  h.api.create(DeploymentKind, deployment(1, { revisionHistoryLimit: 1 }));
  await finish(h);
  for (const image of ['two', 'three', 'four']) {
    setImage(h, image);
    await finish(h);
  }
  assert.deepEqual(Object.keys(sets(h)), ['three', 'four']);
});

test('a hash collision is resolved by counting it', async () => {
  await using h = await harness({ controllers });
  h.api.create(DeploymentKind, deployment(1));
  await finish(h);
  const [own] = h.api.list(ReplicaSetKind);
  h.api.delete(DeploymentKind, key);
  h.api.change(ReplicaSetKind, `default/${own!.metadata!.name}`, (set) => {
    set.metadata!.ownerReferences = [];
    set.metadata!.labels = {};
    set.spec!.template!.spec!.containers[0]!.image = 'other';
  });
  h.api.create(DeploymentKind, deployment(1));
  await h.pass(5000);
  assert.equal(current(h).status!.collisionCount, 1);
  assert.equal(h.api.list(ReplicaSetKind).length, 2);
});
