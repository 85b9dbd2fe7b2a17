import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IPAddress, Service, ServiceCIDR } from '#api';
import { rulesFor } from '#api/rules';
import { draft } from '#machinery/meta';
import { isStatus } from '#machinery/status';
import type { RequestContext, StorageHooks } from '../../contract.ts';
import { testbed } from '../../../testbed.ts';
import { serviceHooks } from './hooks.ts';
import { repairAddresses } from './repair.ts';

const context = { dryRun: false, info: { namespace: 'ns', subresource: '' } } as RequestContext;
type Spec = NonNullable<Service['spec']>;

async function setup(cidrs: string[]) {
  const bed = testbed();
  const hooks = serviceHooks(cidrs)({ ...bed, registry: { storage: () => undefined } }) as Required<StorageHooks>;
  await bed.informers.synced();
  let made = 0;
  const settle = () => bed.clock.advance(0);
  return {
    bed,
    hooks,
    async create(spec: Spec, succeed = true): Promise<Service> {
      const service: Service = { metadata: { name: `s${made++}`, uid: `u${made}` }, spec: { type: 'ClusterIP', ...spec } };
      const finish = await hooks.beginCreate(context, service);
      await finish(succeed);
      if (succeed) bed.put(Service, service);
      await settle();
      return service;
    },
    async update(old: Service, change: (spec: Spec) => void): Promise<Service> {
      const service = draft(old);
      change(service.spec!);
      const finish = await hooks.beginUpdate(context, service, old);
      rulesFor(Service).prepareForUpdate!(service, old, { now: 0, user: { name: '', groups: [] } });
      await finish(true);
      bed.put(Service, service);
      await settle();
      return service;
    },
    async remove(service: Service): Promise<void> {
      bed.remove(Service, `ns/${service.metadata!.name}`);
      await hooks.afterDelete(context, service);
      await settle();
    },
  };
}

const refused = (pattern: RegExp) => (error: unknown) => isStatus(error, 'Invalid') && pattern.test(error.message);

test('a Service gets an address, whose object says whose it is, and gives it back', async () => {
  const { bed, create, remove } = await setup(['10.96.0.0/12']);
  const { spec, metadata } = await create({});
  assert.deepEqual([spec!.ipFamilies, spec!.ipFamilyPolicy, spec!.clusterIPs], [['IPv4'], 'SingleStack', [spec!.clusterIP]]);
  assert.match(spec!.clusterIP!, /^10\.(9[6-9]|10\d|11[01])\./);
  assert.deepEqual(bed.get(IPAddress, spec!.clusterIP!)!.spec!.parentRef, { group: '', resource: 'services', namespace: 'ns', name: 's0' });
  await remove({ metadata, spec });
  assert.equal(bed.get(IPAddress, spec!.clusterIP!), undefined);
  await create({ clusterIP: spec!.clusterIP! });
  await assert.rejects(create({ clusterIP: spec!.clusterIP! }), refused(/failed to allocate IP 10.*: provided IP is already allocated/));
  await assert.rejects(create({ clusterIP: '192.168.0.1' }), refused(/the provided network does not match the current range/));
  await bed[Symbol.asyncDispose]();
});

test('a write that fails gives back what was taken', async () => {
  const { bed, create } = await setup(['10.96.0.0/12']);
  const { spec } = await create({ type: 'NodePort', ports: [{ port: 80, nodePort: 30_100 }] }, false);
  assert.equal(bed.get(IPAddress, spec!.clusterIP!), undefined);
  await create({ type: 'NodePort', ports: [{ port: 80, nodePort: 30_100 }] });
  await bed[Symbol.asyncDispose]();
});

test('small ranges run full, and another ServiceCIDR helps', async () => {
  const { bed, create } = await setup(['10.0.0.0/30']);
  await create({});
  await create({});
  await assert.rejects(create({}), (error) => isStatus(error, 'InternalError') && /range is full/.test(error.message));
  const ready = { conditions: [{ type: 'Ready', status: 'True', reason: '', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }] };
  bed.put(ServiceCIDR, { metadata: { name: 'more' }, spec: { cidrs: ['10.1.0.0/24'] }, status: ready });
  await bed.clock.advance(0);
  assert.match((await create({})).spec!.clusterIP!, /^10\.1\.0\./);
  await bed[Symbol.asyncDispose]();
});

test('families: headless, dual-stack, single-stack', async () => {
  const single = await setup(['10.96.0.0/12']);
  const dual = await setup(['10.96.0.0/12', 'fd00::/112']);
  const headless = await single.create({ clusterIP: 'None', selector: { a: 'b' } });
  assert.deepEqual(
    [headless.spec!.clusterIPs, headless.spec!.ipFamilies, headless.spec!.ipFamilyPolicy],
    [['None'], ['IPv4'], 'SingleStack'],
  );
  const bare = await single.create({ clusterIP: 'None' });
  assert.deepEqual([bare.spec!.ipFamilies, bare.spec!.ipFamilyPolicy], [['IPv4', 'IPv6'], 'RequireDualStack']);
  await assert.rejects(
    single.create({ ipFamilyPolicy: 'RequireDualStack' }),
    refused(/this cluster is not configured for dual-stack services/),
  );
  assert.deepEqual((await single.create({ ipFamilyPolicy: 'PreferDualStack' })).spec!.ipFamilies, ['IPv4']);

  const both = await dual.create({ ipFamilyPolicy: 'PreferDualStack' });
  assert.deepEqual(both.spec!.ipFamilies, ['IPv4', 'IPv6']);
  assert.match(both.spec!.clusterIPs![1]!, /^fd00::/);
  const narrowed = await dual.update(both, (spec) => (spec.ipFamilyPolicy = 'SingleStack'));
  assert.deepEqual([narrowed.spec!.ipFamilies, narrowed.spec!.clusterIPs], [['IPv4'], [both.spec!.clusterIP]]);
  assert.equal(dual.bed.get(IPAddress, both.spec!.clusterIPs![1]!), undefined);
  await assert.rejects(
    dual.update(both, (spec) => (spec.clusterIPs = [spec.clusterIP!])),
    refused(/must be 'SingleStack' to release the secondary/),
  );
  await single.bed[Symbol.asyncDispose]();
  await dual.bed[Symbol.asyncDispose]();
});

test('node ports follow the type of a Service', async () => {
  const { bed, create, update, remove } = await setup(['10.96.0.0/12']);
  const service = await create({
    type: 'NodePort',
    ports: [
      { name: 't', port: 53, protocol: 'TCP' },
      { name: 'u', port: 53, protocol: 'UDP' },
      { name: 'x', port: 80, protocol: 'TCP' },
    ],
  });
  const [tcp, udp, other] = service.spec!.ports!.map((port) => port.nodePort);
  assert.equal(tcp, udp);
  assert.ok(tcp! >= 30_000 && tcp! <= 32_767 && tcp !== other);
  await assert.rejects(create({ type: 'NodePort', ports: [{ port: 1, nodePort: tcp! }] }), refused(/provided port is already allocated/));
  await assert.rejects(
    create({ type: 'NodePort', ports: [{ port: 1, nodePort: 80 }] }),
    refused(/The range of valid ports is 30000-32767/),
  );
  // A replacement that leaves the numbers out keeps them.
  const same = await update(service, (spec) => {
    for (const port of spec.ports!) delete port.nodePort;
    delete spec.clusterIP;
    delete spec.clusterIPs;
  });
  assert.deepEqual(same.spec, service.spec);
  const plain = await update(service, (spec) => (spec.type = 'ClusterIP'));
  const taker = await create({ type: 'NodePort', ports: [{ port: 1, nodePort: tcp! }] });
  await remove(taker);
  await create({ type: 'NodePort', ports: [{ port: 1, nodePort: tcp! }] });
  const external = await update(plain, (spec) => Object.assign(spec, { type: 'ExternalName', externalName: 'x' }));
  assert.equal(bed.get(IPAddress, service.spec!.clusterIP!), undefined);
  const back = await update({ ...external, spec: { type: 'ExternalName', externalName: 'x' } }, (spec) => (spec.type = 'ClusterIP'));
  assert.ok(back.spec!.clusterIP);
  await bed[Symbol.asyncDispose]();
});

test('load balancers with local traffic get a health check port', async () => {
  const { bed, create, update } = await setup(['10.96.0.0/12']);
  const service = await create({
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    allocateLoadBalancerNodePorts: false,
    ports: [{ port: 80 }],
  });
  assert.ok(service.spec!.healthCheckNodePort);
  assert.equal(service.spec!.ports![0]!.nodePort, undefined);
  await update(service, (spec) => (spec.externalTrafficPolicy = 'Cluster'));
  await create({ type: 'NodePort', ports: [{ port: 1, nodePort: service.spec!.healthCheckNodePort! }] });
  await bed[Symbol.asyncDispose]();
});

test('what a crash left is put right at the start', async () => {
  await using bed = testbed();
  const labels = { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' };
  const parentRef = { group: '', resource: 'services', namespace: 'ns', name: 's' };
  bed.put(Service, { metadata: { namespace: 'ns', name: 's' }, spec: { clusterIPs: ['10.96.0.5'] } });
  bed.put(
    IPAddress,
    { metadata: { name: '10.96.0.6', labels, creationTimestamp: '2025-12-31T00:00:00Z' }, spec: { parentRef } },
    { metadata: { name: '10.96.0.7' }, spec: { parentRef } },
  );
  await repairAddresses(bed);
  assert.deepEqual(
    ['10.96.0.5', '10.96.0.6', '10.96.0.7'].map((ip) => bed.get(IPAddress, ip) !== undefined),
    [true, false, true],
  );
});
