/** What the suite (../etcd/etcd.test.ts) does not reach: TLS, several watches on a stream, what is asked about the server. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as secureRequest } from 'node:https';
import type { RequestOptions } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { test } from 'node:test';
import { systemClock, virtualClock } from '#machinery/clock';
import { Disposables } from '#machinery/lifecycle';
import { createCa, issue } from '#machinery/pki';
import { StoreError } from '../contract.ts';
import { Connection } from '../etcd/connection.ts';
import { etcdStore } from '../etcd/mod.ts';
import type { Wire } from '../etcd/protocol.ts';
import { memoryStore } from '../memory/mod.ts';
import { etcdServer } from './mod.ts';

const put = (key: string, value: string) => ({
  compare: [],
  success: [{ type: 'put' as const, key, value: Buffer.from(value) }],
  failure: [],
});

async function setup(options: { quotaBytes?: number } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-etcd-server-'));
  const address = `unix://${directory}/etcd.sock`;
  const store = memoryStore({ clock: virtualClock(), ...options });
  const server = await etcdServer({ store, clock: systemClock, address, tls: 'insecure' });
  const connection = await Connection.open({ endpoints: [address], clock: systemClock, callTimeout: 5000 });
  return {
    store,
    connection,
    async [Symbol.asyncDispose]() {
      connection.close();
      await server.close();
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A watch stream whose answers are waited for one by one. */
function watching(connection: Connection) {
  const stream = connection.stream('Watch', 'Watch');
  const answers: Wire[] = [];
  let wake: (() => void) | undefined;
  stream.on('data', (answer: Wire) => {
    answers.push(answer);
    wake?.();
  });
  stream.on('error', () => undefined);
  const next = async (): Promise<Wire> => {
    while (answers.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return answers.shift()!;
  };
  return {
    send: (request: Wire) => void stream.write(request),
    next,
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    cancel: () => stream.cancel(),
  };
}

test('many watches share a stream; progress is told when all of them are there', async () => {
  await using own = await setup();
  const { store, connection } = own;
  for (let index = 0; index < 10; index++) await store.txn(put(`a/${index}`, 'x'));
  const { send, next, cancel } = watching(connection);
  send({ createRequest: { key: Buffer.from('a'), rangeEnd: Buffer.from('b'), startRevision: 2, fragment: true } });
  send({ createRequest: { key: Buffer.from('b'), watchId: 7 } });
  send({ createRequest: { key: Buffer.from('b'), watchId: 7 } });
  send({ progressRequest: {} });
  const seen: string[] = [];
  for (let answer = await next(); ; answer = await next()) {
    const { watchId = 0, created, canceled, events = [], header } = answer;
    seen.push(created ? `${canceled ? 'refused' : 'created'} ${watchId}` : `${watchId}: ${events.length} events at ${header.revision}`);
    if (watchId === -1 && !created) break;
  }
  assert.deepEqual(seen, ['created 0', '0: 10 events at 11', 'created 7', 'refused -1', '-1: 0 events at 11']);
  send({ cancelRequest: { watchId: 7 } });
  assert.deepEqual([(await next())['canceled']], [true]);
  await store.txn(put('b', 'x'));
  await store.txn(put('a/x', 'x'));
  assert.equal((await next())['events'][0].kv.key.toString(), 'a/x');
  await store.compact(5);
  send({ createRequest: { key: Buffer.from('a'), startRevision: 2 } });
  await next();
  const { canceled, compactRevision, cancelReason } = await next();
  assert.deepEqual([canceled, compactRevision], [true, 5]);
  assert.match(cancelReason as string, /has been compacted/);
  cancel();
});

test('progress of a stream is told when all of its watches are there, however often it was asked for', async () => {
  await using own = await setup();
  const { store, connection } = own;
  for (let index = 0; index < 200; index++) await store.txn(put(`a/${index}`, 'x'.repeat(200_000)));
  const { send, next, pause, resume, cancel } = watching(connection);
  const watch = (watchId: number) =>
    send({ createRequest: { watchId, key: Buffer.from('a'), rangeEnd: Buffer.from('b'), startRevision: 2, fragment: true } });
  watch(1);
  pause();
  // Too much for a client that takes nothing: the watch is behind for as long.
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (let times = 0; times < 3; times++) send({ progressRequest: {} });
  watch(2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  resume();
  const events = new Map([
    [1, 0],
    [2, 0],
  ]);
  for (let told = 0; told < 3;) {
    const { watchId = 0, events: some = [], header } = await next();
    if (watchId !== -1) events.set(watchId, events.get(watchId)! + some.length);
    else {
      assert.deepEqual([header.revision, ...events.values()], [201, 200, 200]);
      told++;
    }
  }
  cancel();
});

test('big events are sent in parts to who can take them', async () => {
  await using own = await setup();
  const { store, connection } = own;
  const value = 'x'.repeat(700_000);
  const operations = ['a', 'b', 'c'].map((key) => put(key, value).success[0]!);
  await store.txn({ compare: [], success: operations, failure: [] });
  const { send, next, cancel } = watching(connection);
  send({ createRequest: { key: Buffer.from('a'), rangeEnd: Buffer.from('z'), startRevision: 2, fragment: true } });
  await next();
  const parts = [await next(), await next(), await next()];
  assert.deepEqual(
    parts.map((part) => [part['fragment'] ?? false, part['events'].length]),
    [
      [true, 1],
      [true, 1],
      [false, 1],
    ],
  );
  cancel();
});

test('it tells what it is, and refuses what one member cannot do', async () => {
  await using own = await setup();
  const { store, connection } = own;
  await store.txn(put('a', 'x'));
  const ask = (service: string, name: string, request: Wire = {}): Promise<Wire> => connection.call(service, name, request, true);
  const status = await ask('Maintenance', 'Status');
  assert.match(status['version'] as string, /^3\.\d+\.\d+$/);
  assert.equal(status['header'].revision, 2);
  const { members } = await ask('Cluster', 'MemberList');
  assert.equal(members.length, 1);
  assert.equal(members[0].ID, status['leader']);
  const before = await ask('Maintenance', 'HashKV');
  await store.txn(put('a', 'y'));
  assert.notEqual((await ask('Maintenance', 'HashKV'))['hash'], before['hash']);
  assert.equal((await ask('Maintenance', 'HashKV', { revision: 2 }))['hash'], before['hash']);
  for (const TTL of [-5, 0, 1]) assert.equal((await ask('Lease', 'LeaseGrant', { TTL }))['TTL'], 2);
  assert.equal((await ask('Auth', 'AuthStatus'))['enabled'] ?? false, false);
  assert.deepEqual((await ask('Auth', 'UserList'))['users'] ?? [], []);
  assert.deepEqual((await ask('Auth', 'RoleList'))['roles'] ?? [], []);
  await assert.rejects(ask('Cluster', 'MemberAdd'), /one member/);
  await assert.rejects(ask('Auth', 'Authenticate'), /authentication is not enabled/);
});

test('without space left an alarm is on, and nothing is put until it is disarmed', async () => {
  await using own = await setup({ quotaBytes: 2000 });
  const { store, connection } = own;
  const ask = (service: string, name: string, request: Wire = {}): Promise<Wire> => connection.call(service, name, request, true);
  const write = (size: number): Promise<Wire> => ask('KV', 'Put', { key: Buffer.from('a'), value: Buffer.alloc(size) });
  const alarms = async (): Promise<string[]> =>
    ((await ask('Maintenance', 'Alarm', { action: 'GET' }))['alarms'] ?? []).map((alarm: Wire) => alarm['alarm']);
  await write(1000);
  assert.deepEqual(await alarms(), []);
  await assert.rejects(write(1500), /database space exceeded/);
  assert.deepEqual(await alarms(), ['NOSPACE']);
  const [said] = (await ask('Maintenance', 'Status'))['errors'];
  assert.match(said, /^memberID:\d+ alarm:NOSPACE $/);
  // What would fit is refused as well, and so are leases and transactions with puts; what makes room is not.
  await assert.rejects(write(10), /database space exceeded/);
  await assert.rejects(ask('Lease', 'LeaseGrant', { TTL: 60 }), /database space exceeded/);
  const inner = { requestTxn: { success: [{ requestPut: { key: Buffer.from('b'), value: Buffer.from('x') } }] } };
  await assert.rejects(ask('KV', 'Txn', { success: [inner] }), /database space exceeded/);
  await ask('KV', 'DeleteRange', { key: Buffer.from('a') });
  await ask('KV', 'Compact', { revision: await store.revision() });
  await ask('Maintenance', 'Defragment');
  await assert.rejects(write(10), /database space exceeded/);
  const { alarms: disarmed } = await ask('Maintenance', 'Alarm', { action: 'DEACTIVATE', memberID: 0xc0c5, alarm: 'NOSPACE' });
  assert.deepEqual([disarmed.length, await alarms()], [1, []]);
  await write(10);
});

test('who takes a long history slowly gets all of it, and little waits for him', async () => {
  await using own = await setup();
  const { store, connection } = own;
  const [count, value] = [80, Buffer.alloc(1024 * 1024, 'x')];
  for (let index = 0; index < count; index++)
    await store.txn({ compare: [], success: [{ type: 'put', key: `a/${index}`, value }], failure: [] });
  const { send, next, pause, resume, cancel } = watching(connection);
  send({ createRequest: { key: Buffer.from('a'), rangeEnd: Buffer.from('b'), startRevision: 2 } });
  pause();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await store.txn(put('a/last', 'x'));
  resume();
  const keys: string[] = [];
  while (keys.length <= count) keys.push(...((await next())['events'] ?? []).map((event: Wire) => event['kv'].key.toString()));
  assert.deepEqual(keys, [...Array.from({ length: count }, (_, index) => `a/${index}`), 'a/last']);
  await store.txn(put('a/more', 'x'));
  assert.equal((await next())['events'][0].kv.key.toString(), 'a/more');
  cancel();
});

test('over TLS, who has no certificate of the authority is not let in', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-etcd-server-'));
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const clock = systemClock;
  const ca = createCa('etcd-ca', { clock });
  const made = (name: string) => {
    const usages = ['digital signature', 'server auth', 'client auth'];
    const pair = issue({ ca, commonName: name, usages, ips: ['127.0.0.1'], clock });
    return { certificate: file(`${name}.crt`, pair.certificate), key: file(`${name}.key`, pair.key) };
  };
  const clientCa = file('ca.crt', ca.certificate);
  const memory = memoryStore({ clock: virtualClock() });
  const server = await etcdServer({ store: memory, clock: systemClock, address: '127.0.0.1:0', tls: { ...made('server'), clientCa } });
  const endpoints = [`https://127.0.0.1:${server.port}`];
  const friend = await etcdStore({ endpoints, clock: systemClock, tls: { ca: clientCa, ...made('client') } });
  const stranger = await etcdStore({ endpoints, clock: systemClock, tls: { ca: clientCa } });
  // The server's certificate is not for this name.
  const elsewhere = await etcdStore({
    endpoints: [`https://localhost:${server.port}`],
    clock: systemClock,
    tls: { ca: clientCa, ...made('third') },
  });
  try {
    assert.equal((await friend.txn(put('a', 'x'))).revision, 2);
    await assert.rejects(stranger.txn(put('a', 'y')), (error) => error instanceof StoreError && error.code === 'unavailable');
    await assert.rejects(elsewhere.txn(put('a', 'y')), (error) => error instanceof StoreError && error.code === 'unavailable');
    assert.equal(await memory.revision(), 2);
  } finally {
    await elsewhere.close();
    await friend.close();
    await stranger.close();
    await server.close();
    await memory.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Status and text of one GET over HTTP/1. */
function get(path: string, options: RequestOptions & { secure?: boolean }): Promise<[number | undefined, string]> {
  return new Promise((resolve, reject) => {
    const asked = (options.secure ? secureRequest : plainRequest)({ ...options, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () => resolve([response.statusCode, text]));
    });
    asked.on('error', reject);
    asked.end();
  });
}

test('health, version and metrics are told over HTTP/1, on the port of gRPC and where nothing else is', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-etcd-server-'));
  const clock = systemClock;
  const ca = createCa('etcd-ca', { clock });
  const pair = issue({ ca, commonName: 'server', usages: ['digital signature', 'server auth'], ips: ['127.0.0.1'], clock });
  const [certificate, key, authority] = [pair.certificate, pair.key, ca.certificate].map((text, index) => {
    const path = join(directory, String(index));
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }) as [string, string, string];
  const socketPath = join(directory, 'metrics.sock');
  try {
    for (const secure of [false, true]) {
      await using held = new Disposables();
      const store = memoryStore({ clock: virtualClock(), quotaBytes: 2000 });
      held.add(() => store.close());
      const tls = secure ? { certificate, key } : 'insecure';
      const metrics = [{ address: `unix://${socketPath}`, tls: 'insecure' as const }];
      const server = await etcdServer({ store, clock, address: '127.0.0.1:0', tls, metrics });
      held.add(() => server.close());
      const endpoints = [`http${secure ? 's' : ''}://127.0.0.1:${server.port}`];
      const client = await etcdStore({ endpoints, clock, ...(secure && { tls: { ca: authority } }) });
      held.add(() => client.close());
      const here = { port: server.port, host: '127.0.0.1', secure, ...(secure && { ca: ca.certificate }) };
      await client.txn(put('a', 'x'));
      assert.deepEqual(await get('/health', here), [200, '{"health":"true","reason":""}']);
      assert.deepEqual(await get('/version', here), [200, '{"etcdserver":"3.6.6","etcdcluster":"3.6.0","storage":"3.6.0"}']);
      assert.deepEqual(await get('/livez?verbose', here), [200, '[+]serializable_read ok\nok\n']);
      assert.deepEqual(await get('/readyz/data_corruption', here), [200, 'ok\n']);
      assert.equal((await get('/nothing', here))[0], 404);
      assert.equal((await get('/health', { ...here, method: 'POST' }))[0], 405);
      assert.equal((await get('/version', { socketPath }))[0], 404);
      const [code, text] = await get('/metrics', { socketPath });
      assert.equal(code, 200);
      assert.match(text, /^etcd_server_has_leader 1$/m);
      assert.match(
        text,
        /^grpc_server_handled_total\{grpc_code="OK",grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"\} 1$/m,
      );
      await assert.rejects(client.txn(put('a', 'x'.repeat(3000))));
      assert.deepEqual(await get('/health', here), [503, '{"health":"false","reason":"ALARM NOSPACE"}\n']);
      assert.deepEqual(await get('/health?exclude=NOSPACE', here), [200, '{"health":"true","reason":""}']);
      assert.deepEqual(await get('/readyz', { socketPath }), [200, 'ok\n']);
      // Over HTTP/2, as who may choose chooses.
      const session = connectHttp2(endpoints[0]!, { ...(secure && { ca: ca.certificate }) });
      held.add(() => session.destroy());
      const asked = session.request({ ':path': '/readyz?exclude=data_corruption&verbose' });
      const status = new Promise((resolve) => asked.on('response', (headers) => resolve(headers[':status'])));
      assert.deepEqual(
        [await textOf(asked), await status],
        ['[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n', 200],
      );
      for (const method of ['HEAD', 'POST']) {
        const refused = session.request({ ':method': method, ':path': '/health' }, { endStream: method === 'HEAD' });
        if (method === 'POST') refused.end(Buffer.alloc(300_000));
        const code = new Promise((resolve) => refused.on('response', (headers) => resolve(headers[':status'])));
        assert.deepEqual([await textOf(refused), await code], [method === 'HEAD' ? '' : 'Method Not Allowed\n', 405]);
      }
      // Who begins like HTTP/2 and goes on otherwise.
      const slow = connect(server.port, '127.0.0.1');
      held.add(() => slow.destroy());
      if (!secure) {
        const answered = new Promise<string>((resolve) => slow.once('data', (bytes) => resolve(bytes.toString())));
        slow.write('P');
        await new Promise((resolve) => setTimeout(resolve, 20));
        slow.write('OST / HTTP/1.1\r\nHost: etcd\r\n\r\n');
        assert.match(await answered, /^HTTP\/1.1 405 /);
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
