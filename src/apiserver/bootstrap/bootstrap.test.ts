import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterRole, ClusterRoleBinding, EndpointSlice, Namespace } from '#api';
import { memoryStore } from '#store';
import { testbed } from '../testbed.ts';
import { bootstrapObjects, ensureBootstrap, ensureKubernetesService, kubernetesServiceEntries, seedStore } from './index.ts';
import { expandRule } from './role-table.ts';

test('expandRule() reads the short form', () => {
  assert.deepEqual(expandRule('read patch | core apps | pods pods/log | a b'), {
    apiGroups: ['', 'apps'],
    resourceNames: ['a', 'b'],
    resources: ['pods', 'pods/log'],
    verbs: ['get', 'list', 'patch', 'watch'],
  });
  assert.deepEqual(expandRule('get | /healthz /api/*'), { nonResourceURLs: ['/healthz', '/api/*'], verbs: ['get'] });
});

test('aggregated roles are whole from the start', () => {
  const role = (name: string): ClusterRole =>
    bootstrapObjects().find(({ kind, object }) => kind === ClusterRole && object.metadata?.name === name)!.object as ClusterRole;
  const allows = (name: string, resource: string, verb: string): boolean =>
    role(name).rules!.some((rule) => rule.resources?.includes(resource) && rule.verbs.includes(verb));
  assert.ok(allows('view', 'pods', 'get') && !allows('view', 'secrets', 'get') && !allows('view', 'pods', 'create'));
  assert.ok(allows('edit', 'secrets', 'get') && allows('edit', 'pods', 'get') && !allows('edit', 'roles', 'create'));
  assert.ok(allows('admin', 'roles', 'create') && allows('admin', 'pods/log', 'get'));
});

test('seedStore() fills an empty store once', async () => {
  await using bed = testbed();
  await using store = memoryStore({ clock: bed.clock });
  const options = { serviceCidrs: ['10.96.0.0/12'], advertiseAddress: '10.0.0.1', securePort: 6443 };
  const entries = [...bootstrapObjects(), ...kubernetesServiceEntries(options, bed.clock)];
  assert.equal(await seedStore(store, entries, bed.clock, bed.random), true);
  assert.equal(await seedStore(store, entries, bed.clock, bed.random), false);
  const { keyValues } = await store.range({ key: '/registry/', end: '/registry0' });
  assert.equal(keyValues.length, entries.length);
  const service = keyValues.find(({ key }) => key === '/registry/services/specs/default/kubernetes')!;
  const object = JSON.parse(Buffer.from(service.value).toString()) as { spec: { clusterIP: string }; metadata: { uid: string } };
  assert.equal(object.spec.clusterIP, '10.96.0.1');
  assert.ok(object.metadata.uid);
});

test('ensureBootstrap() adds what is missing and keeps what was changed', async () => {
  await using bed = testbed();
  const entries = bootstrapObjects();
  await ensureBootstrap(bed.client, entries);
  assert.ok(bed.get(Namespace, 'kube-node-lease'));
  const viewer = bed.get(ClusterRole, 'system:public-info-viewer')!;
  const own = { verbs: ['get'], nonResourceURLs: ['/own'] };
  bed.put(ClusterRole, { ...viewer, rules: [own] });
  const dns = bed.get(ClusterRole, 'system:kube-dns')!;
  const kept = { ...dns.metadata, annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } };
  bed.put(ClusterRole, { ...dns, metadata: kept, rules: [] });
  const binding = bed.get(ClusterRoleBinding, 'system:discovery')!;
  bed.put(ClusterRoleBinding, { ...binding, subjects: [] });
  const untouched = bed.get(ClusterRole, 'system:node');
  await ensureBootstrap(bed.client, entries);
  const rules = bed.get(ClusterRole, 'system:public-info-viewer')!.rules!;
  assert.deepEqual(rules[0], own);
  assert.ok(rules.some((rule) => rule.nonResourceURLs?.includes('/readyz')));
  assert.deepEqual(bed.get(ClusterRole, 'system:kube-dns')!.rules, []);
  assert.equal(bed.get(ClusterRoleBinding, 'system:discovery')!.subjects?.length, 1);
  assert.equal(bed.get(ClusterRole, 'system:node'), untouched);
});

test('ensureKubernetesService() follows the advertised address', async () => {
  await using bed = testbed();
  const options = { serviceCidrs: ['10.96.0.0/12'], advertiseAddress: '10.0.0.1', securePort: 6443 };
  await ensureKubernetesService(bed.client, options, bed.clock);
  await ensureKubernetesService(bed.client, { ...options, advertiseAddress: '10.0.0.2' }, bed.clock);
  assert.deepEqual(bed.get(EndpointSlice, 'default/kubernetes')!.endpoints![0]!.addresses, ['10.0.0.2']);
});
