/** Endpoints and hooks on a whole API server: its own authenticators, authorizers and admission, a store in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ClusterRole,
  ClusterRoleBinding,
  Endpoints,
  IPAddress,
  LocalSubjectAccessReview,
  Namespace,
  Node,
  Pod,
  PodDisruptionBudget,
  Role,
  RoleBinding,
  SelfSubjectReview,
  SelfSubjectRulesReview,
  Service,
  ServiceAccount,
  SubjectAccessReview,
  TokenReview,
} from '#api';
import type { Client } from '#client';
import { seededRandom, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { draft } from '#machinery/meta';
import { createSigningKey, loadSigningKey } from '#machinery/pki';
import { isConflict, isNotFound, isStatus } from '#machinery/status';
import { memoryStore } from '#store';
import type { AuthenticationV1TokenRequest as TokenRequest } from '../../../api/facts/types.ts';
import { admissionPlugins } from '../../admission/index.ts';
import { createAuthentication, ServiceAccountTokens } from '../../authn/index.ts';
import type { Authentication } from '../../authn/index.ts';
import { createAuthorization } from '../../authz/index.ts';
import type { Authorization } from '../../authz/index.ts';
import { nodeRules } from '../../bootstrap/index.ts';
import { createApiServer } from '../../server.ts';
import { endpoints, hooks } from './index.ts';

const issuer = 'https://kubernetes.default.svc';
const signingKey = loadSigningKey(createSigningKey());

async function setup() {
  const clock = virtualClock(Date.parse('2026-01-01T00:00:00Z'));
  const random = seededRandom(1);
  let authentication!: Authentication;
  let authorization!: Authorization;
  let tokens!: ServiceAccountTokens;
  const parts = { authentication: () => authentication, authorization: () => authorization, tokens: () => tokens };
  const server = await createApiServer({
    store: memoryStore({ clock, random }),
    clock,
    random,
    log: silentLog,
    freeze: true,
    authentication(dependencies) {
      tokens = new ServiceAccountTokens(dependencies, { issuers: [issuer], signingKey });
      authentication = createAuthentication(dependencies, { serviceAccounts: tokens });
      return authentication;
    },
    authorization(dependencies) {
      authorization = createAuthorization(dependencies, { nodeRules });
      return authorization.authorizer;
    },
    admission: admissionPlugins(),
    endpoints: endpoints(parts),
    hooks: hooks({ ...parts, serviceCidrs: ['10.96.0.0/16'] }),
    bootstrap: { kubernetesService: { serviceCidrs: ['10.96.0.0/16'], advertiseAddress: '10.0.0.1', securePort: 6443 } },
  });
  await server.ready;
  await authorization.ready;
  const admin = server.clientFor({ name: 'admin', groups: ['system:masters', 'system:authenticated'] });
  await admin.create(Namespace, { metadata: { name: 'ns' } });
  await admin.create(ServiceAccount, { metadata: { namespace: 'ns', name: 'default' } });
  /** Lets informers see what was written. */
  const settle = () => clock.advance(0);
  await settle();
  return {
    clock,
    server,
    admin,
    authentication,
    settle,
    as: (name: string, ...groups: string[]) => server.clientFor({ name, groups: [...groups, 'system:authenticated'] }),
    pod: (name: string, labels: Record<string, string> = {}) =>
      admin.create(Pod, { metadata: { namespace: 'ns', name, labels }, spec: { containers: [{ name: 'c', image: 'i' }] } }),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const status = (code: number, pattern: RegExp) => (error: unknown) => isStatus(error) && error.code === code && pattern.test(error.message);
const at = (name: string) => ({ namespace: 'ns', name });

test('binding puts a pod on a node once', async () => {
  await using it = await setup();
  await it.pod('p');
  const bind = (name: string, more: object = {}) =>
    it.admin.createSubresource(Pod, at('p'), 'binding', {
      kind: 'Binding',
      apiVersion: 'v1',
      metadata: { ...at('p'), ...more },
      target: { kind: 'Node', name },
    });
  await assert.rejects(bind('a', { uid: 'other' }), isConflict);
  await bind('a', { annotations: { x: 'y' } });
  const pod = await it.admin.get(Pod, at('p'));
  assert.deepEqual([pod.spec?.nodeName, pod.metadata?.annotations, pod.metadata?.generation], ['a', { x: 'y' }, 1]);
  const condition = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  assert.deepEqual(condition, { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: '2026-01-01T00:00:00Z' });
  await assert.rejects(
    bind('b'),
    status(409, /^Operation cannot be fulfilled on pods\/binding "p": pod p is already assigned to node "a"$/),
  );
});

test('eviction asks the disruption budget', async () => {
  await using it = await setup();
  const evict = (name: string) =>
    it.admin.createSubresource<{ status: string }>(Pod, at(name), 'eviction', {
      kind: 'Eviction',
      apiVersion: 'policy/v1',
      metadata: at(name),
    });
  const running = async (name: string): Promise<void> => {
    const pod = draft(await it.pod(name, { app: 'x' }));
    pod.status = { ...pod.status, phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    await it.admin.updateStatus(Pod, pod);
  };
  await running('a');
  await running('b');
  await it.pod('pending', { app: 'x' });
  const budget = await it.admin.create(PodDisruptionBudget, {
    metadata: at('pdb'),
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'x' } } },
  });
  await assert.rejects(evict('a'), status(429, /would violate the pod's disruption budget/));
  const generation = budget.metadata!.generation!;
  const allowed = { observedGeneration: generation, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 };
  await it.admin.updateStatus(PodDisruptionBudget, { ...draft(budget), status: allowed });
  assert.equal((await evict('pending')).status, 'Success');
  await evict('a');
  await assert.rejects(it.admin.get(Pod, at('a')), isNotFound);
  const left = (await it.admin.get(PodDisruptionBudget, at('pdb'))).status!;
  assert.deepEqual([left.disruptionsAllowed, Object.keys(left.disruptedPods ?? {})], [0, ['a']]);
  await assert.rejects(evict('b'), (error) => {
    assert.ok(isStatus(error, 'TooManyRequests'));
    assert.deepEqual(error.status.details?.causes, [
      { reason: 'DisruptionBudget', message: 'The disruption budget pdb does not allow evicting pods currently' },
    ]);
    return true;
  });
});

test('tokens are made for accounts, bound, and told by TokenReview', async () => {
  await using it = await setup();
  const pod = await it.pod('p');
  const ask = (spec: object) =>
    it.admin.createSubresource<TokenRequest>(ServiceAccount, at('default'), 'token', {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      spec,
    });
  const reference = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: pod.metadata!.uid };
  const { status: made, spec } = await ask({ boundObjectRef: reference, expirationSeconds: 600 });
  assert.deepEqual([spec.audiences, made!.expirationTimestamp], [[issuer], '2026-01-01T00:10:00Z']);
  const { status: seen } = await it.admin.create(TokenReview, { spec: { token: made!.token } });
  assert.deepEqual([seen!.authenticated, seen!.user!.username, seen!.audiences], [true, 'system:serviceaccount:ns:default', [issuer]]);
  assert.deepEqual(seen!.user!.groups, ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated']);
  const foreign = await it.admin.create(TokenReview, { spec: { token: made!.token, audiences: ['other'] } });
  assert.ok(!foreign.status!.authenticated && /is invalid for the target audiences/.test(foreign.status!.error ?? ''));
  await assert.rejects(ask({ expirationSeconds: 10 }), status(422, /may not specify a duration less than 10 minutes/));
  await assert.rejects(ask({ boundObjectRef: { ...reference, uid: 'x' } }), status(409, /does not match the UID in record/));
  await assert.rejects(
    ask({ boundObjectRef: { apiVersion: 'v1', kind: 'ConfigMap', name: 'x' } }),
    status(400, /cannot bind token to object of type/),
  );
  await it.admin.delete(Pod, at('p'), { gracePeriodSeconds: 0 });
  await it.settle();
  const gone = await it.admin.create(TokenReview, { spec: { token: made!.token } });
  assert.equal(gone.status!.error, 'service account token has been invalidated');
});

test('reviews answer what one may do', async () => {
  await using it = await setup();
  const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];
  await it.admin.create(Role, { metadata: at('r'), rules });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' };
  await it.admin.create(RoleBinding, { metadata: at('b'), roleRef, subjects: [{ kind: 'User', name: 'ann', apiGroup: roleRef.apiGroup }] });
  await it.settle();
  const resourceAttributes = { verb: 'get', resource: 'pods', namespace: 'ns' };
  const { status: decision } = await it.admin.create(SubjectAccessReview, { spec: { user: 'ann', resourceAttributes } });
  assert.deepEqual(decision, { allowed: true, reason: 'RBAC: allowed by RoleBinding "b/ns" of Role "r" to User "ann"' });
  const local = await it.admin.create(LocalSubjectAccessReview, {
    metadata: { namespace: 'ns' },
    spec: { user: 'bob', resourceAttributes },
  });
  assert.equal(local.status!.allowed, false);
  await assert.rejects(
    it.admin.create(SubjectAccessReview, { spec: { resourceAttributes } }),
    status(422, /at least one of user or group/),
  );
  const ann = it.as('ann');
  const own = await ann.create(SelfSubjectRulesReview, { spec: { namespace: 'ns' } });
  assert.ok(own.status!.resourceRules.some((rule) => rule.resources?.includes('pods') && rule.verbs.includes('get')));
  assert.equal((await ann.create(SelfSubjectReview, {})).status!.userInfo!.username, 'ann');
  await assert.rejects(
    ann.list(Pod, { namespace: 'default' }),
    status(403, /^pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"$/),
  );
});

test('nobody grants what he does not have', async () => {
  await using it = await setup();
  const group = 'rbac.authorization.k8s.io';
  const mayWriteRoles = { verbs: ['*'], apiGroups: [group], resources: ['roles', 'rolebindings'] };
  const mayReadPods = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
  await it.admin.create(ClusterRole, {
    metadata: { name: 'grantor' },
    rules: [{ ...mayWriteRoles, verbs: ['create', 'update'] }, mayReadPods],
  });
  await it.admin.create(ClusterRoleBinding, {
    metadata: { name: 'grantor' },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'grantor' },
    subjects: [{ kind: 'User', name: 'ann', apiGroup: group }],
  });
  await it.settle();
  const ann: Client = it.as('ann');
  await ann.create(Role, { metadata: at('reader'), rules: [mayReadPods] });
  await assert.rejects(
    ann.create(Role, { metadata: at('writer'), rules: [{ ...mayReadPods, verbs: ['get', 'delete'] }] }),
    status(
      403,
      /is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["pods"\], Verbs:\["delete"\]\}$/,
    ),
  );
  const bind = (name: string) =>
    ann.create(RoleBinding, {
      metadata: at(name),
      roleRef: { apiGroup: group, kind: 'ClusterRole', name },
      subjects: [{ kind: 'User', name: 'bob', apiGroup: group }],
    });
  await assert.rejects(bind('cluster-admin'), status(403, /not currently held/));
  await bind('grantor');
});

test('Services have addresses and node ports, and take their endpoints with them', async () => {
  await using it = await setup();
  const made = await it.admin.create(Service, {
    metadata: at('s'),
    spec: { type: 'NodePort', selector: { a: 'b' }, ports: [{ port: 80 }] },
  });
  const ip = made.spec!.clusterIP!;
  assert.match(ip, /^10\.96\./);
  assert.ok(made.spec!.ports![0]!.nodePort! >= 30_000);
  assert.equal((await it.admin.get(IPAddress, { name: ip })).spec!.parentRef!.name, 's');
  await it.admin.create(Endpoints, { metadata: at('s') });
  await it.settle();
  const again = await it.admin.update(Service, { ...draft(made), spec: { ...made.spec!, type: 'ClusterIP' } });
  assert.equal(again.spec!.ports![0]!.nodePort, undefined);
  await it.admin.delete(Service, at('s'));
  for (const [kind, ref] of [
    [IPAddress, { name: ip }],
    [Endpoints, at('s')],
  ] as const)
    await assert.rejects(it.admin.get(kind as typeof Endpoints, ref), isNotFound);
  const kubernetes = await it.admin.get(Service, { namespace: 'default', name: 'kubernetes' });
  assert.equal(kubernetes.spec!.clusterIP, '10.96.0.1');
});

test('a kubelet walks the whole way under its own name', async () => {
  await using it = await setup();
  const kubelet = it.as('system:node:a', 'system:nodes');
  const node = await kubelet.create(Node, { metadata: { name: 'a' } });
  assert.deepEqual(node.spec!.taints, [{ effect: 'NoSchedule', key: 'node.kubernetes.io/not-ready' }]);
  await assert.rejects(kubelet.create(Node, { metadata: { name: 'b' } }), status(403, /node "a" is not allowed to modify node "b"/));
  await it.pod('p');
  const target = { kind: 'Node', name: 'a' };
  await it.admin.createSubresource(Pod, at('p'), 'binding', { kind: 'Binding', apiVersion: 'v1', metadata: at('p'), target });
  await it.settle();
  const pod = await kubelet.get(Pod, at('p'));
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: pod.metadata!.uid };
  const request = { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', spec: { boundObjectRef, expirationSeconds: 3607 } };
  const token = await kubelet.createSubresource<TokenRequest>(ServiceAccount, at('default'), 'token', request);
  assert.ok(token.status!.token);
  await assert.rejects(it.as('system:node:b', 'system:nodes').get(Pod, at('p')), status(403, /no relationship found between node 'b'/));
});
