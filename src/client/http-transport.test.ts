import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigMap as ConfigMapKind } from '#api';
import { virtualClock } from '#machinery/clock';
import { isNotFound, isStatus } from '#machinery/status';
import { kubeconfigOptions } from './kubeconfig.ts';
import { clientOver, httpTransport } from './mod.ts';
import type { HttpTransportOptions } from './mod.ts';

interface Seen {
  method: string;
  path: string;
  headers: http2.IncomingHttpHeaders;
  body: string;
}
type Answer = (seen: Seen, stream: http2.ServerHttp2Stream) => void;

async function serve(answer: Answer, options: Partial<HttpTransportOptions> = {}) {
  const seen: Seen[] = [];
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer();
  server.on('session', (session) => void sessions.add(session));
  server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
    stream.on('error', () => undefined);
    let body = '';
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
    stream.on('end', () => {
      const request = { method: headers[':method']!, path: headers[':path']!, headers, body };
      seen.push(request);
      answer(request, stream);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const clock = virtualClock();
  const transport = httpTransport({ server: `http://127.0.0.1:${port}`, clock, token: () => 'secret', ...options });
  return {
    seen,
    sessions,
    clock,
    transport,
    client: clientOver(transport),
    async [Symbol.asyncDispose]() {
      await transport.close();
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const json = (stream: http2.ServerHttp2Stream, code: number, value: unknown, headers: object = {}): void => {
  stream.respond({ ':status': code, 'content-type': 'application/json', ...headers });
  stream.end(JSON.stringify(value));
};
const failed = (code: number, reason: string) => ({ kind: 'Status', status: 'Failure', code, reason, message: `it is ${reason}` });

test('calls go as paths, bodies and credentials; failures come back as StatusErrors', async () => {
  await using s = await serve((request, stream) =>
    request.method === 'PATCH' ? json(stream, 404, failed(404, 'NotFound')) : json(stream, 200, { metadata: { name: 'a' } }),
  );
  await s.client.create(ConfigMapKind, { metadata: { name: 'a', namespace: 'n' } }, { fieldManager: 'me' });
  await s.client.list(ConfigMapKind, { labelSelector: 'x=y', metadataOnly: true });
  await assert.rejects(s.client.patch(ConfigMapKind, { namespace: 'n', name: 'a' }, 'apply', {}, { force: true }), isNotFound);
  assert.deepEqual(
    s.seen.map(({ method, path, headers }) => [method, path, headers['content-type'], headers['authorization']]),
    [
      ['POST', '/api/v1/namespaces/n/configmaps?fieldManager=me', 'application/json', 'Bearer secret'],
      ['GET', '/api/v1/configmaps?labelSelector=x%3Dy', undefined, 'Bearer secret'],
      ['PATCH', '/api/v1/namespaces/n/configmaps/a?force=true', 'application/apply-patch+yaml', 'Bearer secret'],
    ],
  );
  assert.match(s.seen[1]!.headers.accept!, /as=PartialObjectMetadataList/);
});

test('a server that asks for patience is asked again', async () => {
  let times = 0;
  await using s = await serve((_request, stream) =>
    ++times < 3
      ? json(stream, 429, failed(429, 'TooManyRequests'), { 'retry-after': '1' })
      : json(stream, 200, { metadata: { name: 'a' } }),
  );
  const got = s.client.get(ConfigMapKind, { namespace: 'n', name: 'a' });
  let done = false;
  void got.then(() => (done = true));
  while (!done) await s.clock.advance(1000);
  assert.equal((await got).metadata!.name, 'a');
  assert.equal(times, 3);
});

test('a watch delivers each line as an event, ends with the server, and fails with an ERROR event', async () => {
  let stream!: http2.ServerHttp2Stream;
  let ready!: () => void;
  const opened = new Promise<void>((resolve) => (ready = resolve));
  await using s = await serve((_request, each) => {
    stream = each;
    stream.respond({ ':status': 200 });
    ready();
  });
  const names: unknown[] = [];
  const handle = await s.client.watch(
    ConfigMapKind,
    { allowWatchBookmarks: true },
    ({ type, object }) => void names.push(`${type} ${object.metadata?.name}`),
  );
  await opened;
  const line = (type: string, name: string): string => `${JSON.stringify({ type, object: { metadata: { name } } })}\n`;
  const text = line('ADDED', 'ä') + line('MODIFIED', 'b');
  const bytes = Buffer.from(text);
  // In pieces that cut a line, and a character, in two.
  for (const [from, to] of [
    [0, 41],
    [41, 42],
    [42, bytes.length],
  ] as const) {
    stream.write(bytes.subarray(from, to));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stream.end(`${JSON.stringify({ type: 'ERROR', object: failed(410, 'Expired') })}\n`);
  await assert.rejects(handle.done, (error) => isStatus(error, 'Expired'));
  assert.deepEqual(names, ['ADDED ä', 'MODIFIED b']);
  assert.equal(s.seen[0]!.path, '/api/v1/configmaps?allowWatchBookmarks=true&watch=true');
});

test('a lost connection is ServiceUnavailable, and the next request makes a new one', async () => {
  let cut = true;
  await using s = await serve((_request, stream) => (cut ? stream.session!.destroy() : json(stream, 200, { metadata: { name: 'a' } })));
  await assert.rejects(s.client.get(ConfigMapKind, { namespace: 'n', name: 'a' }), (error) => isStatus(error, 'ServiceUnavailable'));
  cut = false;
  assert.equal((await s.client.get(ConfigMapKind, { namespace: 'n', name: 'a' })).metadata!.name, 'a');
  assert.equal(s.sessions.size, 2);
});

test('a kubeconfig gives server, authority and credentials of its context', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
  try {
    writeFileSync(join(directory, 'ca.crt'), 'CA');
    writeFileSync(
      join(directory, 'config'),
      [
        'current-context: one',
        'contexts:',
        '- {name: one, context: {cluster: c, user: u, namespace: ns}}',
        '- {name: two, context: {cluster: missing}}',
        'clusters:',
        '- {name: c, cluster: {server: "https://x:6443", certificate-authority: ca.crt}}',
        'users:',
        `- {name: u, user: {client-certificate-data: ${Buffer.from('CERT').toString('base64')}, client-key-data: ${Buffer.from('KEY').toString('base64')}}}`,
      ].join('\n'),
    );
    const path = join(directory, 'config');
    const options = kubeconfigOptions(path, { clock: virtualClock() });
    assert.deepEqual([options.server, String(options.ca), options.namespace], ['https://x:6443', 'CA', 'ns']);
    assert.deepEqual(Object.values(options.identity!()!).map(String), ['CERT', 'KEY']);
    assert.throws(() => kubeconfigOptions(path, { clock: virtualClock(), context: 'two' }), /it has no cluster named "missing"/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('who asks for no managedFields gets none from lists and watches', async () => {
  const object = (name: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, resourceVersion: '1', managedFields: [{ manager: 'kubectl', operation: 'Apply' }] },
  });
  for (const withoutManagedFields of [true, false]) {
    await using s = await serve(
      ({ path }, stream) => {
        if (!path.includes('watch=')) return json(stream, 200, { kind: 'ConfigMapList', metadata: {}, items: [object('a')] });
        stream.respond({ ':status': 200 });
        stream.end(`${JSON.stringify({ type: 'ADDED', object: object('b') })}\n`);
      },
      { withoutManagedFields },
    );
    const seen: unknown[] = [];
    for (const item of (await s.client.list(ConfigMapKind, { namespace: 'x' })).items) seen.push(item.metadata?.managedFields?.length);
    const watch = await s.client.watch(
      ConfigMapKind,
      { namespace: 'x' },
      (event) => void seen.push(event.object.metadata?.managedFields?.length),
    );
    await watch.done;
    assert.deepEqual(seen, withoutManagedFields ? [undefined, undefined] : [1, 1]);
  }
});
