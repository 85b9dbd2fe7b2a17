import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatefulSet } from '#api';
import {
  ControllerRevision as ControllerRevisionKind,
  PersistentVolumeClaim as ClaimKind,
  Pod as PodKind,
  StatefulSet as StatefulSetKind,
} from '#api';
import { garbageCollectorController } from '../garbage-collector/garbage-collector.ts';
import type { Harness } from '../testing/harness.ts';
import { harness, makeReady } from '../testing/harness.ts';
import { statefulSetController } from './stateful-set.ts';

const controllers = [statefulSetController];
const key = 'default/ss';
const statefulSet = (spec: object = {}): StatefulSet => ({
  metadata: { name: 'ss', namespace: 'default' },
  spec: {
    replicas: 3,
    serviceName: 'svc',
    selector: { matchLabels: { app: 'ss' } },
    podManagementPolicy: 'OrderedReady',
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    revisionHistoryLimit: 10,
    template: { metadata: { labels: { app: 'ss' } }, spec: { containers: [{ name: 'main', image: 'one' }] } },
    ...spec,
  },
});
const names = (h: Harness): string[] =>
  h.api
    .list(PodKind)
    .map((pod) => pod.metadata!.name!)
    .toSorted();
const images = (h: Harness): Record<string, string> =>
  Object.fromEntries(h.api.list(PodKind).map((pod) => [pod.metadata!.name, pod.spec!.containers[0]!.image]));
const change = (h: Harness, edit: (set: StatefulSet) => void): void => void h.api.change(StatefulSetKind, key, edit);
const setImage = (h: Harness, image: string): void => change(h, (set) => void (set.spec!.template.spec!.containers[0]!.image = image));

/** Lets kubelets do one thing at a time; answers what was done. */
async function step(h: Harness): Promise<string | undefined> {
  await h.settle();
  for (const pod of h.api.list(PodKind)) {
    const { name } = pod.metadata!;
    if (pod.metadata!.deletionTimestamp) {
      h.api.finish(PodKind, `default/${name}`);
      return `-${name}`;
    }
    if (pod.status?.phase === 'Pending') {
      makeReady(h.api, h.clock, pod);
      return `+${name}`;
    }
  }
  return undefined;
}
async function steps(h: Harness): Promise<string[]> {
  const done: string[] = [];
  for (let what = await step(h); what !== undefined; what = await step(h)) done.push(what);
  return done;
}

test('pods come up in order, each when the one before is ready, with names of their own', async () => {
  await using h = await harness({ controllers });
  h.api.create(StatefulSetKind, statefulSet());
  assert.deepEqual(await steps(h), ['+ss-0', '+ss-1', '+ss-2']);
  const pod = h.api.get(PodKind, 'default/ss-1')!;
  assert.deepEqual([pod.spec!.hostname, pod.spec!.subdomain], ['ss-1', 'svc']);
  assert.equal(pod.metadata!.labels!['statefulset.kubernetes.io/pod-name'], 'ss-1');
  assert.equal(pod.metadata!.labels!['apps.kubernetes.io/pod-index'], '1');
  const { status } = h.api.get(StatefulSetKind, key)!;
  assert.deepEqual(
    [status!.replicas, status!.readyReplicas, status!.availableReplicas, status!.currentReplicas, status!.updatedReplicas],
    [3, 3, 3, 3, 3],
  );
  assert.equal(status!.currentRevision, pod.metadata!.labels!['controller-revision-hash']);
  assert.ok(h.events().includes('SuccessfulCreate Create Pod ss-0 in StatefulSet ss successful'));
  assert.deepEqual(h.complaints, []);
});

test('scaling down goes from the highest ordinal, one at a time', async () => {
  await using h = await harness({ controllers });
  h.api.create(StatefulSetKind, statefulSet());
  await steps(h);
  change(h, (set) => void (set.spec!.replicas = 1));
  assert.deepEqual(await steps(h), ['-ss-2', '-ss-1']);
});

test('with Parallel all come at once', async () => {
  await using h = await harness({ controllers });
  h.api.create(StatefulSetKind, statefulSet({ podManagementPolicy: 'Parallel' }));
  await h.settle();
  assert.deepEqual(names(h), ['ss-0', 'ss-1', 'ss-2']);
});

test('an update replaces pods from the highest ordinal down to the partition', async () => {
  await using h = await harness({ controllers });
  h.api.create(StatefulSetKind, statefulSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } }));
  await steps(h);
  setImage(h, 'two');
  assert.deepEqual(await steps(h), ['-ss-2', '+ss-2', '-ss-1', '+ss-1']);
  assert.deepEqual(images(h), { 'ss-0': 'one', 'ss-1': 'two', 'ss-2': 'two' });
  let { status } = h.api.get(StatefulSetKind, key)!;
  assert.deepEqual([status!.currentReplicas, status!.updatedReplicas, status!.currentRevision === status!.updateRevision], [1, 2, false]);
  // A pod below the partition comes back as it was.
  h.api.delete(PodKind, 'default/ss-0');
  await steps(h);
  assert.equal(images(h)['ss-0'], 'one');
  change(h, (set) => void (set.spec!.updateStrategy!.rollingUpdate!.partition = 0));
  await steps(h);
  ({ status } = h.api.get(StatefulSetKind, key)!);
  assert.deepEqual([images(h)['ss-0'], status!.currentReplicas, status!.currentRevision === status!.updateRevision], ['two', 3, true]);
});

test('going back to an old template uses its revision again', async () => {
  await using h = await harness({ controllers });
  h.api.create(StatefulSetKind, statefulSet({ replicas: 1 }));
  await steps(h);
  const first = h.api.get(StatefulSetKind, key)!.status!.currentRevision;
  setImage(h, 'two');
  await steps(h);
  setImage(h, 'one');
  await steps(h);
  assert.equal(h.api.get(StatefulSetKind, key)!.status!.currentRevision, first);
  assert.deepEqual(
    h.api
      .list(ControllerRevisionKind)
      .map(({ revision }) => revision)
      .toSorted((a, b) => a - b),
    [2, 3],
  );
});

test('a failed pod is made again; minReadySeconds is waited for', async () => {
  await using h = await harness({ controllers });
  h.api.create(StatefulSetKind, statefulSet({ replicas: 2, minReadySeconds: 20 }));
  await step(h);
  await h.settle();
  assert.deepEqual(names(h), ['ss-0']);
  await h.pass(21_000);
  assert.deepEqual(names(h), ['ss-0', 'ss-1']);
  const uid = h.api.get(PodKind, 'default/ss-0')!.metadata!.uid;
  h.api.change(PodKind, 'default/ss-0', (pod) => void (pod.status = { phase: 'Failed' }));
  await steps(h);
  assert.notEqual(h.api.get(PodKind, 'default/ss-0')!.metadata!.uid, uid);
});

for (const [whenScaled, left] of [
  ['Retain', ['data-ss-0', 'data-ss-1']],
  ['Delete', ['data-ss-0']],
] as const)
  test(`claims are made from templates; ${whenScaled} when scaled down`, async () => {
    await using h = await harness({ controllers: [statefulSetController, garbageCollectorController] });
    h.api.create(
      StatefulSetKind,
      statefulSet({
        replicas: 2,
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
        persistentVolumeClaimRetentionPolicy: { whenScaled, whenDeleted: 'Retain' },
      }),
    );
    await steps(h);
    assert.deepEqual(h.api.get(PodKind, 'default/ss-1')!.spec!.volumes, [
      { name: 'data', persistentVolumeClaim: { claimName: 'data-ss-1' } },
    ]);
    change(h, (set) => void (set.spec!.replicas = 1));
    await steps(h);
    await h.pass(2000);
    assert.deepEqual(
      h.api.list(ClaimKind).map((claim) => claim.metadata!.name),
      left,
    );
    assert.deepEqual(h.complaints, []);
  });
