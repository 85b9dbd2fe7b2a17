import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '#api';
import {
  Node as NodeKind,
  PersistentVolume as VolumeKind,
  PersistentVolumeClaim as ClaimKind,
  Pod as PodKind,
  StorageClass as ClassKind,
  VolumeAttachment as AttachmentKind,
} from '#api';
import type { Harness } from '../testing/harness.ts';
import { harness } from '../testing/harness.ts';
import { attachDetachController, attachmentName } from './attach-detach.ts';
import { persistentVolumeBinderController } from './binder.ts';
import { ephemeralVolumeController } from './ephemeral.ts';
import { claimProtectionController, volumeProtectionController } from './protection.ts';

const volume = (name: string, storage: string, spec: object = {}): PersistentVolume => ({
  metadata: { name },
  spec: { capacity: { storage }, accessModes: ['ReadWriteOnce'], persistentVolumeReclaimPolicy: 'Retain', storageClassName: '', ...spec },
});
const claim = (name: string, storage: string, spec: object = {}): PersistentVolumeClaim => ({
  metadata: { name, namespace: 'default' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, storageClassName: '', ...spec },
});
const pod = (name: string, claimName: string): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { nodeName: 'n', containers: [], volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] },
  status: { phase: 'Running' },
});
const phases = (h: Harness): string[] => [
  ...h.api.list(VolumeKind).map((each) => `${each.metadata!.name} ${each.status?.phase}`),
  ...h.api.list(ClaimKind).map((each) => `${each.metadata!.name} ${each.status?.phase} ${each.spec!.volumeName ?? '-'}`),
];

test('a claim gets the smallest volume that fits, and gives it back as its policy says', async () => {
  await using h = await harness({ controllers: [persistentVolumeBinderController] });
  h.api.create(VolumeKind, volume('big', '10Gi'));
  h.api.create(VolumeKind, volume('fits', '2Gi'));
  h.api.create(VolumeKind, volume('small', '1Mi'));
  h.api.create(ClaimKind, claim('c', '1Gi'));
  await h.settle();
  assert.deepEqual(phases(h), ['big Available', 'fits Bound', 'small Available', 'c Bound fits']);
  const { status, metadata } = h.api.get(ClaimKind, 'default/c')!;
  assert.deepEqual([status!.capacity, status!.accessModes], [{ storage: '2Gi' }, ['ReadWriteOnce']]);
  assert.deepEqual(metadata!.annotations, { 'pv.kubernetes.io/bind-completed': 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' });
  h.api.delete(ClaimKind, 'default/c');
  await h.settle();
  assert.equal(h.api.get(VolumeKind, 'fits')!.status!.phase, 'Released');
  assert.deepEqual(h.complaints, []);
});

test('a claim waits until a volume comes; one of another class or too small is not taken', async () => {
  await using h = await harness({ controllers: [persistentVolumeBinderController] });
  h.api.create(ClaimKind, claim('c', '1Gi', { storageClassName: 'fast' }));
  h.api.create(ClassKind, { metadata: { name: 'fast' }, provisioner: 'kubernetes.io/no-provisioner' });
  h.api.create(VolumeKind, volume('slow', '5Gi'));
  await h.settle();
  assert.equal(h.api.get(ClaimKind, 'default/c')!.spec!.volumeName, undefined);
  h.api.create(VolumeKind, volume('fast', '5Gi', { storageClassName: 'fast' }));
  await h.settle();
  assert.equal(h.api.get(ClaimKind, 'default/c')!.status!.phase, 'Bound');
});

test('a volume and a claim that name each other are bound; a wrong name is said', async () => {
  await using h = await harness({ controllers: [persistentVolumeBinderController] });
  h.api.create(VolumeKind, volume('v', '1Gi', { claimRef: { namespace: 'default', name: 'c' } }));
  h.api.create(ClaimKind, claim('c', '1Gi', { volumeName: 'v' }));
  h.api.create(ClaimKind, claim('d', '1Gi', { volumeName: 'v' }));
  await h.settle();
  assert.deepEqual(phases(h), ['v Bound', 'c Bound v', 'd Pending v']);
  assert.ok(h.events().includes('FailedBinding volume "v" already bound to a different claim.'));
});

test('a provisioner elsewhere is told; a class that waits for a pod waits', async () => {
  await using h = await harness({ controllers: [persistentVolumeBinderController] });
  h.api.create(ClassKind, { metadata: { name: 'now' }, provisioner: 'x.io/p', volumeBindingMode: 'Immediate' });
  h.api.create(ClassKind, { metadata: { name: 'later' }, provisioner: 'x.io/p', volumeBindingMode: 'WaitForFirstConsumer' });
  h.api.create(ClaimKind, claim('a', '1Gi', { storageClassName: 'now' }));
  h.api.create(ClaimKind, claim('b', '1Gi', { storageClassName: 'later' }));
  await h.settle();
  const provisioner = (name: string): unknown =>
    h.api.get(ClaimKind, `default/${name}`)!.metadata!.annotations?.['volume.kubernetes.io/storage-provisioner'];
  assert.deepEqual([provisioner('a'), provisioner('b')], ['x.io/p', undefined]);
  assert.ok(h.events().includes('WaitForFirstConsumer waiting for first consumer to be created before binding'));
});

test('claims and volumes in use are kept', async () => {
  await using h = await harness({ controllers: [claimProtectionController, volumeProtectionController] });
  h.api.create(ClaimKind, claim('c', '1Gi'));
  h.api.create(VolumeKind, { ...volume('v', '1Gi'), status: { phase: 'Bound' } });
  h.api.create(PodKind, pod('p', 'c'));
  await h.settle();
  h.api.delete(ClaimKind, 'default/c');
  h.api.delete(VolumeKind, 'v');
  await h.settle();
  assert.deepEqual([h.api.list(ClaimKind).length, h.api.list(VolumeKind).length], [1, 1]);
  h.api.delete(PodKind, 'default/p');
  h.api.finish(PodKind, 'default/p');
  h.api.change(VolumeKind, 'v', (next) => void (next.status!.phase = 'Released'));
  await h.settle();
  assert.deepEqual([h.api.list(ClaimKind).length, h.api.list(VolumeKind).length], [0, 0]);
});

test('a pod brings its claim along', async () => {
  await using h = await harness({ controllers: [ephemeralVolumeController] });
  const spec = claim('x', '1Gi').spec!;
  h.api.create(PodKind, {
    metadata: { name: 'p', namespace: 'default' },
    spec: {
      containers: [],
      volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { metadata: { labels: { a: 'b' } }, spec } } }],
    },
  });
  await h.settle();
  const made = h.api.get(ClaimKind, 'default/p-scratch')!;
  assert.deepEqual([made.metadata!.labels, made.metadata!.ownerReferences![0]!.kind], [{ a: 'b' }, 'Pod']);
});

test('CSI volumes of pods are attached to their node and detached when the kubelet has let go', async () => {
  await using h = await harness({ controllers: [attachDetachController] });
  const name = attachmentName('handle', 'd.io', 'n');
  const unique = 'kubernetes.io/csi/d.io^handle';
  h.api.create(NodeKind, { metadata: { name: 'n' }, status: { volumesInUse: [unique] } });
  h.api.create(VolumeKind, volume('v', '1Gi', { csi: { driver: 'd.io', volumeHandle: 'handle' } }));
  h.api.create(ClaimKind, claim('c', '1Gi', { volumeName: 'v' }));
  h.api.create(PodKind, pod('p', 'c'));
  await h.settle();
  h.api.change(AttachmentKind, name, (next) => void (next.status = { attached: true }));
  await h.settle();
  assert.deepEqual(h.api.get(NodeKind, 'n')!.status!.volumesAttached, [{ name: unique, devicePath: '' }]);
  h.api.finish(PodKind, 'default/p');
  await h.settle();
  assert.ok(h.api.get(AttachmentKind, name));
  h.api.change(NodeKind, 'n', (next) => void (next.status!.volumesInUse = []));
  await h.settle();
  assert.equal(h.api.get(AttachmentKind, name), undefined);
});
