import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Namespace, Node, Pod, PodDisruptionBudget, Service } from '#api';
import type { PodSpec } from '#api';
import { testCluster, testNode, testPod } from './test-cluster.ts';
import type { NodeShape, PodShape } from './test-cluster.ts';

interface Placement {
  name: string;
  nodes: Record<string, NodeShape>;
  /** Pods that run already: name → node and shape. */
  running?: Record<string, PodShape & { on: string }>;
  pod: PodShape;
  /** The nodes it may go to; empty: none. */
  goes: string[];
  message?: string;
}

const term = (labels: Record<string, string>, topologyKey = 'kubernetes.io/hostname'): object => ({
  labelSelector: { matchLabels: labels },
  topologyKey,
});
const antiAffinity = (labels: Record<string, string>): Partial<PodSpec> => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(labels)] } } as PodSpec['affinity'] & object,
});
const affinity = (labels: Record<string, string>, key?: string): Partial<PodSpec> => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term(labels, key)] } } as PodSpec['affinity'] & object,
});
const noPreemption = 'preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.';

const placements: Placement[] = [
  { name: 'puts a pod on the only node', nodes: { a: {} }, pod: {}, goes: ['a'] },
  {
    name: 'takes the node where requests fit',
    nodes: { small: { cpu: '1' }, big: { cpu: '8' } },
    pod: { requests: { cpu: '2' } },
    goes: ['big'],
  },
  {
    name: 'prefers the emptier node',
    nodes: { a: {}, b: {} },
    running: { busy: { on: 'a', requests: { cpu: '3', memory: '12Gi' } } },
    pod: { requests: { cpu: '100m', memory: '100Mi' } },
    goes: ['b'],
  },
  {
    name: 'tells what is missing',
    nodes: { a: { cpu: '1', memory: '1Gi' } },
    pod: { requests: { cpu: '2', memory: '2Gi' } },
    goes: [],
    message: `0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. ${noPreemption}`,
  },
  {
    name: 'counts extended resources',
    nodes: { a: { extra: { 'example.com/foo': '1' } } },
    pod: { requests: { 'example.com/foo': '2' } },
    goes: [],
    message: `0/1 nodes are available: 1 Insufficient example.com/foo. ${noPreemption}`,
  },
  {
    name: 'counts pods',
    nodes: { a: { pods: 1 } },
    running: { one: { on: 'a' } },
    pod: {},
    goes: [],
    message:
      '0/1 nodes are available: 1 Too many pods. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  },
  {
    name: 'keeps away from taints and cordons',
    nodes: { tainted: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] }, cordoned: { unschedulable: true } },
    pod: {},
    goes: [],
    message:
      '0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. ' +
      'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
  },
  {
    name: 'goes where its tolerations let it',
    nodes: { a: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } },
    pod: { spec: { tolerations: [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }] } },
    goes: ['a'],
  },
  {
    name: 'avoids PreferNoSchedule taints',
    nodes: { a: { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }, b: {} },
    pod: {},
    goes: ['b'],
  },
  {
    name: 'follows the node selector',
    nodes: { a: {}, b: { labels: { disk: 'ssd' } } },
    pod: { spec: { nodeSelector: { disk: 'ssd' } } },
    goes: ['b'],
  },
  {
    name: 'tells that no node matches the selector',
    nodes: { a: {} },
    pod: { spec: { nodeSelector: { disk: 'ssd' } } },
    goes: [],
    message: `0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. ${noPreemption}`,
  },
  {
    name: 'goes to a node named in its affinity',
    nodes: { a: {}, b: {}, c: {} },
    pod: {
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['c'] }] }],
            },
          },
        },
      },
    },
    goes: ['c'],
  },
  {
    name: 'weighs preferred node affinity',
    nodes: { a: {}, b: { labels: { disk: 'ssd' } } },
    pod: {
      spec: {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 10, preference: { matchExpressions: [{ key: 'disk', operator: 'Exists' }] } },
            ],
          },
        },
      },
    },
    goes: ['b'],
  },
  {
    name: 'does not share a host port',
    nodes: { a: {}, b: {} },
    running: { one: { on: 'a', spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort: 80 }] }] } } },
    pod: { spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort: 80 }] }] } },
    goes: ['b'],
  },
  {
    name: 'shares a host port on other addresses',
    nodes: { a: {} },
    running: {
      one: { on: 'a', spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort: 80, hostIP: '10.0.0.1' }] }] } },
    },
    pod: { spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80, hostPort: 80, hostIP: '10.0.0.2' }] }] } },
    goes: ['a'],
  },
  {
    name: 'honours anti-affinity of the incoming pod',
    nodes: { a: {}, b: {} },
    running: { one: { on: 'a', labels: { app: 'x' } } },
    pod: { spec: antiAffinity({ app: 'x' }) },
    goes: ['b'],
  },
  {
    name: 'honours anti-affinity of pods that run',
    nodes: { a: {} },
    running: { one: { on: 'a', spec: antiAffinity({ app: 'x' }) } },
    pod: { labels: { app: 'x' } },
    goes: [],
    message:
      "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules. " +
      'preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  },
  {
    name: 'goes to its friends',
    nodes: { a: { labels: { zone: '1' } }, b: { labels: { zone: '2' } }, c: { labels: { zone: '2' } } },
    running: { one: { on: 'b', labels: { app: 'x' } } },
    pod: { spec: affinity({ app: 'x' }, 'zone') },
    goes: ['b', 'c'],
  },
  {
    name: 'lets in the first of a group that wants to be together',
    nodes: { a: {} },
    pod: { labels: { app: 'x' }, spec: affinity({ app: 'x' }) },
    goes: ['a'],
  },
  {
    name: 'refuses affinity that nobody meets',
    nodes: { a: {} },
    pod: { spec: affinity({ app: 'x' }) },
    goes: [],
    message: `0/1 nodes are available: 1 node(s) didn't match pod affinity rules. ${noPreemption}`,
  },
  {
    name: 'spreads over zones',
    nodes: { a: { labels: { zone: '1' } }, b: { labels: { zone: '2' } } },
    running: { one: { on: 'a', labels: { app: 'x' } } },
    pod: {
      labels: { app: 'x' },
      spec: {
        topologySpreadConstraints: [
          { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'x' } } },
        ],
      },
    },
    goes: ['b'],
  },
  {
    name: 'prefers nodes that have the image',
    nodes: { a: {}, b: { images: [{ names: ['app:latest'], sizeBytes: 900 * 2 ** 20 }] } },
    pod: {},
    goes: ['b'],
  },
];

for (const { name, nodes, running = {}, pod, goes, message } of placements)
  test(`the scheduler ${name}`, async () => {
    const cluster = await testCluster();
    cluster.set(Namespace, { metadata: { name: 'default' } });
    for (const [node, shape] of Object.entries(nodes)) cluster.set(Node, testNode(node, shape));
    for (const [key, shape] of Object.entries(running))
      cluster.set(Pod, testPod(key, { ...shape, spec: { ...shape.spec, nodeName: shape.on } }));
    cluster.set(Pod, testPod('p', pod));
    await cluster.settle();
    const node = cluster.pod('default/p')!.spec!.nodeName;
    if (goes.length) {
      assert.ok(goes.includes(node ?? ''), `went to ${node}`);
      assert.deepEqual(cluster.events, [
        { object: 'default/p', reason: 'Scheduled', message: `Successfully assigned default/p to ${node}` },
      ]);
    } else {
      assert.equal(node, undefined);
      const condition = cluster.pod('default/p')!.status!.conditions![0]!;
      assert.equal(condition.message, message);
      assert.equal(condition.reason, 'Unschedulable');
      assert.deepEqual(cluster.events, [{ object: 'default/p', reason: 'FailedScheduling', message }]);
    }
    await cluster.stop();
    assert.equal(cluster.clock.pending, 0);
  });

test('a thousand equal pods are spread evenly over a hundred nodes', async () => {
  const cluster = await testCluster();
  for (let index = 0; index < 100; index++) cluster.set(Node, testNode(`n${index}`));
  for (let index = 0; index < 1000; index++) cluster.set(Pod, testPod(`p${index}`, { requests: { cpu: '100m', memory: '100Mi' } }));
  for (let turn = 0; turn < 20; turn++) await cluster.settle();
  const counts = new Map<string, number>();
  for (let index = 0; index < 1000; index++) {
    const node = cluster.pod(`default/p${index}`)!.spec!.nodeName!;
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  assert.deepEqual(new Set(counts.values()), new Set([10]));
  await cluster.stop();
});

test('pods of a Service are spread over hosts by default', async () => {
  const cluster = await testCluster();
  cluster.set(Service, { metadata: { name: 's', namespace: 'default' }, spec: { selector: { app: 'x' } } } as Service);
  for (const name of ['a', 'b', 'c']) cluster.set(Node, testNode(name));
  for (let index = 0; index < 9; index++) {
    cluster.set(Pod, testPod(`p${index}`, { labels: { app: 'x' } }));
    await cluster.settle();
  }
  const nodes = Array.from({ length: 9 }, (_, index) => cluster.pod(`default/p${index}`)!.spec!.nodeName);
  for (const name of ['a', 'b', 'c']) assert.equal(nodes.filter((node) => node === name).length, 3);
  await cluster.stop();
});

test('higher priority goes first', async () => {
  const cluster = await testCluster();
  cluster.set(Pod, testPod('low', { requests: { cpu: '3' }, spec: { priority: 1 } }));
  cluster.set(Pod, testPod('high', { requests: { cpu: '3' }, spec: { priority: 10 } }));
  cluster.set(Node, testNode('a'));
  await cluster.settle();
  assert.equal(cluster.pod('default/high')!.spec!.nodeName, 'a');
  assert.equal(cluster.pod('default/low')!.spec!.nodeName, undefined);
  await cluster.stop();
});

test('a waiting pod is tried again when a relevant event comes, and only then', async () => {
  const cluster = await testCluster();
  cluster.set(Node, testNode('a', { cpu: '1' }));
  cluster.set(Pod, testPod('p', { requests: { cpu: '2' } }));
  await cluster.settle();
  const attempts = (): number => cluster.decisions.length;
  assert.equal(attempts(), 1);
  cluster.set(Node, testNode('a', { cpu: '1', labels: { irrelevant: 'yes' } }));
  await cluster.settle(20_000);
  assert.equal(attempts(), 1);
  cluster.set(Node, testNode('small', { cpu: '1' }));
  await cluster.settle(20_000);
  assert.equal(attempts(), 1);
  cluster.set(Node, testNode('a', { cpu: '4' }));
  await cluster.settle();
  assert.equal(cluster.pod('default/p')!.spec!.nodeName, 'a');
  await cluster.stop();
});

test('a waiting pod is tried again after five minutes at the latest', async () => {
  const cluster = await testCluster();
  cluster.set(Node, testNode('a', { cpu: '1' }));
  cluster.set(Pod, testPod('p', { requests: { cpu: '2' } }));
  await cluster.settle();
  await cluster.settle(5 * 60_000 + 1);
  assert.equal(cluster.decisions.length, 2);
  await cluster.stop();
});

test('pods wait for the first node', async () => {
  const cluster = await testCluster();
  cluster.set(Pod, testPod('p'));
  await cluster.settle();
  assert.equal(cluster.pod('default/p')!.status!.conditions![0]!.message, 'no nodes available to schedule pods');
  cluster.set(Node, testNode('a'));
  await cluster.settle();
  assert.equal(cluster.pod('default/p')!.spec!.nodeName, 'a');
  await cluster.stop();
});

test('scheduling gates hold a pod until they are gone', async () => {
  const cluster = await testCluster();
  cluster.set(Node, testNode('a'));
  cluster.set(Pod, testPod('p', { spec: { schedulingGates: [{ name: 'g' }] } }));
  await cluster.settle(60_000);
  assert.equal(cluster.decisions.length, 0);
  cluster.set(Pod, testPod('p'));
  await cluster.settle();
  assert.equal(cluster.pod('default/p')!.spec!.nodeName, 'a');
  await cluster.stop();
});

test('a failed binding gives the place back and is tried again after a back-off', async () => {
  const cluster = await testCluster();
  cluster.set(Node, testNode('a', { cpu: '1' }));
  let calls = 0;
  cluster.beforeBinding = () => {
    if (++calls === 1) throw new Error('the API server is away');
  };
  cluster.set(Pod, testPod('p', { requests: { cpu: '1' } }));
  await cluster.settle();
  assert.equal(cluster.pod('default/p')!.spec!.nodeName, undefined);
  assert.equal(cluster.pod('default/p')!.status!.conditions![0]!.reason, 'SchedulerError');
  await cluster.settle(999);
  assert.equal(calls, 1);
  await cluster.settle(2);
  assert.equal(cluster.pod('default/p')!.spec!.nodeName, 'a');
  await cluster.stop();
});

test('pods of other schedulers are left alone, and profiles have names of their own', async () => {
  const cluster = await testCluster({ config: { profiles: [{ schedulerName: 'one' }, { schedulerName: 'two' }] } });
  cluster.set(Node, testNode('a'));
  for (const schedulerName of ['one', 'two', 'three']) cluster.set(Pod, testPod(schedulerName, { spec: { schedulerName } }));
  await cluster.settle();
  const nodes = ['one', 'two', 'three'].map((name) => cluster.pod(`default/${name}`)!.spec!.nodeName);
  assert.deepEqual(nodes, ['a', 'a', undefined]);
  await cluster.stop();
});

test('preemption removes the least important pods, and then the pod is placed', async () => {
  const cluster = await testCluster();
  cluster.set(Node, testNode('a', { cpu: '2' }));
  cluster.set(Pod, testPod('low', { requests: { cpu: '1' }, spec: { nodeName: 'a', priority: 1 } }));
  cluster.set(Pod, testPod('middle', { requests: { cpu: '1' }, spec: { nodeName: 'a', priority: 5 } }));
  cluster.set(Pod, testPod('high', { requests: { cpu: '1' }, spec: { priority: 10 } }));
  await cluster.settle(2000);
  assert.equal(cluster.pod('default/low'), undefined);
  assert.equal(cluster.pod('default/middle')!.spec!.nodeName, 'a');
  assert.equal(cluster.pod('default/high')!.spec!.nodeName, 'a');
  assert.ok(
    cluster.events.some(
      ({ object, reason, message }) =>
        object === 'default/low' && reason === 'Preempted' && message === 'Preempted by pod uid-default/high on node a',
    ),
  );
  await cluster.stop();
});

test('a pod that waits for several victims to go is asked once for each, and placed when the last has gone', async () => {
  const cluster = await testCluster();
  cluster.set(Node, testNode('a', { cpu: '4' }));
  for (const index of [0, 1, 2, 3])
    cluster.set(Pod, testPod(`low-${index}`, { requests: { cpu: '900m' }, spec: { nodeName: 'a', priority: 1 } }));
  cluster.set(Pod, testPod('high', { requests: { cpu: '3' }, spec: { priority: 10 } }));
  await cluster.settle(2000);
  const left = [0, 1, 2, 3].filter((index) => cluster.pod(`default/low-${index}`));
  assert.equal(left.length, 1);
  assert.equal(cluster.pod('default/high')!.spec!.nodeName, 'a');
  assert.equal(cluster.decisions.filter(({ pod }) => pod.metadata!.name === 'high').length, 2);
  await cluster.stop();
});

test('preemption spares disruption budgets where it can', async () => {
  const cluster = await testCluster();
  cluster.set(PodDisruptionBudget, {
    metadata: { name: 'b', namespace: 'default' },
    spec: { selector: { matchLabels: { app: 'guarded' } } },
    status: { currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, disruptionsAllowed: 0 },
  } as PodDisruptionBudget);
  for (const name of ['a', 'b']) cluster.set(Node, testNode(name, { cpu: '1' }));
  cluster.set(Pod, testPod('guarded', { requests: { cpu: '1' }, labels: { app: 'guarded' }, spec: { nodeName: 'a', priority: 1 } }));
  cluster.set(Pod, testPod('open', { requests: { cpu: '1' }, labels: { app: 'open' }, spec: { nodeName: 'b', priority: 5 } }));
  cluster.set(Pod, testPod('high', { requests: { cpu: '1' }, spec: { priority: 10 } }));
  await cluster.settle(2000);
  assert.ok(cluster.pod('default/guarded'));
  assert.equal(cluster.pod('default/open'), undefined);
  assert.equal(cluster.pod('default/high')!.spec!.nodeName, 'b');
  await cluster.stop();
});

test('a pod that must not preempt does not', async () => {
  const cluster = await testCluster();
  cluster.set(Node, testNode('a', { cpu: '1' }));
  cluster.set(Pod, testPod('low', { requests: { cpu: '1' }, spec: { nodeName: 'a' } }));
  cluster.set(Pod, testPod('high', { requests: { cpu: '1' }, spec: { priority: 10, preemptionPolicy: 'Never' } }));
  await cluster.settle(2000);
  assert.ok(cluster.pod('default/low'));
  assert.equal(
    cluster.pod('default/high')!.status!.conditions![0]!.message,
    '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.',
  );
  await cluster.stop();
});
