/** Token, authorization and audit webhooks against a real server on the loopback. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { seededRandom, systemClock, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { webhookBatches } from '../audit/index.ts';
import { webhookTokens } from '../authn/index.ts';
import { authorizationErrors, authorizersOfModes, ReviewConditions, webhookAuthorizer } from '../authz/index.ts';
import type { RequestInfo } from '../contract.ts';
import { ConfiguredWebhook } from './configured-client.ts';
import { ExpiringCache } from './expiring-cache.ts';

type Body = { kind: string; apiVersion: string; spec: Record<string, unknown>; items?: unknown[] };

async function server(answer: (body: Body) => object | number) {
  const asked: Body[] = [];
  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Body;
      asked.push(body);
      const result = answer(body);
      if (typeof result === 'number') response.writeHead(result).end('no');
      else response.setHeader('content-type', 'application/json').end(JSON.stringify(result));
    });
  });
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
  const webhook = new ConfiguredWebhook({
    address: { server: `http://127.0.0.1:${(http.address() as AddressInfo).port}/x` },
    clock: systemClock,
    random: seededRandom(1),
    backoff: 1,
  });
  const close = async (): Promise<void> => {
    webhook.close();
    await new Promise((done) => http.close(done));
  };
  return { webhook, asked, close };
}

test('a webhook that is in trouble is asked again, one that refuses is not', async () => {
  let failures = 2;
  const { webhook, asked, close } = await server(() => (failures-- > 0 ? 503 : { ok: true }));
  assert.deepEqual(await webhook.post({}), { ok: true });
  assert.equal(asked.length, 3);
  await close();
  const refusing = await server(() => 403);
  await assert.rejects(refusing.webhook.post({}), {
    message: 'an error on the server ("no") has prevented the request from succeeding',
    code: 403,
  });
  assert.equal(refusing.asked.length, 1);
  await refusing.close();
});

test('whose token it is, another server says, and it is believed for a while', async () => {
  const { webhook, asked, close } = await server(({ spec }) => ({
    status:
      spec['token'] === 'good'
        ? { authenticated: true, user: { username: 'ann', uid: '1', groups: ['a'], extra: { k: ['v'] } }, audiences: ['api'] }
        : spec['token'] === 'foreign'
          ? { authenticated: true, user: { username: 'x' }, audiences: ['vault'] }
          : { authenticated: false, error: 'unknown token' },
  }));
  const clock = virtualClock();
  const tokens = webhookTokens({ webhook, version: 'v1', cacheLifetime: 120_000, apiAudiences: ['api'], clock });
  const [one, two] = await Promise.all([tokens('good'), tokens('good')]);
  assert.deepEqual(one, { user: { name: 'ann', uid: '1', groups: ['a'], extra: { k: ['v'] } }, audiences: ['api'] });
  assert.equal(one, two);
  assert.equal(await tokens('good'), one);
  assert.equal(asked.length, 1);
  assert.deepEqual(asked[0]!.spec, { token: 'good', audiences: ['api'] });
  await clock.advance(120_000);
  await tokens('good');
  assert.equal(asked.length, 2);
  assert.equal(await tokens('foreign'), undefined);
  await assert.rejects(async () => tokens('bad'), { message: 'unknown token' });
  await close();
});

const info = (more: Partial<RequestInfo>): RequestInfo => ({
  isResourceRequest: true,
  path: '',
  verb: 'list',
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'ns',
  name: '',
  ...more,
});
const ann = { name: 'ann', groups: ['team'] };

test('what one may do, another server says; conditions say of what it is asked', async () => {
  const { webhook, asked, close } = await server(({ spec }) => {
    const { namespace } = (spec['resourceAttributes'] ?? {}) as { namespace?: string };
    if (namespace === 'broken') return 400;
    return { status: { allowed: namespace === 'ns', denied: namespace === 'secret', reason: `it is ${namespace}` } };
  });
  const make = (failurePolicy: 'Deny' | 'NoOpinion') =>
    webhookAuthorizer({
      name: 'test',
      webhook,
      version: 'v1',
      allowedLifetime: 1000,
      otherLifetime: 1000,
      failurePolicy,
      conditions: new ReviewConditions(["has(request.resourceAttributes) && request.resourceAttributes.namespace != 'kube-system'"], 'x'),
      clock: virtualClock(),
      log: silentLog,
    });
  const authorizer = make('Deny');
  for (const [asks, wanted] of [
    [info({ fieldSelector: 'spec.nodeName=a', labelSelector: 'app in (x,y),!old' }), { verdict: 'allow', reason: 'it is ns' }],
    [info({ namespace: 'secret' }), { verdict: 'deny', reason: 'it is secret' }],
    [info({ namespace: 'other' }), { verdict: 'no-opinion', reason: 'it is other' }],
    [info({ namespace: 'broken' }), { verdict: 'deny', reason: '' }],
    [info({ namespace: 'kube-system' }), { verdict: 'no-opinion', reason: '' }],
    [info({ isResourceRequest: false, path: '/x' }), { verdict: 'no-opinion', reason: '' }],
  ] as const)
    assert.deepEqual(await authorizer({ user: ann, info: asks }), wanted);
  assert.equal((await make('NoOpinion')({ user: ann, info: info({ namespace: 'broken' }) })).verdict, 'no-opinion');
  assert.deepEqual(asked[0]!.spec, {
    resourceAttributes: {
      namespace: 'ns',
      verb: 'list',
      version: 'v1',
      resource: 'pods',
      fieldSelector: { requirements: [{ key: 'spec.nodeName', operator: 'In', values: ['a'] }] },
      labelSelector: {
        requirements: [
          { key: 'app', operator: 'In', values: ['x', 'y'] },
          { key: 'old', operator: 'DoesNotExist' },
        ],
      },
    },
    user: 'ann',
    groups: ['team'],
  });
  const count = asked.length;
  await authorizer({ user: ann, info: info({ namespace: 'other' }) });
  assert.equal(asked.length, count, 'answers are kept');
  assert.throws(
    () => new ReviewConditions(['request.nothing'], 'authorizers[0].webhook.matchConditions'),
    /matchConditions\[0\]\.expression: Invalid value/,
  );
  await close();
});

test('audit events are sent as a list', async () => {
  const { webhook, asked, close } = await server(() => ({}));
  await webhookBatches(webhook)([{ auditID: 'a' }] as never);
  assert.deepEqual([asked[0]!.kind, asked[0]!.apiVersion, asked[0]!.items], ['EventList', 'audit.k8s.io/v1', [{ auditID: 'a' }]]);
  await close();
});

test('authorizationErrors() and authorizersOfModes()', () => {
  const form = { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthorizationConfiguration' };
  const webhook = {
    timeout: '3s',
    subjectAccessReviewVersion: 'v1',
    failurePolicy: 'Deny',
    connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: '/x' },
  };
  for (const [authorizers, errors] of [
    [
      [
        { type: 'Node', name: 'node' },
        { type: 'Webhook', name: 'w', webhook },
      ],
      [],
    ],
    [[], ['authorizers: Required value: at least one authorization mode must be defined']],
    [
      [{ type: 'ABAC', name: 'a' }],
      ['authorizers[0].type: Unsupported value: "ABAC": supported values: "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"'],
    ],
    [[{ type: 'Webhook', name: 'w' }], ['authorizers[0].webhook: Required value: required when type=Webhook']],
    [
      [{ type: 'Webhook', name: 'w', webhook: { ...webhook, timeout: '31s' } }],
      ['authorizers[0].webhook.timeout: Invalid value: "31s": must be > 0s and <= 30s'],
    ],
    [
      [
        { type: 'RBAC', name: 'r' },
        { type: 'RBAC', name: 'r' },
      ],
      ['authorizers[1].type: Duplicate value: "RBAC"', 'authorizers[1].name: Duplicate value: "r"'],
    ],
  ] as const)
    assert.deepEqual(authorizationErrors({ ...form, authorizers: authorizers as never }), errors);
  assert.deepEqual(authorizersOfModes(['RBAC', 'Node']), [
    { type: 'RBAC', name: 'rbac' },
    { type: 'Node', name: 'node' },
  ]);
  assert.throws(() => authorizersOfModes(['ABAC']), { message: 'Authorization mode ABAC is not supported: use RBAC' });
  assert.throws(() => authorizersOfModes(['Webhook']), { message: "authorization-mode Webhook's authorization config file not passed" });
});

test('ExpiringCache forgets what is old and what was unused for longest', async () => {
  const clock = virtualClock();
  const cache = new ExpiringCache<number>(clock, 2);
  cache.set('a', 1, 100);
  cache.set('b', 2, 100);
  cache.get('a');
  cache.set('c', 3, 1000);
  assert.deepEqual([cache.get('a'), cache.get('b'), cache.get('c')], [1, undefined, 3]);
  await clock.advance(100);
  assert.deepEqual([cache.get('a'), cache.get('c')], [undefined, 3]);
});
