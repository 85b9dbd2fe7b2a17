import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { test } from 'node:test';
import { ConfigMap, EndpointSlice, MutatingWebhookConfiguration, Namespace, Pod, Service, ValidatingWebhookConfiguration } from '#api';
import { systemClock } from '#machinery/clock';
import { createCa, issue } from '#machinery/pki';
import { isStatus } from '#machinery/status';
import type { AdmissionAttributes, AdmissionPlugin } from '../../contract.ts';
import { testbed } from '../../testbed.ts';
import { WebhookClient } from '../../webhook/client.ts';
import { endpointResolver } from '../../webhook/service-resolver.ts';
import type { CallParts } from './calls.ts';
import { mutatingAdmissionWebhook } from './mutating.ts';
import { validatingAdmissionWebhook } from './validating.ts';

type Review = { request: { uid: string; object: ConfigMap | null; operation: string; userInfo: object }; apiVersion: string; kind: string };
type Answer = (review: Review, path: string) => Record<string, unknown> | string | undefined;

const ca = createCa('hooks', { clock: systemClock });
const identity = issue({ ca, commonName: 'hook', dnsNames: ['hook.ns.svc'], usages: ['server auth'], clock: systemClock });
const caBundle = Buffer.from(ca.certificate).toString('base64');

/** A webhook server behind the Service ns/hook; `answer` undefined: never, a text: as it stands. */
async function setup(answer: Answer) {
  const bed = testbed();
  const asked: string[] = [];
  const server = createServer({ cert: identity.certificate, key: identity.key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url!.split('?')[0]!;
      asked.push(path);
      const review = JSON.parse(Buffer.concat(chunks).toString()) as Review;
      const body = answer(review, path);
      if (!body) return;
      if (typeof body === 'string') return void response.end(body);
      response.end(JSON.stringify({ kind: review.kind, apiVersion: review.apiVersion, response: { uid: review.request.uid, ...body } }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  bed.put(Service, { metadata: { namespace: 'ns', name: 'hook' }, spec: { ports: [{ port: 443 }] } });
  bed.put(EndpointSlice, {
    metadata: { namespace: 'ns', name: 'hook-1', labels: { 'kubernetes.io/service-name': 'hook' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'] }],
    ports: [{ port }],
  });
  bed.put(Namespace, { metadata: { name: 'ns', labels: { team: 'a' } } });
  const webhooks = new WebhookClient(endpointResolver(bed), systemClock);
  const parts: CallParts = { ...bed, authorizer: () => ({ verdict: 'no-opinion', reason: '' }), webhooks, conditions: () => true };
  return {
    bed,
    parts,
    asked,
    async [Symbol.asyncDispose]() {
      webhooks.close();
      server.closeAllConnections();
      server.close();
      await bed[Symbol.asyncDispose]();
    },
  };
}

const rules = [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps', 'pods/*'] }];
const hook = (name: string, more: object = {}) => ({
  name,
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  rules,
  clientConfig: { service: { namespace: 'ns', name: 'hook', path: `/${name}` }, caBundle },
  ...more,
});

function request(
  more: Partial<AdmissionAttributes> = {},
): AdmissionAttributes & { warnings: string[]; annotations: Record<string, string> } {
  const warnings: string[] = [];
  const annotations: Record<string, string> = {};
  return {
    operation: 'CREATE',
    kind: ConfigMap,
    subresource: '',
    namespace: 'ns',
    name: 'c',
    object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'c', labels: { x: 'y' } }, data: {} } as ConfigMap,
    oldObject: undefined,
    options: {},
    dryRun: false,
    user: { name: 'ann', groups: ['g'] },
    warn: (text) => warnings.push(text),
    annotate: (key, value) => (annotations[key] = value),
    warnings,
    annotations,
    ...more,
  };
}

async function run(plugin: AdmissionPlugin, attributes: AdmissionAttributes): Promise<void> {
  if (!plugin.handles(attributes)) return;
  await plugin.admit?.(attributes);
  await plugin.validate?.(attributes);
}

const patch = (...operations: object[]) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});

test('validating webhooks refuse with their own words, warn and annotate', async () => {
  await using it = await setup((review, path) =>
    path === '/no'
      ? {
          allowed: false,
          status: { message: 'not here', code: 403, reason: 'Forbidden' },
          warnings: ['careful'],
          auditAnnotations: { k: review.request.operation },
        }
      : { allowed: true },
  );
  it.bed.put(ValidatingWebhookConfiguration, { metadata: { name: 'v' }, webhooks: [hook('yes'), hook('no')] });
  const plugin = validatingAdmissionWebhook(it.parts);
  const attributes = request();
  await assert.rejects(run(plugin, attributes), (error) => {
    assert.ok(isStatus(error, 'Forbidden'));
    assert.equal(error.message, 'admission webhook "no" denied the request: not here');
    return error.code === 403;
  });
  assert.deepEqual([attributes.warnings, attributes.annotations], [['careful'], { 'no/k': 'CREATE' }]);
  await run(plugin, request({ kind: Service }));
  await assert.rejects(run(plugin, request({ kind: { ...Pod, kind: 'PodAttachOptions' }, subresource: 'attach', operation: 'CONNECT' })));
  await run(plugin, request({ kind: ValidatingWebhookConfiguration, namespace: '' }));
});

test('selectors choose what a webhook is asked about', async () => {
  await using it = await setup(() => ({ allowed: false }));
  const selecting = (namespaceLabels: Record<string, string>, objectLabels: Record<string, string>) =>
    hook('h', { namespaceSelector: { matchLabels: namespaceLabels }, objectSelector: { matchLabels: objectLabels } });
  for (const [webhook, wanted] of [
    [selecting({ team: 'a' }, { x: 'y' }), 1],
    [selecting({ team: 'b' }, {}), 0],
    [selecting({}, { x: 'z' }), 0],
    [hook('h', { rules: [{ ...rules[0], operations: ['UPDATE'] }] }), 0],
    [hook('h', { rules: [{ ...rules[0], scope: 'Cluster' }] }), 0],
  ] as const) {
    it.bed.put(ValidatingWebhookConfiguration, { metadata: { name: 'v' }, webhooks: [webhook] });
    const before = it.asked.length;
    await run(validatingAdmissionWebhook({ ...it.parts, informers: it.bed.informers }), request()).catch(() => undefined);
    await it.bed.clock.advance(0);
    assert.equal(it.asked.length - before, wanted, JSON.stringify(webhook));
  }
});

test('a webhook that cannot be called fails closed or open, in time', async () => {
  await using it = await setup(() => undefined);
  const slow = hook('slow', { timeoutSeconds: 0.05 });
  it.bed.put(ValidatingWebhookConfiguration, { metadata: { name: 'v' }, webhooks: [slow] });
  const plugin = validatingAdmissionWebhook(it.parts);
  await assert.rejects(run(plugin, request()), (error) => {
    assert.ok(isStatus(error, 'InternalError'));
    assert.equal(
      error.message,
      'Internal error occurred: failed calling webhook "slow": failed to call webhook: Post "https://hook.ns.svc/slow?timeout=1s": context deadline exceeded',
    );
    return true;
  });
  it.bed.put(ValidatingWebhookConfiguration, { metadata: { name: 'v' }, webhooks: [{ ...slow, failurePolicy: 'Ignore' }] });
  await it.bed.clock.advance(0);
  await run(plugin, request());
  const elsewhere = { service: { namespace: 'ns', name: 'gone' }, caBundle };
  it.bed.put(ValidatingWebhookConfiguration, { metadata: { name: 'v' }, webhooks: [hook('lost', { clientConfig: elsewhere })] });
  await it.bed.clock.advance(0);
  await assert.rejects(run(plugin, request()), /service "gone" not found/);
  const stranger = Buffer.from(createCa('other', { clock: systemClock }).certificate).toString('base64');
  const untrusted = hook('untrusted', { clientConfig: { service: { namespace: 'ns', name: 'hook' }, caBundle: stranger } });
  it.bed.put(ValidatingWebhookConfiguration, { metadata: { name: 'v' }, webhooks: [untrusted] });
  await it.bed.clock.advance(0);
  await assert.rejects(run(plugin, request()), /x509: certificate signed by unknown authority/);
});

test("an answer that is not what it should be is told in Go's words", async () => {
  const patched = (text: string) => ({ allowed: true, patchType: 'JSONPatch', patch: Buffer.from(text).toString('base64') });
  const cases: [answer: Record<string, unknown> | string, wanted: string][] = [
    ['very', "failed to call webhook: couldn't get version/kind; json parse error: invalid character 'v' looking for beginning of value"],
    ['{"kind":', "failed to call webhook: couldn't get version/kind; json parse error: unexpected end of JSON input"],
    [patched('[{]'), "received undecodable patch in webhook response: invalid character ']' looking for beginning of object key string"],
    [
      patched('{"op":"add"}'),
      'received undecodable patch in webhook response: json: cannot unmarshal object into Go value of type jsonpatch.Patch',
    ],
  ];
  for (const [answer, wanted] of cases) {
    await using context = await setup(() => answer);
    context.bed.put(MutatingWebhookConfiguration, { metadata: { name: 'm' }, webhooks: [hook('a.hooks')] });
    await assert.rejects(
      run(
        mutatingAdmissionWebhook(context.parts, () => Promise.resolve()),
        request(),
      ),
      {
        message: `Internal error occurred: failed calling webhook "a.hooks": ${wanted}`,
      },
    );
  }
});

test('mutating webhooks change objects, and are asked again when others did', async () => {
  await using it = await setup((review, path) => {
    const data = review.request.object!.data ?? {};
    if (path === '/first') return data['second'] ? patch({ op: 'add', path: '/data/seen', value: 'second' }) : { allowed: true };
    return patch({ op: 'add', path: '/data/second', value: 'yes' }, { op: 'add', path: '/unknown', value: 1 });
  });
  it.bed.put(MutatingWebhookConfiguration, {
    metadata: { name: 'm' },
    webhooks: [hook('first', { reinvocationPolicy: 'IfNeeded' }), hook('second')],
  });
  let reinvoked = 0;
  const plugin = mutatingAdmissionWebhook(it.parts, async () => void reinvoked++);
  const attributes = request();
  await run(plugin, attributes);
  assert.deepEqual((attributes.object as ConfigMap).data, { second: 'yes', seen: 'second' });
  assert.equal((attributes.object as unknown as Record<string, unknown>)['unknown'], undefined);
  assert.deepEqual([it.asked, reinvoked], [['/first', '/second', '/first'], 1]);
  assert.equal(
    attributes.annotations['mutation.webhook.admission.k8s.io/round_1_index_0'],
    '{"configuration":"m","webhook":"first","mutated":true}',
  );
});

test('in a dry run only webhooks without side effects are asked', async () => {
  await using it = await setup(() => ({ allowed: true }));
  it.bed.put(MutatingWebhookConfiguration, { metadata: { name: 'm' }, webhooks: [hook('h', { sideEffects: 'Some' })] });
  const plugin = mutatingAdmissionWebhook(it.parts, () => Promise.resolve());
  await assert.rejects(run(plugin, request({ dryRun: true })), /admission webhook "h" does not support dry run/);
  await run(plugin, request());
});

test('a webhook for one version is asked about requests in another, and its patch comes back', async () => {
  const seen: string[] = [];
  await using it = await setup((review) => {
    seen.push(
      `${review.request.object!.apiVersion} ${(review.request as unknown as { requestKind: { version: string } }).requestKind.version}`,
    );
    return patch({ op: 'add', path: '/data', value: { x: 'y' } });
  });
  const group = 'example.com';
  const kind = (version: string) => ({
    group,
    version,
    kind: 'Toy',
    resource: 'toys',
    namespaced: true,
    apiVersion: `${group}/${version}`,
  });
  const served = {
    kind: kind('v1'),
    rules: {},
    conform: (value: unknown) => ({ value: value as Record<string, unknown>, unknown: [] }),
    equivalents: {
      kinds: [kind('v2')],
      convert: (object: object, to: { apiVersion: string }) => Promise.resolve({ ...object, apiVersion: to.apiVersion }),
    },
  } as unknown as NonNullable<AdmissionAttributes['served']>;
  const v2 = [{ operations: ['*'], apiGroups: [group], apiVersions: ['v2'], resources: ['toys'] }];
  it.bed.put(MutatingWebhookConfiguration, {
    metadata: { name: 'm' },
    webhooks: [hook('h', { rules: v2 }), hook('exact', { rules: v2, matchPolicy: 'Exact' })],
  });
  const attributes = request({ kind: kind('v1'), served, object: { apiVersion: `${group}/v1`, kind: 'Toy', metadata: { name: 't' } } });
  await run(
    mutatingAdmissionWebhook(it.parts, () => Promise.resolve()),
    attributes,
  );
  assert.deepEqual([seen, it.asked], [['example.com/v2 v1'], ['/h']]);
  assert.deepEqual(attributes.object, { apiVersion: `${group}/v1`, kind: 'Toy', metadata: { name: 't' }, data: { x: 'y' } });
});
