import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Node, Pod, Secret, ServiceAccount } from '#api';
import { createCa, createSigningKey, decodePem, issue, loadSigningKey } from '#machinery/pki';
import { isStatus } from '#machinery/status';
import { testbed } from '../testbed.ts';
import { createAuthentication, ServiceAccountTokens } from './index.ts';
import { openIdDocuments } from './openid.ts';

const issuer = 'https://kubernetes.default.svc.cluster.local';
const signingKey = loadSigningKey(createSigningKey());

function setup() {
  const bed = testbed();
  bed.put(ServiceAccount, { metadata: { namespace: 'ns', name: 'sa', uid: 'sa-uid' } });
  bed.put(Pod, { metadata: { namespace: 'ns', name: 'pod', uid: 'pod-uid' }, spec: { containers: [], serviceAccountName: 'sa' } });
  bed.put(Node, { metadata: { name: 'node', uid: 'node-uid' } });
  const serviceAccounts = new ServiceAccountTokens(bed, { issuers: [issuer], signingKey });
  const clientCa = createCa('kubernetes', { clock: bed.clock });
  const proxyCa = createCa('front-proxy', { clock: bed.clock });
  const authentication = createAuthentication(bed, {
    clientCa: clientCa.certificate,
    serviceAccounts,
    staticTokens: new Map([['secret-token', { name: 'bob', groups: ['team'] }]]),
    frontProxy: { ca: proxyCa.certificate, allowedNames: ['front-proxy-client'] },
  });
  const bearer = async (token: string) => authentication.authenticate({ headers: { authorization: `Bearer ${token}` } });
  return { bed, serviceAccounts, clientCa, proxyCa, authentication, bearer };
}

const refused = (error: unknown): boolean => isStatus(error, 'Unauthorized');

test('a pod-bound token speaks for its service account until the pod is gone', async () => {
  const { bed, serviceAccounts, bearer } = setup();
  const pod = bed.get(Pod, 'ns/pod')!;
  const { token, id } = serviceAccounts.issue({
    serviceAccount: bed.get(ServiceAccount, 'ns/sa')!,
    audiences: [issuer],
    expirationSeconds: 3607,
    pod,
    node: bed.get(Node, 'node')!,
  });
  assert.deepEqual(await bearer(token), {
    name: 'system:serviceaccount:ns:sa',
    uid: 'sa-uid',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
    extra: {
      'authentication.kubernetes.io/pod-name': ['pod'],
      'authentication.kubernetes.io/pod-uid': ['pod-uid'],
      'authentication.kubernetes.io/credential-id': [`JTI=${id}`],
      'authentication.kubernetes.io/node-name': ['node'],
      'authentication.kubernetes.io/node-uid': ['node-uid'],
    },
  });
  assert.equal(await bearer(token), await bearer(token), 'the same user object each time');
  await bed.clock.advance(100 * 24 * 3600_000);
  await bearer(token);
  bed.remove(Pod, 'ns/pod');
  await assert.rejects(bearer(token), refused);
  bed.put(Pod, { ...pod, metadata: { ...pod.metadata, uid: 'another' } });
  await assert.rejects(bearer(token), refused);
  await bed[Symbol.asyncDispose]();
});

test('a token is refused when it expired, is for others, or was changed', async () => {
  const { bed, serviceAccounts, authentication, bearer } = setup();
  const serviceAccount = bed.get(ServiceAccount, 'ns/sa')!;
  const { token } = serviceAccounts.issue({ serviceAccount, audiences: [issuer], expirationSeconds: 600 });
  const foreign = serviceAccounts.issue({ serviceAccount, audiences: ['vault'], expirationSeconds: 600 }).token;
  await bearer(token);
  await assert.rejects(bearer(`${token.slice(0, -4)}AAAA`), refused);
  await assert.rejects(bearer(foreign), refused);
  assert.deepEqual((await authentication.tokens(foreign, ['vault', 'x']))?.audiences, ['vault']);
  await assert.rejects(async () => authentication.tokens(foreign), {
    message: `token audiences ["vault"] is invalid for the target audiences ["${issuer}"]`,
  });
  await bed.clock.advance(661_000);
  await assert.rejects(async () => authentication.tokens(token), { message: 'service account token has expired' });
  await bed[Symbol.asyncDispose]();
});

test('legacy tokens live in their secret', async () => {
  const { bed, serviceAccounts, bearer } = setup();
  const secret: Secret = { metadata: { namespace: 'ns', name: 's' }, type: 'kubernetes.io/service-account-token' };
  const token = serviceAccounts.issueLegacy(bed.get(ServiceAccount, 'ns/sa')!, secret);
  await assert.rejects(bearer(token), refused);
  bed.put(Secret, { ...secret, data: { token: Buffer.from(token).toString('base64') } });
  assert.equal((await bearer(token)).name, 'system:serviceaccount:ns:sa');
  await bed[Symbol.asyncDispose]();
});

test('bootstrap and static tokens', async () => {
  const { bed, bearer } = setup();
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  bed.put(Secret, {
    metadata: { namespace: 'kube-system', name: 'bootstrap-token-abcdef' },
    type: 'bootstrap.kubernetes.io/token',
    data: {
      'token-id': base64('abcdef'),
      'token-secret': base64('0123456789abcdef'),
      'usage-bootstrap-authentication': base64('true'),
      'auth-extra-groups': base64('system:bootstrappers:kubeadm:default-node-token'),
      expiration: base64('2026-01-01T01:00:00Z'),
    },
  });
  assert.deepEqual(await bearer('abcdef.0123456789abcdef'), {
    name: 'system:bootstrap:abcdef',
    groups: ['system:bootstrappers', 'system:bootstrappers:kubeadm:default-node-token', 'system:authenticated'],
  });
  await assert.rejects(bearer('abcdef.0123456789abcdeX'), refused);
  await bed.clock.advance(3600_000);
  await assert.rejects(bearer('abcdef.0123456789abcdef'), refused);
  assert.deepEqual(await bearer('secret-token'), { name: 'bob', groups: ['team', 'system:authenticated'] });
  await assert.rejects(bearer('nobody-knows'), refused);
  await bed[Symbol.asyncDispose]();
});

test('certificates name users, and front proxies speak for others', async () => {
  const { bed, clientCa, proxyCa, authentication } = setup();
  const der = (pair: { certificate: string }): Uint8Array => decodePem(pair.certificate)[0]!.der;
  const admin = issue({ ca: clientCa, commonName: 'admin', organizations: ['system:masters'], clock: bed.clock });
  const user = await authentication.authenticate({ headers: {}, certificate: der(admin) });
  assert.deepEqual([user.name, user.groups], ['admin', ['system:masters', 'system:authenticated']]);

  const headers = { 'x-remote-user': 'ann', 'x-remote-group': ['a', 'b'], 'x-remote-extra-example.com%2fscope': 'x' };
  const proxy = issue({ ca: proxyCa, commonName: 'front-proxy-client', clock: bed.clock });
  assert.deepEqual(await authentication.authenticate({ headers, certificate: der(proxy) }), {
    name: 'ann',
    groups: ['a', 'b', 'system:authenticated'],
    extra: { 'example.com/scope': ['x'] },
  });
  const impostor = issue({ ca: proxyCa, commonName: 'somebody', clock: bed.clock });
  await assert.rejects(async () => authentication.authenticate({ headers, certificate: der(impostor) }), refused);
  assert.equal((await authentication.authenticate({ headers })).name, 'system:anonymous');
  await bed[Symbol.asyncDispose]();
});

test('authorities may be replaced: certificates of those before are no credential any more', async () => {
  const { bed, serviceAccounts, clientCa } = setup();
  const other = createCa('other', { clock: bed.clock });
  let pem = clientCa.certificate;
  const authentication = createAuthentication(bed, { clientCa: () => pem, serviceAccounts });
  const der = (ca: typeof clientCa): Uint8Array => decodePem(issue({ ca, commonName: 'ann', clock: bed.clock }).certificate)[0]!.der;
  const [first, second] = [der(clientCa), der(other)];
  const ask = async (certificate: Uint8Array) => authentication.authenticate({ headers: {}, certificate });
  assert.equal((await ask(first)).name, 'ann');
  await assert.rejects(ask(second), refused);
  pem = other.certificate;
  await assert.rejects(ask(first), refused);
  assert.equal((await ask(second)).name, 'ann');
  await bed[Symbol.asyncDispose]();
});

test('anonymous requests may be for some paths only', async () => {
  const { bed, serviceAccounts } = setup();
  const authentication = createAuthentication(bed, { serviceAccounts, anonymous: { enabled: true, paths: ['/livez'] } });
  assert.equal((await authentication.authenticate({ headers: {}, path: '/livez' })).name, 'system:anonymous');
  await assert.rejects(async () => authentication.authenticate({ headers: {}, path: '/version' }), refused);
  await bed[Symbol.asyncDispose]();
});

test('openIdDocuments() publishes the keys', () => {
  const { serviceAccounts } = setup();
  const [configuration, keys] = openIdDocuments(serviceAccounts, '10.0.0.1:6443');
  assert.deepEqual(JSON.parse(configuration!.body), {
    issuer,
    jwks_uri: 'https://10.0.0.1:6443/openid/v1/jwks',
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  });
  assert.equal((JSON.parse(keys!.body) as { keys: { kid: string }[] }).keys[0]!.kid, signingKey.id);
});
