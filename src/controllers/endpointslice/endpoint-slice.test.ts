import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, Service } from '#api';
import {
  Endpoints as EndpointsKind,
  EndpointSlice as EndpointSliceKind,
  Node as NodeKind,
  Pod as PodKind,
  Service as ServiceKind,
} from '#api';
import type { FakeApi } from '../testing/fake-api.ts';
import { harness, makeReady } from '../testing/harness.ts';
import { endpointSliceController } from './endpoint-slice.ts';
import { endpointsController } from './endpoints.ts';
import { endpointSliceMirroringController } from './mirroring.ts';
import { repackSubsets } from './subsets.ts';

const controllers = [endpointSliceController, endpointSliceMirroringController, endpointsController];
const service = (spec: object = {}): Service => ({
  metadata: { name: 'web', namespace: 'default', labels: { team: 'a' } },
  spec: {
    selector: { app: 'web' },
    clusterIP: '10.96.0.10',
    ipFamilies: ['IPv4'],
    ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
    ...spec,
  },
});
const pod = (name: string, ip: string): Pod => ({
  metadata: { name, namespace: 'default', labels: { app: 'web' } },
  spec: { nodeName: 'n1', containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] }] },
  status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
});
const before = (api: FakeApi): void =>
  void api.create(NodeKind, { metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z1' } } });

test('a service has a slice and Endpoints with its pods, ready or not', async () => {
  await using h = await harness({ controllers, before });
  h.api.create(ServiceKind, service());
  await h.settle();
  const [placeholder] = h.api.list(EndpointSliceKind);
  assert.deepEqual([placeholder!.endpoints, placeholder!.ports], [[], []]);
  h.api.create(PodKind, pod('a', '10.0.0.1'));
  const b = h.api.create(PodKind, pod('b', '10.0.0.2'));
  makeReady(h.api, h.clock, b);
  await h.settle();
  const slices = h.api.list(EndpointSliceKind);
  assert.equal(slices.length, 1);
  assert.deepEqual(slices[0]!.metadata!.labels, {
    team: 'a',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  });
  assert.deepEqual(slices[0]!.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
  assert.deepEqual(
    slices[0]!.endpoints.map(({ addresses, conditions, zone }) => `${addresses[0]} ${conditions!.ready} ${zone}`).toSorted(),
    ['10.0.0.1 false z1', '10.0.0.2 true z1'],
  );
  const endpoints = h.api.get(EndpointsKind, 'default/web')!;
  assert.deepEqual(
    endpoints.subsets!.map(({ addresses, notReadyAddresses }) => [addresses![0]!.ip, notReadyAddresses![0]!.ip]),
    [['10.0.0.2', '10.0.0.1']],
  );
  h.api.delete(PodKind, 'default/b');
  await h.settle();
  const terminating = h.api.list(EndpointSliceKind)[0]!.endpoints.find(({ addresses }) => addresses[0] === '10.0.0.2')!;
  assert.deepEqual(terminating.conditions, { ready: false, serving: true, terminating: true });
  h.api.finish(PodKind, 'default/b');
  await h.settle();
  assert.equal(h.api.list(EndpointSliceKind)[0]!.endpoints.length, 1);
  assert.deepEqual(h.complaints, []);
});

test('slices hold at most a hundred endpoints and are filled before new ones are made', async () => {
  await using h = await harness({ controllers, before });
  for (let index = 0; index < 150; index++) h.api.create(PodKind, pod(`p${index}`, `10.0.${index >> 7}.${index & 127}`));
  h.api.create(ServiceKind, service());
  await h.settle();
  const sizes = (): number[] => h.api.list(EndpointSliceKind).map(({ endpoints }) => endpoints.length);
  assert.deepEqual(
    sizes().toSorted((a, b) => b - a),
    [100, 50],
  );
  for (let index = 150; index < 160; index++) h.api.create(PodKind, pod(`p${index}`, `10.0.7.${index & 127}`));
  await h.settle();
  assert.deepEqual(
    sizes().toSorted((a, b) => b - a),
    [100, 60],
  );
});

test('trafficDistribution gives ready endpoints the hint of their zone', async () => {
  await using h = await harness({ controllers, before });
  makeReady(h.api, h.clock, h.api.create(PodKind, pod('a', '10.0.0.1')));
  h.api.create(ServiceKind, service({ trafficDistribution: 'PreferClose' }));
  await h.settle();
  assert.deepEqual(h.api.list(EndpointSliceKind)[0]!.endpoints[0]!.hints, { forZones: [{ name: 'z1' }] });
  h.api.change(ServiceKind, 'default/web', (next) => void delete next.spec!.trafficDistribution);
  await h.settle();
  assert.equal(h.api.list(EndpointSliceKind)[0]!.endpoints[0]!.hints, undefined);
});

test('a pod on an unknown node is published when the node appears', async () => {
  await using h = await harness({ controllers });
  h.api.create(PodKind, pod('a', '10.0.0.1'));
  h.api.create(ServiceKind, service());
  await h.settle();
  assert.equal(h.api.list(EndpointSliceKind).flatMap(({ endpoints }) => endpoints).length, 0);
  before(h.api);
  await h.settle();
  assert.equal(h.api.list(EndpointSliceKind)[0]!.endpoints.length, 1);
});

test('Endpoints made by hand are mirrored, updated and removed', async () => {
  await using h = await harness({ controllers });
  const { selector: _, ...spec } = service().spec!;
  h.api.create(ServiceKind, { ...service(), spec });
  h.api.create(EndpointsKind, {
    metadata: { name: 'web', namespace: 'default', labels: { mine: 'x' } },
    subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ port: 80, protocol: 'TCP', name: 'http' }] }],
  });
  await h.settle();
  const [slice] = h.api.list(EndpointSliceKind);
  assert.match(slice!.metadata!.name!, /^web-/);
  assert.equal(slice!.metadata!.labels!['endpointslice.kubernetes.io/managed-by'], 'endpointslicemirroring-controller.k8s.io');
  assert.deepEqual(slice!.endpoints, [{ addresses: ['10.1.2.3'], conditions: { ready: true } }]);
  h.api.change(EndpointsKind, 'default/web', (next) => void (next.subsets![0]!.addresses![0]!.ip = '10.1.2.4'));
  await h.settle();
  assert.equal(h.api.list(EndpointSliceKind)[0]!.endpoints[0]!.addresses[0], '10.1.2.4');
  h.api.delete(EndpointsKind, 'default/web');
  await h.settle();
  assert.equal(h.api.list(EndpointSliceKind).length, 0);
  assert.deepEqual(h.complaints, []);
});

test('repackSubsets() joins addresses with the same ports', () => {
  const ports = (...numbers: number[]): { port: number }[] => numbers.map((port) => ({ port }));
  assert.deepEqual(
    repackSubsets([
      { addresses: [{ ip: '1.1.1.1' }], ports: ports(80) },
      { addresses: [{ ip: '1.1.1.1' }], ports: ports(443) },
      { notReadyAddresses: [{ ip: '2.2.2.2' }], ports: ports(80) },
      { notReadyAddresses: [{ ip: '2.2.2.2' }], ports: ports(443) },
      { addresses: [{ ip: '3.3.3.3' }], ports: ports(80) },
    ]),
    [
      { addresses: [{ ip: '1.1.1.1' }], notReadyAddresses: [{ ip: '2.2.2.2' }], ports: ports(443, 80) },
      { addresses: [{ ip: '3.3.3.3' }], ports: ports(80) },
    ],
  );
});
