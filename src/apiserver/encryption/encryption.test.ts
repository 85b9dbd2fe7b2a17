import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { Secret } from '#api';
import { seededRandom, systemClock, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { draft } from '#machinery/meta';
import { memoryStore } from '#store';
import type { Store } from '#store';
import { createApiServer } from '../server.ts';
import { encryptionErrors } from './configuration.ts';
import { EncryptedStore, encryptionOf } from './index.ts';
import type { EncryptionConfiguration } from './index.ts';
import type { Provider } from './configuration.ts';

const base = { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'EncryptionConfiguration' };
const secretOf = (size: number, fill: number): string => Buffer.alloc(size, fill).toString('base64');
const context = { clock: systemClock, log: silentLog };
const of = (providers: Provider[], resources = ['secrets']): EncryptionConfiguration => ({
  ...base,
  resources: [{ resources, providers }],
});
const aes = (kind: 'aesgcm' | 'aescbc', ...names: string[]): Provider => ({
  [kind]: { keys: names.map((name) => ({ name, secret: secretOf(32, name.charCodeAt(0)) })) },
});
const key = '/registry/secrets/ns/a';
const plain = Buffer.from('{"kind":"Secret","data":{"password":"aHVudGVyMg=="}}');

test('values lie as upstream writes them, can be read back, and only from their own key', async () => {
  for (const [provider, prefix, bound] of [
    [aes('aesgcm', 'a'), 'k8s:enc:aesgcm:v1:a:', true],
    [aes('aescbc', 'a'), 'k8s:enc:aescbc:v1:a:', false],
    [{ secretbox: { keys: [{ name: 'a', secret: secretOf(32, 1) }] } }, 'k8s:enc:secretbox:v1:a:', false],
    [{ identity: {} }, '{"kind"', false],
  ] as const) {
    const { transformerFor } = await encryptionOf(of([provider as Provider]), context);
    const transformer = transformerFor(key)!;
    const stored = transformer.encrypt(plain, key);
    assert.ok(Buffer.from(stored).toString('latin1').startsWith(prefix), prefix);
    assert.deepEqual(Buffer.from((await transformer.decrypt(stored, key)).value), plain);
    const elsewhere = async () => transformer.decrypt(stored, '/registry/secrets/ns/b');
    if (bound) await assert.rejects(elsewhere, { message: 'cipher: message authentication failed' });
    if (prefix.startsWith('k8s')) {
      const changed = Buffer.from(stored);
      changed[changed.length - 1]! ^= 1;
      if (!prefix.includes('cbc')) await assert.rejects(async () => transformer.decrypt(changed, key));
    }
  }
});

test('values of the time before are read, encrypted ones are no plain ones', async () => {
  const { transformerFor } = await encryptionOf(of([aes('aesgcm', 'a'), { identity: {} }]), context);
  const transformer = transformerFor(key)!;
  assert.deepEqual(transformer.decrypt(plain, key), { value: plain, label: '' }, 'before encryption was switched on');
  const { transformerFor: other } = await encryptionOf(of([{ identity: {} }]), context);
  assert.throws(() => other(key)!.decrypt(transformer.encrypt(plain, key), key), {
    message: 'identity transformer tried to read encrypted data',
  });
});

test('rules say which resources, the first that matches', async () => {
  const provider = (name: string): Provider => aes('aesgcm', name);
  const { transformerFor } = await encryptionOf(
    {
      ...base,
      resources: [
        { resources: ['secrets', 'pandas.awesome.bears.example'], providers: [provider('a')] },
        { resources: ['*.apps'], providers: [provider('b')] },
        { resources: ['*.'], providers: [provider('c')] },
      ],
    },
    context,
  );
  for (const [path, name] of [
    ['/registry/secrets/ns/a', 'a'],
    ['/registry/awesome.bears.example/pandas/ns/a', 'a'],
    ['/registry/awesome.bears.example/cubs/ns/a', undefined],
    ['/registry/deployments/ns/a', 'b'],
    ['/registry/configmaps/ns/a', 'c'],
    ['/registry/services/specs/ns/a', 'c'],
    ['/registry/minions/node', 'c'],
    ['/registry/clusterroles/x', undefined],
    ['/coxswain/anything', undefined],
  ] as const)
    assert.equal(transformerFor(path)?.label(), name && `k8s:enc:aesgcm:v1:${name}:`, path);
});

test('encryptionErrors() says what is wrong and where', () => {
  for (const [provider, text] of [
    [
      { aesgcm: { keys: [{ name: 'a', secret: secretOf(15, 0) }] } },
      'resources[0].providers[0].aesgcm.keys[0].secret: Invalid value: "REDACTED": secret is not of the expected length, got 15, expected one of [16 24 32]',
    ],
    [
      { secretbox: { keys: [] } },
      'resources[0].providers[0].secretbox.keys: Required value: at least one resources[0].providers[0].secretbox.keys is required',
    ],
    [
      {},
      'resources[0].providers[0]: Required value: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity',
    ],
    [
      { kms: { apiVersion: 'v1', name: 'k', endpoint: 'unix:///x' } },
      'resources[0].providers[0].kms.apiVersion: Invalid value: "v1": unsupported apiVersion v1 for KMS provider, only v2 is supported',
    ],
  ] as const)
    assert.deepEqual(encryptionErrors(of([provider as Provider])), [text]);
  assert.deepEqual(encryptionErrors(of([{ identity: {} }], ['*'])), [
    `resources[0].resources[0]: Invalid value: "*": use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources`,
  ]);
});

const admin = { name: 'admin', groups: ['system:masters'] };

async function server(store: Store) {
  const made = await createApiServer({
    store,
    clock: virtualClock(Date.parse('2026-01-01T00:00:00Z')),
    random: seededRandom(2),
    log: silentLog,
    freeze: true,
    authentication: () => ({ authenticate: () => admin }),
    authorization: () => () => ({ verdict: 'allow', reason: '' }),
  });
  await made.ready;
  return made;
}

test('a server never shows that its secrets are encrypted; an update that changes nothing writes what is out of date anew', async () => {
  const clock = virtualClock();
  const below = memoryStore({ clock, random: seededRandom(1) });
  const onDisk = async (name: string): Promise<string> => {
    const { keyValues } = await below.range({ key: `/registry/secrets/default/${name}` });
    return Buffer.from(keyValues[0]!.value).toString('latin1').slice(0, 20);
  };
  const old = await encryptionOf(of([aes('aesgcm', 'a')]), context);
  const store = new EncryptedStore(below, old.transformerFor);
  const api = await server(store);
  const client = api.clientFor(admin);
  const made = await client.create(Secret, { metadata: { namespace: 'default', name: 'x' }, data: { p: 'aHVudGVyMg==' } });
  assert.equal(await onDisk('x'), 'k8s:enc:aesgcm:v1:a:');
  assert.deepEqual(await client.get(Secret, { namespace: 'default', name: 'x' }), made);
  assert.equal((await client.update(Secret, draft(made))).metadata?.resourceVersion, made.metadata?.resourceVersion);

  const next = await encryptionOf(of([aes('aesgcm', 'b', 'a')]), context);
  store.use(next.transformerFor);
  assert.deepEqual(await client.get(Secret, { namespace: 'default', name: 'x' }), made);
  const rewritten = await client.update(Secret, draft(made));
  assert.notEqual(rewritten.metadata?.resourceVersion, made.metadata?.resourceVersion);
  assert.equal(await onDisk('x'), 'k8s:enc:aesgcm:v1:b:');
  assert.equal((await client.update(Secret, draft(rewritten))).metadata?.resourceVersion, rewritten.metadata?.resourceVersion);
  await api.close();

  // Another start reads it from disk.
  const again = await server(new EncryptedStore(below, next.transformerFor));
  assert.deepEqual((await again.clientFor(admin).get(Secret, { namespace: 'default', name: 'x' })).data, made.data);
  await again.close();
});

test('a KMS plugin keeps the keys: asked once a key, told apart by its key id, and looked at for its health', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kms-'));
  const socket = join(folder, 's');
  const calls: string[] = [];
  let keyId = 'one';
  // Length-delimited fields by number are all that these messages have.
  const field = (number: number, value: Uint8Array | string): Buffer => {
    const bytes = Buffer.from(value as never);
    return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  };
  const first = (bytes: Buffer): Buffer => bytes.subarray(2, 2 + bytes[1]!);
  const flip = (bytes: Uint8Array): Buffer => Buffer.from(bytes.map((byte) => byte ^ 0xff));
  const method = (name: string, answer: (request: Buffer) => Buffer) => ({
    path: `/v2.KeyManagementService/${name}`,
    requestStream: false as const,
    responseStream: false as const,
    requestSerialize: (value: Buffer) => value,
    requestDeserialize: (value: Buffer) => value,
    responseSerialize: (value: Buffer) => value,
    responseDeserialize: (value: Buffer) => value,
    answer,
  });
  const methods = {
    Status: method('Status', () => Buffer.concat([field(1, 'v2'), field(2, 'ok'), field(3, keyId)])),
    Encrypt: method('Encrypt', (request) => Buffer.concat([field(1, flip(first(request))), field(2, keyId)])),
    Decrypt: method('Decrypt', (request) => field(1, flip(first(request)))),
  };
  const plugin = new Server();
  plugin.addService(
    methods as never,
    Object.fromEntries(
      Object.entries(methods).map(([name, { answer }]) => [
        name,
        ({ request }: { request: Buffer }, reply: (error: null, value: Buffer) => void) => {
          calls.push(name);
          reply(null, answer(request));
        },
      ]),
    ) as never,
  );
  await new Promise<void>((done, fail) =>
    plugin.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), (error) => (error ? fail(error) : done())),
  );
  const provider: Provider = { kms: { apiVersion: 'v2', name: 'vault', endpoint: `unix://${socket}` } };
  const writer = await encryptionOf(of([provider]), context);
  const transformer = writer.transformerFor(key)!;
  const stored = transformer.encrypt(plain, key);
  assert.ok(Buffer.from(stored).toString('latin1').startsWith('k8s:enc:kms:v2:vault:'));
  assert.deepEqual(Buffer.from((await transformer.decrypt(stored, key)).value), plain);
  assert.deepEqual(calls, ['Status', 'Encrypt'], 'its own values need no question');
  assert.equal(writer.checks[0]!.check(), undefined);

  keyId = 'two';
  const reader = await encryptionOf(of([provider]), context);
  const other = reader.transformerFor(key)!;
  const read = await other.decrypt(stored, key);
  assert.deepEqual([Buffer.from(read.value), read.label], [plain, 'k8s:enc:kms:v2:vault:one']);
  await other.decrypt(stored, key);
  assert.equal(calls.filter((name) => name === 'Decrypt').length, 1);
  assert.notEqual(read.label, other.label(), 'the plugin has another key: out of date');
  writer.close();
  reader.close();
  plugin.forceShutdown();
  rmSync(folder, { recursive: true });

  const lost = await encryptionOf(of([{ kms: { ...provider.kms, timeout: '200ms' } }]), context);
  assert.ok(lost.checks[0]!.check());
  assert.throws(() => lost.transformerFor(key)!.encrypt(plain, key), /KMS provider vault cannot be used/);
  lost.close();
});
