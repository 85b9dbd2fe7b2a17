/** A whole cluster in this process: memory store, simulated machines, real kubectl's requests through the typed client. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ComponentStatus, ConfigMap, Deployment, Node, Pod, ReplicaSet, Service } from '#api';
import type { Client, WatchEvent } from '#client';
import { startCluster } from '#cluster';
import type { RunningCluster } from '#cluster';
import { isStatus } from '#machinery/status';
import type { Kind } from '#api';
import type { KubeObject } from '#machinery/meta';

let cluster: RunningCluster;
let client: Client;
before(async () => {
  cluster = await startCluster({ machines: 3 });
  client = cluster.client;
});
after(() => cluster.stop());

/** Watches until the kind's objects are as `wanted` says; no sleeping. */
function until<T extends KubeObject>(kind: Kind<T>, wanted: (objects: T[]) => boolean, namespace = 'default'): Promise<void> {
  const objects = new Map<string, T>();
  return new Promise((resolve, reject) => {
    void client
      .watch(
        kind,
        { namespace, sendInitialEvents: true, allowWatchBookmarks: true, resourceVersionMatch: 'NotOlderThan' },
        (event: WatchEvent<T>) => {
          const { uid = '' } = event.object.metadata ?? {};
          if (event.type === 'DELETED') objects.delete(uid);
          else if (event.type !== 'BOOKMARK') objects.set(uid, event.object);
          if (wanted([...objects.values()])) {
            resolve();
            queueMicrotask(() => void handle.then((watch) => watch.stop()));
          }
        },
      )
      .then((watch) => release(watch), reject);
    let release!: (watch: { stop(): void }) => void;
    const handle = new Promise<{ stop(): void }>((done) => (release = done));
  });
}

const deployment = (name: string, replicas: number, spec: object = {}): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'image:1' }], ...spec } },
  },
});
const readyPods = (app: string, count: number) => (pods: Pod[]) =>
  pods.filter(
    (pod) =>
      pod.metadata?.labels?.['app'] === app && pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
  ).length === count;

test('the parts of the control plane say that they are healthy', async () => {
  const { items } = await client.list(ComponentStatus);
  assert.deepEqual(
    items.map(({ metadata, conditions }) => [metadata?.name, conditions?.[0]?.status, conditions?.[0]?.message]),
    [
      ['controller-manager', 'True', 'ok'],
      ['scheduler', 'True', 'ok'],
      ['etcd-0', 'True', 'ok'],
    ],
  );
});

test('three machines are Ready and a Deployment becomes available on them', async () => {
  assert.equal((await client.list(Node)).items.length, 3);
  await client.create(Deployment, deployment('web', 6));
  await until(Pod, readyPods('web', 6));
  const nodes = new Set((await client.list(Pod, { namespace: 'default' })).items.map((pod) => pod.spec?.nodeName));
  assert.equal(nodes.size, 3);
  await until(Deployment, (all) => all.some(({ metadata, status }) => metadata?.name === 'web' && status?.availableReplicas === 6));
});

test('probes and hooks of every kind succeed on pods that have no address', async () => {
  const action = { httpGet: { port: 8080 } };
  const probes = {
    readinessProbe: { ...action, periodSeconds: 1 },
    livenessProbe: { tcpSocket: { port: 8080 } },
    startupProbe: { grpc: { port: 9 } },
    lifecycle: { postStart: action, preStop: action },
  };
  await client.create(Deployment, deployment('probed', 2, { containers: [{ name: 'c', image: 'image:1', ...probes }] }));
  await until(Pod, readyPods('probed', 2));
  await client.delete(Deployment, { namespace: 'default', name: 'probed' });
  await until(Pod, (pods) => pods.every((pod) => pod.metadata?.labels?.['app'] !== 'probed'));
});

test('a new template rolls over without dropping below what is wanted, then deletion leaves nothing', async () => {
  const current = await client.get(Deployment, { namespace: 'default', name: 'web' });
  await client.patch(Deployment, { namespace: 'default', name: 'web' }, 'strategic', {
    spec: { template: { spec: { containers: [{ name: 'c', image: 'image:2' }] } } },
  });
  await until(Deployment, (all) =>
    all.some(
      ({ metadata, status }) =>
        metadata?.name === 'web' &&
        status?.observedGeneration === current.metadata!.generation! + 1 &&
        status.updatedReplicas === 6 &&
        status.availableReplicas === 6 &&
        status.replicas === 6,
    ),
  );
  await client.delete(Deployment, { namespace: 'default', name: 'web' }, { propagationPolicy: 'Foreground' });
  await until(ReplicaSet, (all) => all.length === 0);
  await until(Pod, (all) => all.length === 0);
});

test('a pod that fits nowhere says why in upstream words', async () => {
  await client.create(
    Deployment,
    deployment('big', 1, { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '1000' } } }] }),
  );
  await until(Pod, (pods) =>
    pods.some(({ status }) =>
      status?.conditions?.some(
        ({ type, message }) => type === 'PodScheduled' && message?.startsWith('0/3 nodes are available: 3 Insufficient cpu.'),
      ),
    ),
  );
  await client.delete(Deployment, { namespace: 'default', name: 'big' });
});

const refusals: [name: string, make: () => Promise<unknown>, code: number, text: RegExp][] = [
  [
    'a quantity that is none',
    () =>
      client.create(
        Deployment,
        deployment('bad', 1, { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: 'much' } } }] }),
      ),
    400,
    /quantities must match/,
  ],
  [
    'a selector that does not match its template',
    () =>
      client.create(Deployment, {
        ...deployment('bad', 1),
        spec: { ...deployment('bad', 1).spec!, selector: { matchLabels: { app: 'other' } } },
      }),
    422,
    /`selector` does not match template `labels`/,
  ],
  [
    'a pod without an image',
    () =>
      client.create(Pod, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p', namespace: 'default' },
        spec: { containers: [{ name: 'c' }] },
      }),
    422,
    /spec\.containers\[0\]\.image: Required value/,
  ],
  [
    'a namespace that is not there',
    () => client.create(ConfigMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'nowhere' } }),
    404,
    /namespaces "nowhere" not found/,
  ],
  [
    'an object twice',
    async () => {
      await client.create(ConfigMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'default' } });
      return client.create(ConfigMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'default' } });
    },
    409,
    /configmaps "c" already exists/,
  ],
];
for (const [name, make, code, text] of refusals)
  test(`refused: ${name}`, async () => {
    await assert.rejects(make, (error: unknown) => {
      assert.ok(isStatus(error), String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, text);
      return true;
    });
  });

test('somebody without a role may do nothing, over HTTP or in process', async () => {
  const nobody = cluster.controlPlane.server.clientFor({ name: 'nobody', groups: ['system:authenticated'] });
  await assert.rejects(
    nobody.list(Pod, { namespace: 'default' }),
    /pods is forbidden: User "nobody" cannot list resource "pods" in API group "" in the namespace "default"/,
  );
});

test('the HTTP client sees what the in-process client wrote, and Services get addresses', async () => {
  const service = await client.create(Service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', namespace: 'default' },
    spec: { ports: [{ port: 80 }], selector: { app: 'x' } },
  });
  assert.match(service.spec!.clusterIP!, /^10\.96\./);
  const seen = await cluster.httpClient().get(Service, { namespace: 'default', name: 's' });
  assert.deepEqual(seen.spec, service.spec);
});
