import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificateSigningRequest, Secret } from '#api';
import {
  CertificateSigningRequest as RequestKind,
  ClusterRole as ClusterRoleKind,
  ConfigMap as ConfigMapKind,
  IPAddress as IPAddressKind,
  Secret as SecretKind,
  ServiceAccount as ServiceAccountKind,
  ServiceCIDR as ServiceCIDRKind,
  SubjectAccessReview as ReviewKind,
} from '#api';
import { virtualClock } from '#machinery/clock';
import { createCa, createRequest, createSigningKey, generateKey, loadSigningKey, parseCertificates, verifyChain } from '#machinery/pki';
import { bootstrapSignerController, tokenCleanerController } from '../bootstrap/bootstrap.ts';
import { clusterRoleAggregationController } from '../cluster-role-aggregation.ts';
import { serviceAccountTokenController } from '../service-account/tokens.ts';
import { serviceCidrController } from '../service-cidr.ts';
import { harness } from '../testing/harness.ts';
import { certificateApprovingController, certificateCleanerController, certificateSigningController } from './signing.ts';

const start = virtualClock(Date.parse('2026-01-01T00:00:00Z'));
const ca = createCa('cluster', { clock: start });
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const request = (
  name: string,
  spec: Partial<CertificateSigningRequest['spec']>,
  subject = 'system:node:n1',
): CertificateSigningRequest => ({
  metadata: { name },
  spec: {
    request: base64(createRequest({ key: generateKey(), commonName: subject, organizations: ['system:nodes'] })),
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    usages: ['digital signature', 'client auth'],
    username: 'system:node:n1',
    ...spec,
  },
});

test('a kubelet gets its certificate; what is settled is thrown away', async () => {
  await using h = await harness({
    controllers: [certificateApprovingController, certificateSigningController, certificateCleanerController],
    options: { signer: ca },
    before: (api) =>
      void api.reactions.push((call) => {
        // The authorizer answers a review when it is made.
        if (call.kind === ReviewKind) (call.body as { status?: object }).status = { allowed: true };
      }),
  });
  h.api.create(RequestKind, request('kubelet', { expirationSeconds: 3600 }));
  h.api.create(RequestKind, request('wrong', { usages: ['server auth'] }));
  h.api.create(RequestKind, request('other', { signerName: 'kubernetes.io/kube-apiserver-client' }));
  await h.settle();
  const { conditions, certificate } = h.api.get(RequestKind, 'kubelet')!.status!;
  assert.equal(conditions![0]!.reason, 'AutoApproved');
  const [issued] = parseCertificates(Buffer.from(certificate!, 'base64').toString());
  assert.deepEqual([issued!.subject.commonName, issued!.subject.organizations], ['system:node:n1', ['system:nodes']]);
  assert.equal(Math.round((issued!.notAfter - h.clock.now()) / 60_000), 60);
  assert.ok(verifyChain);
  assert.equal(h.api.get(RequestKind, 'wrong')!.status, undefined);
  assert.equal(h.api.get(RequestKind, 'other')!.status, undefined);
  await h.pass(2 * 3_600_000);
  assert.deepEqual(
    h.api.list(RequestKind).map((each) => each.metadata!.name),
    ['wrong', 'other'],
  );
  assert.deepEqual(h.complaints, []);
});

test('an approved request that its signer must not sign fails', async () => {
  await using h = await harness({ controllers: [certificateSigningController], options: { signer: ca } });
  const approved = { conditions: [{ type: 'Approved', status: 'True' }] };
  h.api.create(RequestKind, { ...request('bad', { signerName: 'kubernetes.io/kubelet-serving' }), status: approved });
  await h.settle();
  const failed = h.api.get(RequestKind, 'bad')!.status!.conditions![1]!;
  assert.deepEqual(
    [failed.type, failed.reason, failed.message],
    ['Failed', 'SignerValidationFailure', 'DNS or IP subjectAltName is required'],
  );
});

test('token secrets are filled, and deleted with their account', async () => {
  const key = createSigningKey();
  await using h = await harness({ controllers: [serviceAccountTokenController], options: { serviceAccountKey: key, rootCa: 'CA' } });
  const annotations = { 'kubernetes.io/service-account.name': 'robot' };
  const secret: Secret = { metadata: { name: 't', namespace: 'default', annotations }, type: 'kubernetes.io/service-account-token' };
  h.api.create(ServiceAccountKind, { metadata: { name: 'robot', namespace: 'default' } });
  h.api.create(SecretKind, secret);
  h.api.create(SecretKind, {
    ...secret,
    metadata: { name: 'lost', namespace: 'default', annotations: { 'kubernetes.io/service-account.name': 'nobody' } },
  });
  await h.settle();
  assert.equal(h.api.get(SecretKind, 'default/lost'), undefined);
  const { data } = h.api.get(SecretKind, 'default/t')!;
  assert.deepEqual([data!['ca.crt'], data!['namespace']], [base64('CA'), base64('default')]);
  const [header, claims, signature] = Buffer.from(data!['token']!, 'base64').toString().split('.');
  assert.ok(loadSigningKey(key).verify(Buffer.from(`${header}.${claims}`), Buffer.from(signature!, 'base64url')));
  assert.equal(JSON.parse(Buffer.from(claims!, 'base64url').toString()).sub, 'system:serviceaccount:default:robot');
  h.api.delete(ServiceAccountKind, 'default/robot');
  await h.settle();
  assert.equal(h.api.get(SecretKind, 'default/t'), undefined);
});

test('bootstrap tokens sign the cluster information until they end', async () => {
  await using h = await harness({ controllers: [bootstrapSignerController, tokenCleanerController] });
  h.api.create(ConfigMapKind, { metadata: { name: 'cluster-info', namespace: 'kube-public' }, data: { kubeconfig: 'K' } });
  const values = { 'token-id': 'abcdef', 'token-secret': 's', 'usage-bootstrap-signing': 'true', expiration: '2026-01-01T01:00:00Z' };
  h.api.create(SecretKind, {
    metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    data: Object.fromEntries(Object.entries(values).map(([name, text]) => [name, base64(text)])),
  });
  const info = (): string[] => Object.keys(h.api.get(ConfigMapKind, 'kube-public/cluster-info')!.data!);
  await h.settle();
  assert.deepEqual(info(), ['kubeconfig', 'jws-kubeconfig-abcdef']);
  await h.pass(3_601_000);
  assert.deepEqual([info(), h.api.list(SecretKind)], [['kubeconfig'], []]);
});

test('a role that gathers others has their rules', async () => {
  await using h = await harness({ controllers: [clusterRoleAggregationController] });
  const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
  const clusterRoleSelectors = [{ matchLabels: { to: 'all' } }];
  h.api.create(ClusterRoleKind, { metadata: { name: 'all' }, aggregationRule: { clusterRoleSelectors } });
  h.api.create(ClusterRoleKind, { metadata: { name: 'b', labels: { to: 'all' } }, rules: [rule('pods')] });
  h.api.create(ClusterRoleKind, { metadata: { name: 'a', labels: { to: 'all' } }, rules: [rule('nodes'), rule('pods')] });
  await h.settle();
  assert.deepEqual(h.api.get(ClusterRoleKind, 'all')!.rules, [rule('nodes'), rule('pods')]);
  h.api.delete(ClusterRoleKind, 'a');
  await h.settle();
  assert.deepEqual(h.api.get(ClusterRoleKind, 'all')!.rules, [rule('pods')]);
});

test('a range of service addresses stays while one of its addresses is used', async () => {
  await using h = await harness({ controllers: [serviceCidrController] });
  h.api.create(ServiceCIDRKind, { metadata: { name: 'extra' }, spec: { cidrs: ['10.9.0.0/24'] } });
  const labels = { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' };
  h.api.create(IPAddressKind, { metadata: { name: '10.9.0.7', labels } } as never);
  await h.settle();
  const ready = (): unknown => h.api.get(ServiceCIDRKind, 'extra')!.status!.conditions!.map(({ status, reason }) => [status, reason]);
  assert.deepEqual(ready(), [['True', '']]);
  h.api.delete(ServiceCIDRKind, 'extra');
  await h.pass(15_000);
  assert.deepEqual(ready(), [['False', 'Terminating']]);
  h.api.delete(IPAddressKind, '10.9.0.7');
  await h.pass(1000);
  assert.equal(h.api.get(ServiceCIDRKind, 'extra'), undefined);
});
