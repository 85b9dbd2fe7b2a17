import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kind } from '#api';
import {
  ConfigMap as ConfigMapKind,
  CustomResourceDefinition as CustomResourceDefinitionKind,
  Pod as PodKind,
  ResourceQuota as ResourceQuotaKind,
  Service as ServiceKind,
} from '#api';
import type { Harness } from '../testing/harness.ts';
import { harness } from '../testing/harness.ts';
import { resourceQuotaController } from './resource-quota.ts';

const controllers = [resourceQuotaController];
const widget: Kind = { group: 'x.io', version: 'v1', kind: 'Widget', resource: 'widgets', namespaced: true, apiVersion: 'x.io/v1' };
const quota = (h: Harness, hard: Record<string, string>, extra: object = {}): void =>
  void h.api.create(ResourceQuotaKind, { metadata: { name: 'q', namespace: 'default' }, spec: { hard, ...extra } });
const used = (h: Harness): Record<string, unknown> => h.api.get(ResourceQuotaKind, 'default/q')!.status!.used!;
const pod = (h: Harness, name: string, cpu: string, extra: object = {}): void =>
  void h.api.create(PodKind, {
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'c', resources: { requests: { cpu } } }], ...extra },
  });

test('a quota counts pods, services and plain objects, and takes away what goes', async () => {
  await using h = await harness({ controllers });
  pod(h, 'a', '500m');
  pod(h, 'b', '1');
  h.api.create(ServiceKind, {
    metadata: { name: 's', namespace: 'default' },
    spec: { type: 'NodePort', ports: [{ port: 80 }, { port: 81 }] },
  });
  h.api.create(ConfigMapKind, { metadata: { name: 'c', namespace: 'default' } });
  h.api.create(ConfigMapKind, { metadata: { name: 'c', namespace: 'other' } });
  quota(h, { pods: '5', 'requests.cpu': '4', 'services.nodeports': '3', configmaps: '9', 'count/secrets': '1' });
  await h.settle();
  assert.deepEqual(used(h), { pods: '2', 'requests.cpu': '1500m', 'services.nodeports': '2', configmaps: '1', 'count/secrets': '0' });
  assert.deepEqual(h.api.get(ResourceQuotaKind, 'default/q')!.status!.hard, h.api.get(ResourceQuotaKind, 'default/q')!.spec!.hard);
  h.api.delete(PodKind, 'default/a');
  h.api.change(PodKind, 'default/b', (next) => void (next.status = { phase: 'Succeeded' }));
  h.api.delete(ConfigMapKind, 'default/c');
  await h.settle();
  assert.deepEqual(used(h), { pods: '0', 'requests.cpu': '0', 'services.nodeports': '2', configmaps: '0', 'count/secrets': '0' });
  assert.deepEqual(h.complaints, []);
});

test('scopes choose the pods that count', async () => {
  await using h = await harness({ controllers });
  pod(h, 'short', '1', { activeDeadlineSeconds: 60 });
  pod(h, 'long', '1');
  quota(h, { pods: '5' }, { scopes: ['Terminating'] });
  await h.settle();
  assert.deepEqual(used(h), { pods: '1' });
});

test('custom resources are counted from when they are served', async () => {
  await using h = await harness({ controllers });
  h.api.create(widget, { metadata: { name: 'w', namespace: 'default' } });
  quota(h, { 'count/widgets.x.io': '2' });
  await h.settle();
  assert.deepEqual(used(h), { 'count/widgets.x.io': '0' });
  const names = { kind: 'Widget', plural: 'widgets' };
  h.api.create(CustomResourceDefinitionKind, {
    metadata: { name: 'widgets.x.io' },
    spec: { group: 'x.io', names, scope: 'Namespaced', versions: [{ name: 'v1', served: true, storage: true }] },
    status: { conditions: [{ type: 'Established', status: 'True' }], acceptedNames: names },
  } as never);
  await h.settle();
  assert.deepEqual(used(h), { 'count/widgets.x.io': '1' });
  h.api.delete(widget, 'default/w');
  await h.settle();
  assert.deepEqual(used(h), { 'count/widgets.x.io': '0' });
});
