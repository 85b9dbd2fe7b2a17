/** The server over real sockets: HTTP/2 and HTTP/1.1 on one TLS port. */
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { request } from 'node:https';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { seededRandom, systemClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { createCa, issue } from '#machinery/pki';
import { unauthorized } from '#machinery/status';
import { memoryStore } from '#store';
import { componentStatuses } from '../registry/special/component-status.ts';
import type { ApiServer } from '../options.ts';
import { createApiServer } from '../server.ts';
import type { Listener } from './listener.ts';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  json(): Record<string, unknown> & { message: string };
}

let api: ApiServer;
let listener: Listener;
let session: ClientHttp2Session;
const ca = createCa('test', { clock: systemClock });

before(async () => {
  const leaf = issue({ ca, clock: systemClock, commonName: 'server', ips: ['127.0.0.1'], usages: ['digital signature', 'server auth'] });
  api = await createApiServer({
    store: memoryStore({ clock: systemClock }),
    clock: systemClock,
    random: seededRandom(1),
    log: silentLog,
    freeze: true,
    tls: { cert: leaf.certificate, key: leaf.key, clientCA: ca.certificate },
    authentication: () => ({
      authenticate({ headers }) {
        if (headers['authorization'] === 'Bearer bad') throw unauthorized();
        const name = String(headers['authorization'] ?? 'Bearer admin').slice(7);
        return { name, groups: name === 'admin' ? ['system:masters'] : [] };
      },
    }),
    authorization:
      () =>
      ({ user }) => ({ verdict: user.groups.includes('system:masters') ? 'allow' : 'no-opinion', reason: '' }),
    endpoints: [componentStatuses({ one: () => 'ok', two: () => Promise.reject(new Error('gone')) })],
  });
  await api.ready;
  listener = await api.listen({ host: '127.0.0.1', port: 0 });
  session = connect(`https://127.0.0.1:${listener.port}`, { ca: ca.certificate });
});

after(async () => {
  session.close();
  await api.close();
});

function call(method: string, path: string, headers: OutgoingHttpHeaders = {}, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': method, ':path': path, ...headers });
    const chunks: Buffer[] = [];
    let got: IncomingHttpHeaders = {};
    stream.on('response', (response) => (got = response));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const bytes = Buffer.concat(chunks);
      resolve({ status: Number(got[':status']), headers: got, bytes, json: () => JSON.parse(bytes.toString()) as never });
    });
    stream.on('error', reject);
    stream.end(body);
  });
}

const maps = '/api/v1/namespaces/default/configmaps';
const map = (name: string, data: Record<string, string> = {}): string =>
  JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name }, data });
const json = { 'content-type': 'application/json' };

test('objects come as JSON, YAML, protobuf and Table', async () => {
  assert.equal((await call('POST', maps, json, map('forms', { a: '1' }))).status, 201);
  const path = `${maps}/forms`;
  const plain = await call('GET', path);
  assert.equal(plain.json()['kind'], 'ConfigMap');
  assert.match((await call('GET', path, { accept: 'application/yaml' })).bytes.toString(), /^kind: ConfigMap\n/);
  assert.equal((await call('GET', path, { accept: 'application/vnd.kubernetes.protobuf' })).bytes.subarray(0, 3).toString(), 'k8s');
  assert.match((await call('GET', `${path}?pretty=true`)).bytes.toString(), /^\{\n {2}"kind"/);
  const table = (await call('GET', maps, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })).json() as unknown as {
    columnDefinitions: { name: string }[];
    rows: { cells: unknown[] }[];
  };
  assert.deepEqual(
    table.columnDefinitions.map(({ name }) => name),
    ['Name', 'Data', 'Age'],
  );
  assert.deepEqual(table.rows[0]?.cells.slice(0, 2), ['forms', 1]);
  const list = (await call('GET', maps)).json() as unknown as { items: Record<string, unknown>[] };
  assert.deepEqual(Object.keys(list.items[0]!), ['metadata', 'data'], 'items of built-in kinds go without kind and apiVersion');
  const metadata = await call('GET', maps, { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' });
  assert.equal(metadata.json()['kind'], 'PartialObjectMetadataList');
});

test('what is made up when read comes in every form as well, and is selected from', async () => {
  const path = '/api/v1/componentstatuses';
  const one = { metadata: { name: 'one' }, conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }] };
  const two = { metadata: { name: 'two' }, conditions: [{ type: 'Healthy', status: 'False', error: 'gone' }] };
  assert.deepEqual((await call('GET', path)).json(), { kind: 'ComponentStatusList', apiVersion: 'v1', metadata: {}, items: [one, two] });
  const selected = await call('GET', `${path}?fieldSelector=metadata.name%3Dtwo`);
  assert.deepEqual(selected.json()['items'], [two]);
  assert.equal((await call('GET', path, { accept: 'application/vnd.kubernetes.protobuf' })).bytes.subarray(0, 3).toString(), 'k8s');
  const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  for (const [at, rows] of [
    [
      path,
      [
        ['one', 'Healthy', 'ok', ''],
        ['two', 'Unhealthy', '', 'gone'],
      ],
    ],
    [`${path}/one`, [['one', 'Healthy', 'ok', '']]],
  ] as const) {
    const shown = (await call('GET', at, { accept: table })).json() as unknown as {
      metadata: object;
      columnDefinitions: { name: string }[];
      rows: { cells: unknown[] }[];
    };
    assert.deepEqual(shown.metadata, {});
    assert.deepEqual(
      shown.columnDefinitions.map(({ name }) => name),
      ['Name', 'Status', 'Message', 'Error'],
    );
    assert.deepEqual(
      shown.rows.map(({ cells }) => cells),
      rows,
    );
  }
  const metadata = await call('GET', path, { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' });
  assert.deepEqual(
    (metadata.json()['items'] as { metadata: object }[]).map((item) => item.metadata),
    [{ name: 'one' }, { name: 'two' }],
  );
});

test('the document of version 2 is the same in JSON and in protobuf: every path, operation and definition', async () => {
  const plain = (await call('GET', '/openapi/v2')).json() as unknown as Record<
    'paths' | 'definitions',
    Record<string, Record<string, { operationId?: string }>>
  >;
  const operations = Object.values(plain.paths).flatMap((path) => Object.values(path).filter(({ operationId }) => operationId));
  const packed = await call('GET', '/openapi/v2', { accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' });
  assert.equal(packed.status, 200, packed.bytes.subarray(0, 500).toString());
  const text = packed.bytes.toString('latin1');
  const names = [...Object.keys(plain.paths), ...Object.keys(plain.definitions), ...operations.map(({ operationId = '' }) => operationId)];
  assert.deepEqual(
    names.filter((name) => !text.includes(name)),
    [],
  );
});

test('below a group that nobody brings there is nothing, as at any other path', async () => {
  for (const path of ['/apis/nope.example/v1/things', '/apis/nope.example/v1/namespaces/a/things/b', '/nope']) {
    const { status, headers, bytes } = await call('GET', path);
    assert.deepEqual([status, headers['content-type'], bytes.toString()], [404, 'text/plain; charset=utf-8', '404 page not found\n']);
  }
});

test('what cannot be served is refused in its own way', async () => {
  const cases: [string, string, OutgoingHttpHeaders, string | undefined, number, RegExp][] = [
    ['GET', '/api/v1/pods', { authorization: 'Bearer bad' }, undefined, 401, /Unauthorized/],
    [
      'GET',
      '/api/v1/pods',
      { authorization: 'Bearer joe' },
      undefined,
      403,
      /pods is forbidden: User "joe" cannot list resource "pods" in API group "" at the cluster scope/,
    ],
    ['GET', '/nope', { authorization: 'Bearer joe' }, undefined, 403, /forbidden: User "joe" cannot get path "\/nope"/],
    ['GET', '/api/v1/nothings', {}, undefined, 404, /could not find the requested resource/],
    [
      'GET',
      `${maps}?resourceVersion=abc`,
      {},
      undefined,
      400,
      /^invalid resource version: resourceVersion: Invalid value: "abc": strconv\.ParseUint: parsing "abc": invalid syntax$/,
    ],
    ['GET', `${maps}?watch=1&resourceVersion=abc`, {}, undefined, 500, /^resourceVersion: Invalid value: "abc": strconv/],
    ['POST', '/api/v1/namespaces/default/configmaps', { 'content-type': 'text/plain' }, 'x', 415, /unknown format/],
    ['POST', maps, json, '{', 400, /json parse error/],
    ['PUT', `${maps}/a`, json, map('b'), 400, /does not match the name on the URL/],
    ['GET', maps, { accept: 'text/html' }, undefined, 406, /406: Not Acceptable/],
    ['GET', `${maps}?limit=x`, {}, undefined, 400, /invalid syntax/],
    ['POST', '/api/v1/namespaces/default/pods/x/status', json, '{}', 405, /does not allow this method/],
  ];
  for (const [method, path, headers, body, status, message] of cases) {
    const answer = await call(method, path, headers, body);
    assert.equal(answer.status, status, `${method} ${path}`);
    assert.equal(answer.json()['kind'], 'Status');
    assert.match(answer.json().message, message);
  }
});

test('bodies are limited, big answers compressed, strange fields warned of', async () => {
  assert.equal((await call('POST', maps, json, map('big', { a: 'x'.repeat(3 * 1024 * 1024) }))).status, 413);
  for (const name of ['l0', 'l1', 'l2']) await call('POST', maps, json, map(name, { a: 'x'.repeat(100_000) }));
  const list = await call('GET', maps, { 'accept-encoding': 'gzip' });
  assert.equal(list.headers['content-encoding'], 'gzip');
  assert.ok((JSON.parse(gunzipSync(list.bytes).toString()) as { items: unknown[] }).items.length >= 3);
  const odd = await call('POST', maps, json, '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"odd"},"extra":1}');
  assert.equal(odd.status, 201);
  assert.equal(odd.headers['warning'], '299 - "unknown field \\"extra\\""');
});

test('a list is the same bytes however it is sent', async () => {
  const bytesOf = async (headers: OutgoingHttpHeaders): Promise<string> => {
    const { bytes, headers: got } = await call('GET', `${maps}?labelSelector=size%3Dbig`, headers);
    return (got['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
  };
  const gzip = { 'accept-encoding': 'gzip' };
  const big = (name: string): string =>
    JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name, labels: { size: 'big' } }, data: { a: name.repeat(300_000) } });
  // The third makes it too big to be put together whole.
  for (const [count, names] of [
    [1, ['b0']],
    [2, ['b1']],
    [40, Array.from({ length: 38 }, (_, index) => `b${index + 10}`)],
  ] as const) {
    for (const name of names) assert.equal((await call('POST', maps, json, big(name))).status, 201);
    const plain = await bytesOf({});
    assert.equal((JSON.parse(plain) as { items: unknown[] }).items.length, count);
    assert.ok((await bytesOf(gzip)) === plain, 'compressed');
    await call('POST', '/api/v1/namespaces/default/secrets', json, JSON.stringify({ metadata: { name: `s${count}` } }));
    const later = await bytesOf(gzip);
    assert.ok(
      later !== plain && later.replace(/"resourceVersion":"\d+"/, '') === plain.replace(/"resourceVersion":"\d+"/, ''),
      'another head',
    );
  }
  await call('DELETE', `${maps}?labelSelector=size%3Dbig`);
});

test('a watch streams events in the form asked for', async () => {
  const revision = ((await call('GET', maps)).json() as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion;
  const stream = session.request({ ':path': `${maps}?watch=1&resourceVersion=${revision}&fieldSelector=metadata.name%3Dw` });
  const lines: string[] = [];
  const { promise: three, resolve } = Promise.withResolvers<void>();
  stream.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n').filter(Boolean)) {
      const event = JSON.parse(line) as { type: string; object: { metadata: { name: string } } };
      if (lines.push(`${event.type} ${event.object.metadata.name}`) === 3) resolve();
    }
  });
  await call('POST', maps, json, map('w'));
  await call('POST', maps, json, map('other'));
  await call('PATCH', `${maps}/w`, { 'content-type': 'application/merge-patch+json' }, '{"data":{"b":"2"}}');
  await call('DELETE', `${maps}/w`);
  await three;
  assert.deepEqual(lines, ['ADDED w', 'MODIFIED w', 'DELETED w']);
  stream.close();
});

test('a watch of Tables tells the columns once', async () => {
  const stream = session.request({ ':path': `${maps}?watch=1`, accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
  const columns: unknown[] = [];
  const { promise: two, resolve } = Promise.withResolvers<void>();
  stream.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n').filter(Boolean)) {
      const event = JSON.parse(line) as { object: { columnDefinitions: { name: string }[] | null } };
      if (columns.push(event.object.columnDefinitions?.map(({ name }) => name) ?? null) === 2) resolve();
    }
  });
  for (const name of ['t1', 't2']) await call('POST', maps, json, map(name));
  await two;
  assert.deepEqual(columns.slice(0, 2), [['Name', 'Data', 'Age'], null]);
  stream.close();
  for (const name of ['t1', 't2']) await call('DELETE', `${maps}/${name}`);
});

test('HTTP/1.1 is served on the same port, upgrades that nobody takes are refused', async () => {
  const over1 = (path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: listener.port, path, headers, ca: ca.certificate, agent: false }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      });
      sent.on('error', reject);
      sent.end();
    });
  assert.deepEqual(await over1('/readyz'), { status: 200, body: 'ok' });
  assert.match((await over1('/readyz?verbose')).body, /\[\+\]etcd ok\n[^]*readyz check passed/);
  const refused = await over1('/api/v1/namespaces/default/pods', { connection: 'Upgrade', upgrade: 'websocket' });
  assert.equal(refused.status, 400);
});

test('discovery and OpenAPI are cached by their tags', async () => {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
  const apis = await call('GET', '/apis', { accept });
  assert.equal(apis.json()['kind'], 'APIGroupDiscoveryList');
  assert.equal((await call('GET', '/apis', { accept, 'if-none-match': String(apis.headers['etag']) })).status, 304);
  assert.equal((await call('GET', '/apis')).json()['kind'], 'APIGroupList');
  assert.equal((await call('GET', '/apis/apps/v1')).json()['groupVersion'], 'apps/v1');
  const index = (await call('GET', '/openapi/v3')).json() as unknown as { paths: Record<string, { serverRelativeURL: string }> };
  const apps = await call('GET', index.paths['apis/apps/v1']!.serverRelativeURL);
  assert.ok(
    (apps.json()['paths'] as object | undefined) &&
      '/apis/apps/v1/namespaces/{namespace}/deployments/{name}' in (apps.json()['paths'] as object),
  );
});
