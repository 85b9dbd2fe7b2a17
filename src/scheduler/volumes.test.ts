import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CSINode, Node, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '#api';
import { draft } from '#machinery/meta';
import { testCluster, testNode, testPod } from './test-cluster.ts';
import type { TestCluster } from './test-cluster.ts';

const claim = (name: string, spec: Partial<PersistentVolumeClaim['spec']>, bound = false): PersistentVolumeClaim => ({
  metadata: { name, namespace: 'default', ...(bound && { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } }) },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
});
const volume = (name: string, size: string, node: string | undefined, spec: Partial<PersistentVolume['spec']> = {}): PersistentVolume => ({
  metadata: { name },
  spec: {
    capacity: { storage: size },
    accessModes: ['ReadWriteOnce'],
    storageClassName: 'late',
    ...(node && {
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }] },
      },
    }),
    ...spec,
  },
  status: { phase: 'Available' },
});
const storageClass = (name: string, provisioner: string): StorageClass => ({
  metadata: { name },
  provisioner,
  volumeBindingMode: 'WaitForFirstConsumer',
});
const using = (...claims: string[]): { spec: Partial<NonNullable<Pod['spec']>> } => ({
  spec: { volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })) },
});
const message = (cluster: TestCluster, pod = 'default/p'): string | undefined => cluster.pod(pod)!.status?.conditions?.[0]?.message;

async function twoNodes(): Promise<TestCluster> {
  const cluster = await testCluster();
  cluster.set(Node, testNode('a'), testNode('b'));
  cluster.set(StorageClass, storageClass('late', 'kubernetes.io/no-provisioner'), storageClass('made', 'example.com/maker'));
  return cluster;
}

test('a pod goes where its volume is', async () => {
  const cluster = await twoNodes();
  cluster.set(PersistentVolume, volume('v', '1Gi', 'b'));
  cluster.set(PersistentVolumeClaim, claim('c', { volumeName: 'v' }, true));
  cluster.set(Pod, testPod('p', using('c')));
  await cluster.settle();
  assert.equal(cluster.pod('default/p')!.spec!.nodeName, 'b');
  await cluster.stop();
});

test('a pod waits for claims that are not there or not bound', async () => {
  const cluster = await twoNodes();
  cluster.set(Pod, testPod('p', using('c')));
  await cluster.settle();
  const tail = 'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
  assert.equal(message(cluster), `0/2 nodes are available: persistentvolumeclaim "c" not found. ${tail}`);
  cluster.set(PersistentVolumeClaim, claim('c', {}));
  await cluster.settle();
  assert.equal(message(cluster), `0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. ${tail}`);
  cluster.set(PersistentVolume, volume('v', '1Gi', undefined));
  cluster.set(PersistentVolumeClaim, claim('c', { volumeName: 'v' }, true));
  await cluster.settle();
  assert.ok(cluster.pod('default/p')!.spec!.nodeName);
  await cluster.stop();
});

test('the smallest volume that will do is bound when its pod is placed', async () => {
  const cluster = await twoNodes();
  cluster.set(PersistentVolume, volume('large', '5Gi', 'b'), volume('small', '500Mi', 'a'), volume('right', '2Gi', 'b'));
  cluster.set(PersistentVolumeClaim, claim('c', { storageClassName: 'late' }));
  cluster.set(Pod, testPod('p', using('c')));
  await cluster.settle();
  assert.equal(cluster.get(PersistentVolume, 'right')!.spec!.claimRef!.name, 'c');
  assert.equal(cluster.pod('default/p')!.spec!.nodeName, undefined, 'waits for the volume controller');
  const bound = draft(cluster.get(PersistentVolumeClaim, 'default/c')!);
  bound.spec!.volumeName = 'right';
  bound.metadata!.annotations = { 'pv.kubernetes.io/bind-completed': 'yes' };
  cluster.set(PersistentVolumeClaim, bound);
  await cluster.settle();
  assert.equal(cluster.pod('default/p')!.spec!.nodeName, 'b');
  await cluster.stop();
  assert.equal(cluster.clock.pending, 0);
});

test('a claim to be provisioned is told its node; when that takes too long, the pod is tried again', async () => {
  const cluster = await twoNodes();
  cluster.set(PersistentVolumeClaim, claim('c', { storageClassName: 'made' }));
  cluster.set(Pod, testPod('p', { spec: { ...using('c').spec, nodeSelector: { 'kubernetes.io/hostname': 'b' } } }));
  await cluster.settle();
  assert.equal(cluster.get(PersistentVolumeClaim, 'default/c')!.metadata!.annotations!['volume.kubernetes.io/selected-node'], 'b');
  await cluster.settle(600_001);
  assert.equal(message(cluster), 'binding volumes: context deadline exceeded');
  await cluster.stop();
});

test('a volume that nobody has and nobody makes keeps the pod waiting', async () => {
  const cluster = await twoNodes();
  cluster.set(PersistentVolumeClaim, claim('c', { storageClassName: 'late' }));
  cluster.set(Pod, testPod('p', using('c')));
  await cluster.settle();
  assert.match(message(cluster)!, /^0\/2 nodes are available: 2 node\(s\) didn't find available persistent volumes to bind\./);
  await cluster.stop();
});

test('a ReadWriteOncePod claim has one user', async () => {
  const cluster = await twoNodes();
  cluster.set(PersistentVolume, volume('v', '1Gi', undefined));
  cluster.set(PersistentVolumeClaim, claim('c', { volumeName: 'v', accessModes: ['ReadWriteOncePod'] }, true));
  cluster.set(Pod, testPod('first', { spec: { ...using('c').spec, nodeName: 'a' } }));
  cluster.set(Pod, testPod('p', using('c')));
  await cluster.settle();
  assert.match(
    message(cluster)!,
    /2 node\(s\) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod/,
  );
  cluster.remove(Pod, 'default/first');
  await cluster.settle();
  assert.ok(cluster.pod('default/p')!.spec!.nodeName);
  await cluster.stop();
});

test('nodes take no more volumes than their driver can attach', async () => {
  const cluster = await twoNodes();
  for (const name of ['a', 'b'])
    cluster.set(CSINode, { metadata: { name }, spec: { drivers: [{ name: 'csi', nodeID: name, allocatable: { count: 1 } }] } } as CSINode);
  for (const name of ['one', 'two', 'three']) {
    cluster.set(PersistentVolume, volume(name, '1Gi', undefined, { csi: { driver: 'csi', volumeHandle: name } }));
    cluster.set(PersistentVolumeClaim, claim(name, { volumeName: name }, true));
    cluster.set(Pod, testPod(name, using(name)));
    await cluster.settle();
  }
  assert.notEqual(cluster.pod('default/one')!.spec!.nodeName, cluster.pod('default/two')!.spec!.nodeName);
  assert.match(message(cluster, 'default/three')!, /2 node\(s\) exceed max volume count/);
  await cluster.stop();
});

test('a volume in a zone is used there', async () => {
  const cluster = await testCluster();
  cluster.set(
    Node,
    testNode('a', { labels: { 'topology.kubernetes.io/zone': '1' } }),
    testNode('b', { labels: { 'topology.kubernetes.io/zone': '2' } }),
  );
  const zoned = volume('v', '1Gi', undefined);
  zoned.metadata!.labels = { 'topology.kubernetes.io/zone': '2' };
  cluster.set(PersistentVolume, zoned);
  cluster.set(PersistentVolumeClaim, claim('c', { volumeName: 'v' }, true));
  cluster.set(Pod, testPod('p', using('c')));
  await cluster.settle();
  assert.equal(cluster.pod('default/p')!.spec!.nodeName, 'b');
  await cluster.stop();
});
