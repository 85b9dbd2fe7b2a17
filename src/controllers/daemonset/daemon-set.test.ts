import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DaemonSet, Node } from '#api';
import { ControllerRevision as ControllerRevisionKind, DaemonSet as DaemonSetKind, Node as NodeKind, Pod as PodKind } from '#api';
import type { FakeApi } from '../testing/fake-api.ts';
import type { Harness } from '../testing/harness.ts';
import { harness, makeReady, playKubelet } from '../testing/harness.ts';
import { targetNode } from './daemon-pods.ts';
import { daemonSetController } from './daemon-set.ts';

const controllers = [daemonSetController];
const key = 'default/ds';
const node = (name: string, extra: object = {}): Node => ({ metadata: { name, labels: { kind: 'worker' } }, spec: {}, ...extra });
const daemonSet = (spec: object = {}): DaemonSet => ({
  metadata: { name: 'ds', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'ds' } },
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
    revisionHistoryLimit: 1,
    template: { metadata: { labels: { app: 'ds' } }, spec: { containers: [{ name: 'main', image: 'one' }] } },
    ...spec,
  },
});
const nodes =
  (...names: string[]) =>
  (api: FakeApi): void =>
    names.forEach((name) => void api.create(NodeKind, node(name)));
const where = (h: Harness): string[] => h.api.list(PodKind).map((pod) => targetNode(pod)!);

async function finish(h: Harness): Promise<void> {
  for (let turn = 0; turn < 30; turn++) {
    await h.settle();
    for (const pod of h.api.list(PodKind)) if (pod.status?.phase === 'Pending') makeReady(h.api, h.clock, pod, targetNode(pod));
    if (playKubelet(h.api, h.clock) === 0 && turn > 1) return;
  }
}

test('a DaemonSet runs one pod on each node that it tolerates, and counts them', async () => {
  await using h = await harness({ controllers, before: nodes('a', 'b') });
  h.api.create(NodeKind, node('tainted', { spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } }));
  h.api.create(NodeKind, node('cordoned', { spec: { taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] } }));
  h.api.create(DaemonSetKind, daemonSet());
  await finish(h);
  assert.deepEqual(where(h).toSorted(), ['a', 'b', 'cordoned']);
  const { status } = h.api.get(DaemonSetKind, key)!;
  assert.deepEqual(
    [
      status!.desiredNumberScheduled,
      status!.currentNumberScheduled,
      status!.numberReady,
      status!.updatedNumberScheduled,
      status!.observedGeneration,
    ],
    [3, 3, 3, 3, 1],
  );
  const [revision] = h.api.list(ControllerRevisionKind);
  assert.equal(
    revision!.metadata!.labels!['controller-revision-hash'],
    h.api.list(PodKind)[0]!.metadata!.labels!['controller-revision-hash'],
  );
  assert.deepEqual(h.complaints, []);
});

test('pods follow nodes that come, go, and change their labels', async () => {
  await using h = await harness({ controllers, before: nodes('a') });
  const template = { ...daemonSet().spec!.template, spec: { nodeSelector: { kind: 'worker' }, containers: [] } };
  h.api.create(DaemonSetKind, daemonSet({ template }));
  h.api.create(NodeKind, node('b'));
  await finish(h);
  assert.deepEqual(where(h).toSorted(), ['a', 'b']);
  h.api.change(NodeKind, 'b', (next) => void (next.metadata!.labels = {}));
  await finish(h);
  assert.deepEqual(where(h), ['a']);
});

test('a failed pod is replaced', async () => {
  await using h = await harness({ controllers, before: nodes('a') });
  h.api.create(DaemonSetKind, daemonSet());
  await finish(h);
  const [pod] = h.api.list(PodKind);
  h.api.change(PodKind, `default/${pod!.metadata!.name}`, (next) => void (next.status = { phase: 'Failed' }));
  await finish(h);
  assert.equal(h.api.list(PodKind).length, 1);
  assert.notEqual(h.api.list(PodKind)[0]!.metadata!.name, pod!.metadata!.name);
  assert.ok(h.events().some((event) => event.startsWith('FailedDaemonPod')));
});

for (const [what, rollingUpdate] of [
  ['one by one', { maxUnavailable: 1, maxSurge: 0 }],
  ['with surge', { maxUnavailable: 0, maxSurge: 1 }],
] as const)
  test(`an update replaces pods ${what}, and keeps a short history`, async () => {
    await using h = await harness({ controllers, before: nodes('a', 'b', 'c') });
    h.api.create(DaemonSetKind, daemonSet({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } }));
    await finish(h);
    for (const image of ['two', 'three']) {
      h.api.change(DaemonSetKind, key, (next) => void (next.spec!.template.spec!.containers[0]!.image = image));
      for (let turn = 0; turn < 20; turn++) {
        await h.settle();
        const pods = h.api.list(PodKind).filter((pod) => !pod.metadata!.deletionTimestamp);
        const ready = pods.filter((pod) => pod.status?.phase === 'Running').length;
        assert.ok(ready >= (what === 'with surge' ? 3 : 2) && pods.length <= 4, `${ready} of ${pods.length} ready`);
        for (const pod of pods) if (pod.status?.phase === 'Pending') makeReady(h.api, h.clock, pod, targetNode(pod));
        playKubelet(h.api, h.clock);
      }
    }
    assert.deepEqual(
      h.api.list(PodKind).map((pod) => pod.spec!.containers[0]!.image),
      ['three', 'three', 'three'],
    );
    assert.equal(h.api.list(ControllerRevisionKind).length, 2);
    assert.equal(h.api.get(DaemonSetKind, key)!.status!.updatedNumberScheduled, 3);
    assert.deepEqual(h.complaints, []);
  });

test('with OnDelete nothing is replaced until it is deleted', async () => {
  await using h = await harness({ controllers, before: nodes('a') });
  h.api.create(DaemonSetKind, daemonSet({ updateStrategy: { type: 'OnDelete' } }));
  await finish(h);
  h.api.change(DaemonSetKind, key, (next) => void (next.spec!.template.spec!.containers[0]!.image = 'two'));
  await finish(h);
  const [pod] = h.api.list(PodKind);
  assert.equal(pod!.spec!.containers[0]!.image, 'one');
  h.api.delete(PodKind, `default/${pod!.metadata!.name}`);
  await finish(h);
  assert.equal(h.api.list(PodKind)[0]!.spec!.containers[0]!.image, 'two');
});
