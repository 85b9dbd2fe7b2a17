import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { RequestInfo, UserInfo } from '../contract.ts';
import type { Exchange } from '../proxy/contract.ts';
import type { AuditEvent } from './event.ts';
import { sourceIPs, withoutManagedFields } from './event.ts';
import { Auditor, auditPolicy, batchBackend, logBackend, RotatingFile, truncatingBackend, webhookBackend } from './index.ts';
import type { ConfiguredWebhook } from '../webhook/configured-client.ts';
import type { AuditBackend } from './index.ts';

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups });
const policyOf = (policy: object): ReturnType<typeof auditPolicy> =>
  auditPolicy({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', ...policy });

function request(text: string): RequestInfo {
  const [verb = '', what = '', place = ''] = text.split(' ');
  const base = { verb, version: 'v1', group: '', resource: '', subresource: '', namespace: '', name: '', path: '' };
  if (what.startsWith('/')) return { ...base, isResourceRequest: false, path: what };
  const [plural = '', subresource = ''] = what.split('/');
  const [resource = '', ...group] = plural.split('.');
  const [namespace = '', name = ''] = place.includes('/') ? place.split('/') : ['', place];
  return { ...base, isResourceRequest: true, resource, group: group.join('.'), subresource, namespace, name };
}

test('the first rule that matches says how much is written down', () => {
  const policy = policyOf({
    omitStages: ['RequestReceived'],
    rules: [
      { level: 'None', users: ['system:kube-proxy'], verbs: ['watch'], resources: [{ group: '', resources: ['endpoints', 'services'] }] },
      { level: 'None', userGroups: ['system:authenticated'], nonResourceURLs: ['/api*', '/version'] },
      { level: 'Request', resources: [{ group: '', resources: ['configmaps'], resourceNames: ['x'] }], namespaces: ['kube-system'] },
      {
        level: 'Metadata',
        resources: [
          { group: '', resources: ['secrets'] },
          { group: '', resources: ['pods/*'] },
        ],
        omitStages: ['ResponseStarted'],
      },
      { level: 'RequestResponse', resources: [{ group: 'apps', resources: ['*/scale'] }, { group: 'batch' }], omitManagedFields: true },
      { level: 'Metadata', namespaces: [''] },
    ],
  });
  const ann = user('ann', 'system:authenticated');
  for (const [who, asked, level] of [
    [user('system:kube-proxy'), 'watch services', 'None'],
    [ann, 'get /apis/apps', 'None'],
    [ann, 'get /healthz', 'None'],
    [ann, 'get configmaps kube-system/x', 'Request'],
    [ann, 'get configmaps kube-system/y', 'None'],
    [ann, 'list secrets ns/', 'Metadata'],
    [ann, 'create pods/exec ns/a', 'Metadata'],
    [ann, 'get pods ns/a', 'Metadata'],
    [ann, 'get services ns/a', 'None'],
    [ann, 'update deployments.apps/scale ns/a', 'RequestResponse'],
    [ann, 'list jobs.batch ns/', 'RequestResponse'],
    [ann, 'list nodes', 'Metadata'],
  ] as const)
    assert.equal(policy(who, request(asked)).level, level, asked);
  assert.deepEqual([...policy(ann, request('list secrets ns/')).omitStages], ['RequestReceived', 'ResponseStarted']);
});

test('auditPolicy() says what is wrong', () => {
  for (const [policy, text] of [
    [{}, 'loaded illegal policy with 0 rules'],
    [{ rules: [{}] }, 'rules[0].level: Required value'],
    [
      { rules: [{ level: 'Everything' }] },
      'rules[0].level: Unsupported value: "Everything": supported values: "Metadata", "None", "Request", "RequestResponse"',
    ],
    [
      { rules: [{ level: 'None', nonResourceURLs: ['x'] }] },
      `rules[0].nonResourceURLs[0]: Invalid value: "x": non-resource URL rules must begin with a '/' character`,
    ],
    [
      { omitStages: ['Later'], rules: [{ level: 'None' }] },
      'omitStages[0]: Invalid value: "Later": allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic',
    ],
  ] as const)
    assert.throws(() => policyOf(policy), { message: text });
  assert.throws(() => auditPolicy({ kind: 'Policy', apiVersion: 'v1' }), /unknown group version field v1, Kind=Policy in policy/);
});

function collector(): AuditBackend & { events: AuditEvent[] } {
  const events: AuditEvent[] = [];
  return { events, record: (event) => events.push(event) > 0, close: () => Promise.resolve() };
}

const exchange = {
  url: '/api/v1/namespaces/ns/configmaps?fieldManager=x',
  headers: { 'user-agent': 'kubectl/v1.35', 'x-forwarded-for': '10.1.1.1, 10.1.1.2' },
  remoteAddress: '::ffff:127.0.0.1',
} as unknown as Exchange;

test('an event has the fields of its level, in upstream order', () => {
  const clock = virtualClock(Date.parse('2026-01-01T00:00:00.120Z'));
  for (const [level, objects] of [
    ['Metadata', []],
    ['Request', ['requestObject']],
    ['RequestResponse', ['requestObject', 'responseObject']],
  ] as const) {
    const backend = collector();
    const auditor = new Auditor(policyOf({ rules: [{ level }], omitManagedFields: true }), [backend], clock);
    const annotations = { 'authorization.k8s.io/reason': '', 'authorization.k8s.io/decision': 'allow' };
    const info = request('create configmaps ns/');
    const trail = auditor.begin({ auditID: 'id', exchange, info, user: user('ann', 'team'), received: clock.now(), annotations })!;
    void trail.received();
    trail.impersonated(user('bob'));
    const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a', namespace: 'ns', managedFields: [{}] }, data: { a: 'b' } };
    trail.requestObject(object);
    object.data.a = 'changed afterwards';
    if (trail.wantsResponse) trail.response(Buffer.from(JSON.stringify(object)));
    trail.complete(201, undefined, false);
    assert.deepEqual(
      backend.events.map(({ stage }) => stage),
      ['RequestReceived', 'ResponseComplete'],
    );
    const [, last] = backend.events;
    assert.deepEqual(Object.keys(last!), [
      'kind',
      'apiVersion',
      'level',
      'auditID',
      'stage',
      'requestURI',
      'verb',
      'user',
      'impersonatedUser',
      'sourceIPs',
      'userAgent',
      'objectRef',
      'responseStatus',
      ...objects,
      'requestReceivedTimestamp',
      'stageTimestamp',
      'annotations',
    ]);
    assert.deepEqual(last!['objectRef'], { resource: 'configmaps', namespace: 'ns', name: 'a', apiVersion: 'v1' });
    assert.deepEqual(last!['responseStatus'], { metadata: {}, code: 201 });
    assert.deepEqual(last!['sourceIPs'], ['10.1.1.1', '10.1.1.2', '127.0.0.1']);
    assert.equal(last!['stageTimestamp'], '2026-01-01T00:00:00.120000Z');
    if (level !== 'Metadata') assert.deepEqual((last!['requestObject'] as typeof object).data, { a: 'b' });
    if (level !== 'Metadata') assert.deepEqual((last!['requestObject'] as typeof object).metadata, { name: 'a', namespace: 'ns' });
  }
});

test('a blocking-strict log lets nothing go on that it cannot write', () => {
  const broken = {
    write() {
      throw new Error('disk full');
    },
  };
  const begin = (strict: boolean) =>
    new Auditor(policyOf({ rules: [{ level: 'Metadata' }] }), [logBackend(broken, silentLog, strict)], virtualClock()).begin({
      auditID: 'id',
      exchange,
      info: request('get pods ns/a'),
      user: user('ann'),
      received: 0,
      annotations: {},
    })!;
  void begin(false).received();
  assert.throws(() => begin(true).received(), /failed to store audit event/);
});

test('a request waits for a webhook in mode blocking, and goes on without it in blocking alone', async () => {
  const { promise, reject } = Promise.withResolvers<never>();
  const webhook = { post: () => promise, close: () => undefined } as unknown as ConfiguredWebhook;
  const backends = [false, true].map((strict) => webhookBackend(webhook, silentLog, strict));
  const [waiting, strict] = backends.map((backend) =>
    new Auditor(policyOf({ rules: [{ level: 'Metadata' }] }), [backend], virtualClock())
      .begin({ auditID: 'id', exchange, info: request('get pods ns/a'), user: user('ann'), received: 0, annotations: {} })!
      .received(),
  );
  reject(new Error('nobody there'));
  await waiting;
  await assert.rejects(Promise.resolve(strict), /failed to store audit event/);
  await Promise.all(backends.map((backend) => backend.close()));
});

test('events that are too big go without their objects, or not at all', () => {
  const event = (level: AuditEvent['level'], more: object): AuditEvent => ({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level,
    auditID: 'a',
    stage: 'ResponseComplete',
    ...more,
  });
  const big = 'x'.repeat(500);
  const truncated = { annotations: { a: 'b', 'audit.k8s.io/truncated': 'true' } };
  const cases: [title: string, given: AuditEvent, kept: AuditEvent | undefined][] = [
    ['small', event('Request', { requestObject: { a: 1 } }), event('Request', { requestObject: { a: 1 } })],
    ['big objects', event('Request', { annotations: { a: 'b' }, requestObject: { big } }), event('Request', truncated)],
    ['big without objects', event('Metadata', { requestURI: big }), undefined],
    ['big with and without', event('RequestResponse', { requestURI: big, responseObject: {} }), undefined],
  ];
  for (const [title, given, kept] of cases) {
    const got: AuditEvent[] = [];
    const inner: AuditBackend = { record: (one) => got.push(one) > 0, close: () => Promise.resolve() };
    assert.equal(truncatingBackend(inner, 400, silentLog).record(given), true, title);
    assert.deepEqual(got, kept ? [kept] : [], title);
  }
});

test('sourceIPs() and withoutManagedFields()', () => {
  assert.deepEqual(sourceIPs({}, '::1'), ['::1']);
  assert.deepEqual(sourceIPs({ 'x-real-ip': '1.2.3.4' }, '10.0.0.1'), ['1.2.3.4', '10.0.0.1']);
  assert.deepEqual(sourceIPs({ 'x-forwarded-for': 'nonsense, 1.2.3.4' }, '1.2.3.4'), ['1.2.3.4']);
  const one = { metadata: { name: 'a', managedFields: [] } };
  assert.deepEqual(withoutManagedFields({ items: [one], kind: 'List' }), { items: [{ metadata: { name: 'a' } }], kind: 'List' });
  assert.deepEqual(withoutManagedFields({ rows: [{ object: one }, {}] }), { rows: [{ object: { metadata: { name: 'a' } } }, {}] });
});

test('batches are sent when they are full, after their time, and at the end; what is too much is lost', async () => {
  const clock = virtualClock();
  const sent: number[] = [];
  const backend = batchBackend(
    (events) => {
      sent.push(events.length);
      return Promise.resolve();
    },
    { bufferSize: 5, maxBatchSize: 2, maxBatchWait: 1000 },
    { clock, log: silentLog },
  );
  const record = (count: number): void => {
    for (let index = 0; index < count; index++) void backend.record({} as AuditEvent);
  };
  record(3);
  await clock.advance(0);
  assert.deepEqual(sent, [2]);
  await clock.advance(1000);
  assert.deepEqual(sent, [2, 1]);
  record(1);
  await backend.close();
  assert.deepEqual(sent, [2, 1, 1]);
});

test('a log that grows too long is put aside, and old ones go', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  const clock = virtualClock(Date.parse('2026-01-01T00:00:00Z'));
  const file = new RotatingFile({ path: join(folder, 'audit.log'), maxSize: 20, maxBackups: 2, clock });
  for (let line = 0; line < 5; line++) {
    file.write(`line ${line} of many\n`);
    await clock.advance(1000);
  }
  await file.close();
  assert.deepEqual(readdirSync(folder).sort(), ['audit-2026-01-01T00-00-03.000.log', 'audit-2026-01-01T00-00-04.000.log', 'audit.log']);
  assert.equal(readFileSync(join(folder, 'audit.log'), 'utf8'), 'line 4 of many\n');
  rmSync(folder, { recursive: true });
});
