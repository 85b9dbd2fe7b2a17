import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustomResourceDefinition } from '#api';
import type { Kind } from '#api';
import { informersOver } from '#client';
import type { Client } from '#client';
import { seededRandom, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { draft } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { StatusError, isNotFound, isStatus } from '#machinery/status';
import { memoryStore } from '#store';
import { createApiServer } from '../server.ts';
import type { ApiServer } from '../options.ts';
import { customResources } from './custom-resources.ts';

const admin = { name: 'admin', groups: ['system:masters'] };
type Custom = KubeObject & { spec?: Record<string, unknown>; status?: Record<string, unknown> };

const kind = (version = 'v1', plural = 'crontabs'): Kind<Custom> => ({
  group: 'stable.example.com',
  version,
  kind: 'CronTab',
  resource: plural,
  namespaced: true,
  apiVersion: `stable.example.com/${version}`,
});

const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['schedule'],
      properties: {
        schedule: { type: 'string' },
        image: { type: 'string', default: 'busybox' },
        replicas: { type: 'integer', minimum: 1 },
      },
      'x-kubernetes-validations': [{ rule: '!has(oldSelf.replicas) || self.replicas >= oldSelf.replicas', message: 'only more' }],
    },
    status: { type: 'object', properties: { ready: { type: 'boolean' } } },
  },
};

const definition = (versions: Partial<CustomResourceDefinition['spec']['versions'][number]>[] = [{}]): CustomResourceDefinition => ({
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    group: 'stable.example.com',
    scope: 'Namespaced',
    names: { plural: 'crontabs', singular: 'crontab', kind: 'CronTab', shortNames: ['ct'] },
    versions: versions.map((version, index) => ({
      name: 'v1',
      served: true,
      storage: index === 0,
      subresources: { status: {} },
      schema: { openAPIV3Schema: schema },
      ...version,
    })),
  },
});

const custom = (name: string, spec: Record<string, unknown>, version = 'v1'): Custom => ({
  apiVersion: `stable.example.com/${version}`,
  kind: 'CronTab',
  metadata: { namespace: 'default', name },
  spec,
});

async function server(): Promise<ApiServer> {
  const clock = virtualClock(Date.parse('2026-01-01T00:00:00Z'));
  const api = await createApiServer({
    store: memoryStore({ clock, random: seededRandom(1) }),
    clock,
    random: seededRandom(2),
    log: silentLog,
    freeze: true,
    authentication: () => ({ authenticate: () => admin }),
    authorization: () => () => ({ verdict: 'allow', reason: '' }),
    extensions: [customResources()],
  });
  await api.ready;
  return api;
}

/** Resolves when the definition is as asked; undefined stands for one that is gone. */
async function until(api: ApiServer, name: string, isSo: (found: CustomResourceDefinition | undefined) => boolean): Promise<void> {
  const { clock, random, log } = api.parts;
  await using informers = informersOver(api.clientFor(admin), { clock, random, log });
  const informer = informers.for(CustomResourceDefinition);
  await new Promise<void>((resolve) => {
    const look = (): void => void (isSo(informer.get(name)) && resolve());
    informer.on({ added: look, updated: look, deleted: look });
    void informer.synced.then(look);
  });
}

const has = (type: string, status: string) => (found: CustomResourceDefinition | undefined) =>
  found?.status?.conditions?.some((condition) => condition.type === type && condition.status === status) === true;

async function establish(api: ApiServer, client: Client, made = definition()): Promise<void> {
  await client.create(CustomResourceDefinition, made);
  await until(api, made.metadata!.name!, has('Established', 'True'));
}

const texts = (error: unknown): string => (error instanceof StatusError ? (error.status.message ?? '') : String(error));

test('a custom resource is served, defaulted, pruned, validated; with its definition it goes', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  await establish(api, client);
  const made = await client.create(kind(), custom('a', { schedule: '* *', odd: 1 }), { fieldValidation: 'Ignore' });
  assert.deepEqual(made.spec, { schedule: '* *', image: 'busybox' });
  assert.equal(made.metadata?.generation, 1);
  await assert.rejects(client.create(kind(), custom('b', { schedule: '* *', odd: 1 }), { fieldValidation: 'Strict' }), (error) =>
    texts(error).includes('strict decoding error: unknown field "spec.odd"'),
  );
  await assert.rejects(client.create(kind(), custom('c', { replicas: 0 })), (error) => {
    assert.ok(isStatus(error, 'Invalid'));
    assert.match(error.message, /spec\.replicas in body should be greater than or equal to 1/);
    assert.match(error.message, /spec\.schedule: Required value/);
    return true;
  });
  const withStatus = await client.updateStatus(kind(), { ...draft(made), spec: { schedule: 'other' }, status: { ready: true } });
  assert.deepEqual([withStatus.spec?.['schedule'], withStatus.status, withStatus.metadata?.generation], ['* *', { ready: true }, 1]);
  const more = await client.update(kind(), { ...draft(withStatus), spec: { schedule: '* *', replicas: 3 } });
  assert.deepEqual([more.metadata?.generation, more.status], [2, { ready: true }]);
  await assert.rejects(client.update(kind(), { ...draft(more), spec: { schedule: '* *', replicas: 2 } }), /only more/);
  await client.delete(CustomResourceDefinition, { name: 'crontabs.stable.example.com' });
  await until(api, 'crontabs.stable.example.com', (found) => found === undefined);
  await assert.rejects(client.list(kind()), isNotFound);
});

test('integers keep their digits, and are compared and checked as what they are', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  const spec = {
    type: 'object',
    properties: { at: { type: 'integer', format: 'int64', minimum: 1 }, any: { 'x-kubernetes-preserve-unknown-fields': true } },
    'x-kubernetes-validations': [{ rule: '!has(self.at) || self.at != 1764325123456789013', message: 'not this one' }],
  };
  await establish(api, client, definition([{ schema: { openAPIV3Schema: { type: 'object', properties: { spec } } } }]));
  const at = { at: 1764325123456789012n, any: { list: [9223372036854775807n, 1.5] } };
  const made = await client.create(kind(), custom('a', at));
  assert.deepEqual(made.spec, at);
  const stored = (await api.parts.store.range({ key: '/registry/stable.example.com/', end: '/registry/stable.example.com0' }))
    .keyValues[0]!;
  assert.match(Buffer.from(stored.value).toString(), /"at":1764325123456789012,/);
  const patch = [
    { op: 'test', path: '/spec/at', value: 1764325123456789012n },
    { op: 'replace', path: '/spec/any', value: -9223372036854775808n },
  ];
  const changed = await client.patch(kind(), { namespace: 'default', name: 'a' }, 'json', patch);
  assert.deepEqual(changed.spec, { ...at, any: -9223372036854775808n });
  const next = (value: bigint) => ({ ...draft(changed), spec: { ...at, at: value } });
  await assert.rejects(client.update(kind(), next(1764325123456789013n)), /not this one/);
  await assert.rejects(client.update(kind(), next(-1764325123456789013n)), /should be greater than or equal to 1/);
  assert.deepEqual((await client.get(kind(), { namespace: 'default', name: 'a' })).spec, changed.spec);
});

test('a definition waits for objects with finalizers, and lets no more be made', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  await establish(api, client);
  const held = custom('a', { schedule: '*' });
  held.metadata!.finalizers = ['example.com/held'];
  await client.create(kind(), held);
  await client.delete(CustomResourceDefinition, { name: 'crontabs.stable.example.com' });
  await until(api, 'crontabs.stable.example.com', (found) =>
    Boolean(found?.status?.conditions?.some(({ reason }) => reason === 'InstanceDeletionInProgress')),
  );
  await assert.rejects(client.create(kind(), custom('b', { schedule: '*' })), (error) => isStatus(error, 'MethodNotAllowed'));
  await client.patch(kind(), { namespace: 'default', name: 'a' }, 'merge', { metadata: { finalizers: null } });
  await until(api, 'crontabs.stable.example.com', (found) => found === undefined);
});

test('objects of one version are read in all', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  await establish(api, client, definition([{ name: 'v1' }, { name: 'v2', subresources: {} }]));
  await client.create(kind(), custom('a', { schedule: '1' }));
  await client.create(kind('v2'), custom('b', { schedule: '2' }, 'v2'));
  for (const version of ['v1', 'v2'])
    assert.deepEqual(
      (await client.list(kind(version))).items.map(({ apiVersion, metadata, spec }) => [apiVersion, metadata?.name, spec?.['schedule']]),
      [
        [`stable.example.com/${version}`, 'a', '1'],
        [`stable.example.com/${version}`, 'b', '2'],
      ],
    );
});

test('a name belongs to the first definition of the group that asked for it', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  await establish(api, client);
  const other = definition();
  other.metadata!.name = 'others.stable.example.com';
  other.spec.names = { plural: 'others', kind: 'Other', shortNames: ['ct'] };
  await client.create(CustomResourceDefinition, other);
  await until(api, 'others.stable.example.com', has('NamesAccepted', 'False'));
  const found = await client.get(CustomResourceDefinition, { name: 'others.stable.example.com' });
  assert.deepEqual(
    found.status?.conditions?.map(({ type, status, reason, message }) => [type, status, reason, message]),
    [
      ['NamesAccepted', 'False', 'ShortNamesConflict', '"ct" is already in use'],
      ['Established', 'False', 'NotAccepted', 'not all names are accepted'],
    ],
  );
  await client.delete(CustomResourceDefinition, { name: 'crontabs.stable.example.com' });
  await until(api, 'others.stable.example.com', has('Established', 'True'));
});

test('rules that do not compile, cost too much or have bad defaults are refused', async () => {
  await using api = await server();
  const client = api.clientFor(admin);
  const spec = (extra: Record<string, unknown>): Record<string, unknown> => ({
    type: 'object',
    properties: { spec: { type: 'object', ...extra } },
  });
  const cases: [Record<string, unknown>, RegExp][] = [
    [spec({ 'x-kubernetes-validations': [{ rule: 'self.gone == 1' }] }), /compilation failed: ERROR: <input>:1:5: undefined field 'gone'/],
    [
      spec({ 'x-kubernetes-validations': [{ rule: '!has(self.gone)', message: 'm' }] }),
      /Invalid value: \{"Rule":"!has\(self\.gone\)","Message":"m","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null\}: compilation failed: ERROR: <input>:1:5: undefined field 'gone'/,
    ],
    [
      spec({
        properties: { list: { type: 'array', items: { type: 'string' } } },
        'x-kubernetes-validations': [{ rule: 'self.list.all(x, self.list.all(y, x == y))' }],
      }),
      /estimated rule cost exceeds budget by factor of more than 100x/,
    ],
    [
      spec({ properties: { count: { type: 'integer', default: 'one' } } }),
      /default in body must be of type integer: "string"|must be of type integer/,
    ],
    [spec({ properties: { inner: { type: 'object', default: { odd: 1 } } } }), /must not have unknown fields/],
  ];
  for (const [wrong, text] of cases)
    await assert.rejects(client.create(CustomResourceDefinition, definition([{ schema: { openAPIV3Schema: wrong } }])), text);
});
