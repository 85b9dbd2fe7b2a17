import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigMap, Deployment, Endpoints, Namespace, Pod, Service } from '#api';
import type { WatchEvent } from '#client';
import { seededRandom, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { draft } from '#machinery/meta';
import { isAlreadyExists, isConflict, isNotFound, isStatus } from '#machinery/status';
import { memoryStore } from '#store';
import { publishAuthentication } from './bootstrap/start.ts';
import { createApiServer } from './server.ts';
import type { ApiServer, ApiServerOptions } from './options.ts';

const admin = { name: 'admin', groups: ['system:masters'] };

async function server(options: Partial<ApiServerOptions> = {}): Promise<ApiServer & { clock: ReturnType<typeof virtualClock> }> {
  const clock = virtualClock(Date.parse('2026-01-01T00:00:00Z'));
  const made = await createApiServer({
    store: memoryStore({ clock, random: seededRandom(1) }),
    clock,
    random: seededRandom(2),
    log: silentLog,
    freeze: true,
    authentication: () => ({ authenticate: () => admin }),
    authorization: () => () => ({ verdict: 'allow', reason: '' }),
    ...options,
  });
  await made.ready;
  return Object.assign(made, { clock });
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a server whose address endpoints must not name starts all the same, without endpoints, and says so', async () => {
  await using store = memoryStore({ clock: virtualClock(0), random: seededRandom(1) });
  const logged: string[] = [];
  for (const securePort of [6443, 6444]) {
    await using made = await server({
      store,
      log: { ...silentLog, error: (message, keys) => void logged.push(`${message}: ${String(keys?.['address'])}`) },
      bootstrap: { kubernetesService: { serviceCidrs: ['10.96.0.0/16'], advertiseAddress: '127.0.0.1', securePort } },
    });
    const client = made.clientFor(admin);
    await client.get(Service, { namespace: 'default', name: 'kubernetes' });
    await assert.rejects(client.get(Endpoints, { namespace: 'default', name: 'kubernetes' }), isNotFound);
  }
  assert.deepEqual(
    new Set(logged),
    new Set(['The Service kubernetes has no endpoints: an address of the loopback reaches nobody else: 127.0.0.1']),
  );
});

test('whom a server believes is published anew when it changes', async () => {
  await using made = await server({ bootstrap: { clientCa: 'first' } });
  const client = made.clientFor(admin);
  const published = async (): Promise<unknown> =>
    (await client.get(ConfigMap, { namespace: 'kube-system', name: 'extension-apiserver-authentication' })).data?.['client-ca-file'];
  assert.equal(await published(), 'first');
  await publishAuthentication(client, { clientCa: 'second' });
  assert.equal(await published(), 'second');
});

test('a ConfigMap is created, read, listed, updated, watched and deleted in process', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  const events: WatchEvent<ConfigMap>[] = [];
  const watch = await client.watch(ConfigMap, { namespace: 'default' }, (event) => void events.push(event));
  const created = await client.create(ConfigMap, { metadata: { namespace: 'default', name: 'a' }, data: { x: '1' } });
  assert.equal(created.metadata?.creationTimestamp, '2026-01-01T00:00:00Z');
  assert.match(created.metadata?.uid ?? '', /^[0-9a-f-]{36}$/);
  assert.deepEqual(await client.get(ConfigMap, { namespace: 'default', name: 'a' }), created);
  const next = draft(created);
  next.data = { x: '2' };
  const updated = await client.update(ConfigMap, next);
  assert.notEqual(updated.metadata?.resourceVersion, created.metadata?.resourceVersion);
  const same = await client.update(ConfigMap, draft(updated));
  assert.equal(same.metadata?.resourceVersion, updated.metadata?.resourceVersion, 'no change, no revision');
  await assert.rejects(client.update(ConfigMap, next), isConflict);
  assert.equal((await client.list(ConfigMap, { namespace: 'default' })).items.length, 1);
  await client.delete(ConfigMap, { namespace: 'default', name: 'a' });
  await assert.rejects(client.get(ConfigMap, { namespace: 'default', name: 'a' }), isNotFound);
  await settle();
  assert.deepEqual(
    events.map(({ type, object }) => `${type} ${object.metadata?.name} ${object.data?.['x']}`),
    ['ADDED a 1', 'MODIFIED a 2', 'DELETED a 2'],
  );
  watch.stop();
  await watch.done;
});

test('updates at once that name no version are all written, each from what its client sent', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  await client.create(ConfigMap, { metadata: { namespace: 'default', name: 'a' }, data: { x: '0' } });
  const texts = ['1', '2', '3'];
  const written = await Promise.all(
    texts.map((x) => client.update(ConfigMap, { metadata: { namespace: 'default', name: 'a' }, data: { x } })),
  );
  assert.deepEqual(
    written.map(({ data }) => data?.['x']),
    texts,
  );
  assert.equal(new Set(written.map(({ metadata }) => metadata?.resourceVersion)).size, texts.length);
  assert.equal(new Set(written.map(({ metadata }) => metadata?.uid)).size, 1);
});

test("what does not validate, exist or fit is refused in upstream's words", async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  const map = (name: string): ConfigMap => ({ metadata: { namespace: 'default', name } });
  await client.create(ConfigMap, map('a'));
  await assert.rejects(client.create(ConfigMap, map('a')), { message: 'configmaps "a" already exists' });
  await assert.rejects(client.create(ConfigMap, map('A')), (error) => isStatus(error, 'Invalid'));
  await assert.rejects(client.create(ConfigMap, { ...map('b'), data: 1 } as never), {
    message:
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type map[string]string',
  });
  await assert.rejects(client.create(ConfigMap, { ...map('b'), extra: 1 } as never, { fieldValidation: 'Strict' }), {
    message: 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "extra"',
  });
  await assert.rejects(client.delete(ConfigMap, { namespace: 'default', name: 'a' }, { preconditions: { uid: 'x' } }), isConflict);
  await assert.rejects(client.list(ConfigMap, { fieldSelector: 'data.x=1' }), (error) => isStatus(error, 'BadRequest'));
  assert.ok(isAlreadyExists(await client.create(Namespace, { metadata: { name: 'kube-system' } }).catch((error: unknown) => error)));
});

test('lists come in pages of one revision', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  for (let index = 0; index < 5; index++)
    await client.create(ConfigMap, { metadata: { namespace: 'default', name: `m${index}`, labels: { odd: String(index % 2) } } });
  const first = await client.list(ConfigMap, { namespace: 'default', limit: 2 });
  assert.equal(first.items.length, 2);
  assert.equal(first.metadata.remainingItemCount, 3);
  await client.delete(ConfigMap, { namespace: 'default', name: 'm4' });
  const second = await client.list(ConfigMap, { namespace: 'default', limit: 2, continue: first.metadata.continue! });
  const third = await client.list(ConfigMap, { namespace: 'default', limit: 2, continue: second.metadata.continue! });
  assert.deepEqual(
    [...first.items, ...second.items, ...third.items].map((item) => item.metadata?.name),
    ['m0', 'm1', 'm2', 'm3', 'm4'],
  );
  assert.equal(third.metadata.resourceVersion, first.metadata.resourceVersion);
  const odd = await client.list(ConfigMap, { labelSelector: 'odd=1', limit: 1 });
  assert.equal(odd.items[0]?.metadata?.name, 'm1');
  assert.equal((await client.list(ConfigMap, { labelSelector: 'odd=1', continue: odd.metadata.continue! })).items[0]?.metadata?.name, 'm3');
});

test('finalizers and grace periods hold an object until they are done', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  const ref = { namespace: 'default', name: 'a' };
  const held = await client.create(ConfigMap, { metadata: { ...ref, finalizers: ['example.com/hold'] } });
  await client.delete(ConfigMap, ref);
  const waiting = await client.get(ConfigMap, ref);
  assert.equal(waiting.metadata?.deletionTimestamp, '2026-01-01T00:00:00Z');
  await assert.rejects(client.create(ConfigMap, { metadata: ref }), { message: 'object is being deleted: configmaps "a" already exists' });
  await client.patch(ConfigMap, ref, 'merge', { metadata: { finalizers: null } });
  await assert.rejects(client.get(ConfigMap, ref), isNotFound);
  assert.equal(held.metadata?.finalizers?.length, 1);

  const pod = { metadata: ref, spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] } } as Pod;
  await client.create(Pod, pod);
  await client.delete(Pod, ref, { gracePeriodSeconds: 30 });
  assert.equal((await client.get(Pod, ref)).metadata?.deletionGracePeriodSeconds, 30);
  await client.delete(Pod, ref, { gracePeriodSeconds: 0 });
  await assert.rejects(client.get(Pod, ref), isNotFound);
});

test('a selector turns changes into additions and deletions; bookmarks follow', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  const ref = { namespace: 'default', name: 'a' };
  const seen: string[] = [];
  const watch = await client.watch(
    ConfigMap,
    { labelSelector: 'on=yes', allowWatchBookmarks: true, resourceVersion: '0' },
    ({ type, object }) => seen.push(`${type} ${object.metadata?.name ?? ''}`),
  );
  await client.create(ConfigMap, { metadata: ref });
  await client.patch(ConfigMap, ref, 'merge', { metadata: { labels: { on: 'yes' } } });
  await client.patch(ConfigMap, ref, 'strategic', { data: { x: '1' } });
  await client.patch(ConfigMap, ref, 'json', [{ op: 'replace', path: '/metadata/labels/on', value: 'no' }]);
  await settle();
  assert.deepEqual(seen, ['ADDED a', 'MODIFIED a', 'DELETED a']);
  await client.patch(ConfigMap, ref, 'merge', { data: { x: '2' } });
  await api.clock.advance(60_000);
  assert.deepEqual(seen.slice(3), ['BOOKMARK ']);
  watch.stop();
});

test('scale, status and generation', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  const ref = { namespace: 'default', name: 'd' };
  const labels = { app: 'd' };
  await client.create(Deployment, {
    metadata: ref,
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } } },
  });
  const scale = (await client.get(Deployment, ref, { subresource: 'scale' })) as { spec?: { replicas?: number } };
  assert.equal(scale.spec?.replicas, 1);
  await client.patch(Deployment, ref, 'merge', { spec: { replicas: 3 } }, { subresource: 'scale' });
  const scaled = await client.get(Deployment, ref);
  assert.equal(scaled.spec?.replicas, 3);
  assert.equal(scaled.metadata?.generation, 2);
  const next = draft(scaled);
  next.status = { replicas: 3 };
  next.spec!.replicas = 9;
  const status = await client.updateStatus(Deployment, next);
  assert.equal(status.status?.replicas, 3);
  assert.equal(status.spec?.replicas, 3);
  assert.equal(status.metadata?.generation, 2);
});

test('a Namespace terminates before it goes', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  await client.create(Namespace, { metadata: { name: 'n' } });
  await client.delete(Namespace, { name: 'n' });
  const going = draft(await client.get(Namespace, { name: 'n' }));
  assert.equal(going.status?.phase, 'Terminating');
  going.spec = { finalizers: [] };
  await client.update(Namespace, going, { subresource: 'finalize' });
  await assert.rejects(client.get(Namespace, { name: 'n' }), isNotFound);
  assert.ok(Service.namespaced);
});

test("managed fields are kept for writers and appliers, in upstream's order", async () => {
  await using api = await server();
  const ref = { namespace: 'default', name: 'a' };
  const client = api.clientFor(admin, 'writer/1.0');
  const applied = await client.patch(
    ConfigMap,
    ref,
    'apply',
    { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' }, data: { z: '1', b: '2' } },
    { fieldManager: 'applier' },
  );
  assert.equal(JSON.stringify(applied.metadata?.managedFields?.[0]?.fieldsV1), '{"f:data":{"f:b":{},"f:z":{}}}');
  const written = await client.patch(ConfigMap, ref, 'merge', { data: { b: '3' } });
  assert.deepEqual(
    written.metadata?.managedFields?.map(({ manager, operation }) => `${manager} ${operation}`),
    ['applier Apply', 'writer Update'],
  );
  const change = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' }, data: { z: '1', b: '4' } };
  await assert.rejects(client.patch(ConfigMap, ref, 'apply', change, { fieldManager: 'applier' }), isConflict);
  const forced = await client.patch(ConfigMap, ref, 'apply', change, { fieldManager: 'applier', force: true });
  assert.equal(forced.data?.['b'], '4');
});
