import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kind } from '#api';
import {
  ConfigMap as ConfigMapKind,
  CustomResourceDefinition as CustomResourceDefinitionKind,
  Namespace as NamespaceKind,
  Pod as PodKind,
  ReplicaSet as ReplicaSetKind,
  Secret as SecretKind,
} from '#api';
import type { KubeObject, OwnerReference } from '#machinery/meta';
import { namespaceController } from '../namespace.ts';
import { rootCaCertificatePublisherController } from '../certificates/root-ca-publisher.ts';
import { serviceAccountController } from '../service-account/service-account.ts';
import type { FakeApi } from '../testing/fake-api.ts';
import { harness } from '../testing/harness.ts';
import { garbageCollectorController } from './garbage-collector.ts';

const controllers = [garbageCollectorController];
const widget: Kind = { group: 'x.io', version: 'v1', kind: 'Widget', resource: 'widgets', namespaced: true, apiVersion: 'x.io/v1' };

const owned = (owner: KubeObject, block = true): OwnerReference => ({
  apiVersion: owner.apiVersion!,
  kind: owner.kind!,
  name: owner.metadata!.name!,
  uid: owner.metadata!.uid!,
  controller: true,
  blockOwnerDeletion: block,
});
const map = (api: FakeApi, name: string, ...ownerReferences: OwnerReference[]): KubeObject =>
  api.create(ConfigMapKind, { metadata: { name, namespace: 'default', ownerReferences } });
const names = (api: FakeApi): string[] => api.list(ConfigMapKind).map((each) => each.metadata!.name!);

test('what a deleted owner leaves behind is deleted, level by level', async () => {
  await using h = await harness({ controllers });
  const top = map(h.api, 'top');
  const middle = map(h.api, 'middle', owned(top));
  map(h.api, 'bottom', owned(middle));
  map(h.api, 'other');
  await h.settle();
  h.api.delete(ConfigMapKind, 'default/top');
  await h.settle();
  assert.deepEqual(names(h.api), ['other']);
});

test('an object whose owner never existed is deleted; one with another owner only loses the reference', async () => {
  await using h = await harness({ controllers });
  const ghost = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'ghost', uid: 'no-such-uid' } };
  const alive = map(h.api, 'alive');
  map(h.api, 'doomed', owned(ghost));
  map(h.api, 'kept', { ...owned(ghost), controller: false }, owned(alive));
  await h.settle();
  assert.deepEqual(names(h.api).toSorted(), ['alive', 'kept']);
  assert.deepEqual(
    h.api.get(ConfigMapKind, 'default/kept')!.metadata!.ownerReferences!.map(({ name }) => name),
    ['alive'],
  );
});

test('foreground deletion waits for the dependents that block it', async () => {
  await using h = await harness({ controllers });
  const top = map(h.api, 'top');
  const middle = map(h.api, 'middle', owned(top));
  h.api.create(SecretKind, {
    metadata: { name: 'slow', namespace: 'default', finalizers: ['x.io/hold'], ownerReferences: [owned(middle)] },
  });
  await h.settle();
  h.api.delete(ConfigMapKind, 'default/top', { propagationPolicy: 'Foreground' });
  await h.settle();
  assert.deepEqual(names(h.api), ['top', 'middle']);
  assert.ok(h.api.get(SecretKind, 'default/slow')!.metadata!.deletionTimestamp);
  h.api.change(SecretKind, 'default/slow', (secret) => void (secret.metadata!.finalizers = []));
  await h.settle();
  assert.deepEqual(names(h.api), []);
});

test('orphaning takes the owner off its dependents and leaves them', async () => {
  await using h = await harness({ controllers });
  const top = map(h.api, 'top');
  map(h.api, 'child', owned(top));
  await h.settle();
  h.api.delete(ConfigMapKind, 'default/top', { propagationPolicy: 'Orphan' });
  await h.settle();
  assert.deepEqual(names(h.api), ['child']);
  assert.equal(h.api.get(ConfigMapKind, 'default/child')!.metadata!.ownerReferences, undefined);
});

test('two that own each other do not hold up a foreground deletion', async () => {
  await using h = await harness({ controllers });
  const a = map(h.api, 'a');
  const b = map(h.api, 'b', owned(a));
  h.api.change(ConfigMapKind, 'default/a', (object) => void (object.metadata!.ownerReferences = [owned(b)]));
  await h.settle();
  h.api.delete(ConfigMapKind, 'default/a', { propagationPolicy: 'Foreground' });
  await h.pass(5000);
  assert.deepEqual(names(h.api), []);
});

test('an owner in another namespace is no owner', async () => {
  await using h = await harness({ controllers });
  const owner = h.api.create(ConfigMapKind, { metadata: { name: 'owner', namespace: 'elsewhere' } });
  map(h.api, 'child', owned(owner));
  await h.settle();
  assert.deepEqual(names(h.api), ['owner']);
  assert.ok(h.events().some((event) => event.startsWith('OwnerRefInvalidNamespace')));
});

test('custom resources are collected as soon as their definition is established', async () => {
  await using h = await harness({ controllers });
  h.api.create(CustomResourceDefinitionKind, {
    metadata: { name: 'widgets.x.io' },
    spec: {
      group: 'x.io',
      names: { kind: 'Widget', plural: 'widgets' },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true }],
    },
    status: { conditions: [{ type: 'Established', status: 'True' }], acceptedNames: { kind: 'Widget', plural: 'widgets' } },
  } as never);
  await h.settle();
  const owner = h.api.create(widget, { metadata: { name: 'w', namespace: 'default' } });
  map(h.api, 'child', owned(owner));
  const child = map(h.api, 'parent');
  h.api.create(widget, { metadata: { name: 'v', namespace: 'default', ownerReferences: [owned(child)] } });
  await h.settle();
  assert.deepEqual(names(h.api), ['child', 'parent']);
  h.api.delete(widget, 'default/w');
  h.api.delete(ConfigMapKind, 'default/parent');
  await h.settle();
  assert.deepEqual([names(h.api), h.api.list(widget).length], [[], 0]);
});

test('a kind that nobody serves keeps its dependents', async () => {
  await using h = await harness({ controllers });
  map(h.api, 'child', { apiVersion: 'gone.io/v1', kind: 'Gone', name: 'g', uid: 'g' });
  await h.pass(60_000);
  assert.deepEqual(names(h.api), ['child']);
});

test('a namespace is emptied, pods first, and then goes', async () => {
  await using h = await harness({
    controllers: [namespaceController, serviceAccountController, rootCaCertificatePublisherController, garbageCollectorController],
    options: { rootCa: 'PEM' },
  });
  h.api.create(NamespaceKind, { metadata: { name: 'n' }, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } });
  await h.settle();
  assert.deepEqual(
    h.api.list(ConfigMapKind, 'n').map((each) => [each.metadata!.name, each.data]),
    [['kube-root-ca.crt', { 'ca.crt': 'PEM' }]],
  );
  h.api.create(ReplicaSetKind, { metadata: { name: 'rs', namespace: 'n' }, spec: { selector: {} } });
  h.api.create(PodKind, { metadata: { name: 'p', namespace: 'n' }, spec: { nodeName: 'x', containers: [] }, status: { phase: 'Running' } });
  await h.settle();
  h.api.delete(NamespaceKind, 'n');
  await h.settle();
  assert.equal(h.api.list(ConfigMapKind, 'n').length, 1);
  const condition = h.api.get(NamespaceKind, 'n')!.status!.conditions!.find(({ type }) => type === 'NamespaceContentRemaining')!;
  assert.equal(condition.message, 'Some resources are remaining: pods. has 1 resource instances');
  h.api.finish(PodKind, 'n/p');
  await h.settle();
  assert.deepEqual([h.api.get(NamespaceKind, 'n'), h.api.list(ConfigMapKind, 'n'), h.api.list(ReplicaSetKind, 'n')], [undefined, [], []]);
  assert.deepEqual(h.complaints, []);
});
