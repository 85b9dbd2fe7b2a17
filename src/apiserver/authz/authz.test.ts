import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterRole, ClusterRoleBinding, PersistentVolume, Pod, Role, RoleBinding } from '#api';
import type { RequestInfo, UserInfo } from '../contract.ts';
import { testbed } from '../testbed.ts';
import { createAuthorization } from './index.ts';
import { escalationText, RuleSet, uncovered } from './rules.ts';

/** "get pods/log ns/name" or "get /healthz" as a request. */
function request(text: string, more: Partial<RequestInfo> = {}): RequestInfo {
  const [verb = '', what = '', place = ''] = text.split(' ');
  const base = { verb, version: 'v1', group: '', resource: '', subresource: '', namespace: '', name: '' };
  if (what.startsWith('/')) return { ...base, isResourceRequest: false, path: what, ...more };
  const [resource = '', subresource = ''] = what.split('/');
  const [plural = '', ...group] = resource.split('.');
  const [namespace = '', name = ''] = place.includes('/') ? place.split('/') : ['', place];
  return { ...base, isResourceRequest: true, path: '', resource: plural, group: group.join('.'), subresource, namespace, name, ...more };
}

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups });
const authorizationGroup = 'rbac.authorization.k8s.io';

test('RuleSet.allows() as upstream matches rules', () => {
  const rules = new RuleSet([
    { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] },
    { verbs: ['*'], apiGroups: ['apps'], resources: ['*'] },
    { verbs: ['update'], apiGroups: ['*'], resources: ['*/scale'] },
    { verbs: ['get'], apiGroups: [''], resources: ['configmaps'], resourceNames: ['a'] },
    { verbs: ['get'], nonResourceURLs: ['/healthz', '/api/*'] },
  ]);
  for (const [text, wanted] of [
    ['get pods ns/a', true],
    ['get pods/log ns/a', true],
    ['get pods/exec ns/a', false],
    ['delete pods ns/a', false],
    ['delete deployments.apps/status ns/a', true],
    ['update x.example.com/scale ns/a', true],
    ['update x.example.com ns/a', false],
    ['get configmaps ns/a', true],
    ['get configmaps ns/b', false],
    ['list configmaps ns/', false],
    ['get /healthz', true],
    ['get /healthz/etcd', false],
    ['get /api/v1', true],
    ['post /healthz', false],
  ] as const)
    assert.equal(rules.allows(request(text)), wanted, text);
});

test('bindings give what roles say, where they say it, and the reason names them', async () => {
  await using bed = testbed();
  const roleRef = (kind: string, name: string) => ({ apiGroup: authorizationGroup, kind, name });
  const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];
  bed.put(ClusterRole, { metadata: { name: 'reader' }, rules });
  bed.put(Role, { metadata: { namespace: 'ns', name: 'local' }, rules });
  bed.put(ClusterRoleBinding, {
    metadata: { name: 'all' },
    roleRef: roleRef('ClusterRole', 'reader'),
    subjects: [{ kind: 'Group', name: 'team' }],
  });
  bed.put(
    RoleBinding,
    { metadata: { namespace: 'ns', name: 'one' }, roleRef: roleRef('Role', 'local'), subjects: [{ kind: 'ServiceAccount', name: 'sa' }] },
    { metadata: { namespace: 'ns', name: 'lost' }, roleRef: roleRef('Role', 'gone'), subjects: [{ kind: 'User', name: 'eve' }] },
  );
  const { authorizer, ready, rulesFor } = createAuthorization(bed, { nodeRules: [] });
  await ready;
  const ann = user('ann', 'team');
  const account = user('system:serviceaccount:ns:sa');
  assert.deepEqual(await authorizer({ user: ann, info: request('get pods x/a') }), {
    verdict: 'allow',
    reason: 'RBAC: allowed by ClusterRoleBinding "all" of ClusterRole "reader" to Group "team"',
  });
  assert.deepEqual(await authorizer({ user: account, info: request('get pods ns/a') }), {
    verdict: 'allow',
    reason: 'RBAC: allowed by RoleBinding "one/ns" of Role "local" to ServiceAccount "sa/ns"',
  });
  assert.equal((await authorizer({ user: account, info: request('get pods other/a') })).verdict, 'no-opinion');
  assert.deepEqual(await authorizer({ user: user('eve'), info: request('get pods ns/a') }), {
    verdict: 'no-opinion',
    reason: 'RBAC: role.rbac.authorization.k8s.io "gone" not found',
  });
  assert.equal((await authorizer({ user: user('root', 'system:masters'), info: request('delete nodes x') })).verdict, 'allow');
  assert.deepEqual(rulesFor(account, 'ns').rules, rules);
  bed.remove(RoleBinding, 'ns/one');
  await bed.clock.advance(0);
  assert.equal((await authorizer({ user: account, info: request('get pods ns/a') })).verdict, 'no-opinion');
});

test('a kubelet reads what its pods refer to, and nothing else', async () => {
  await using bed = testbed();
  bed.put(Pod, {
    metadata: { namespace: 'ns', name: 'p' },
    spec: {
      nodeName: 'a',
      serviceAccountName: 'sa',
      containers: [{ name: 'c', env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'env', key: 'k' } } }] }],
      volumes: [
        { name: 'v', configMap: { name: 'cm' } },
        { name: 'w', persistentVolumeClaim: { claimName: 'claim' } },
        { name: 'e', ephemeral: {} },
      ],
    },
  });
  bed.put(PersistentVolume, {
    metadata: { name: 'pv' },
    spec: {
      claimRef: { namespace: 'ns', name: 'claim' },
      csi: { driver: 'd', volumeHandle: 'h', nodeStageSecretRef: { namespace: 'other', name: 'stage' } },
    },
  });
  const { authorizer, ready } = createAuthorization(bed, { nodeRules: [{ verbs: ['list'], apiGroups: [''], resources: ['services'] }] });
  await ready;
  const selected = { fieldSelector: 'spec.nodeName=a' };
  for (const [text, more, wanted] of [
    ['get secrets ns/env', {}, true],
    ['get secrets other/stage', {}, true],
    ['get secrets ns/else', {}, false],
    ['list secrets ns/', {}, false],
    ['watch configmaps ns/cm', {}, true],
    ['get persistentvolumeclaims ns/claim', {}, true],
    ['get persistentvolumeclaims ns/p-e', {}, true],
    ['get persistentvolumes pv', {}, true],
    ['create serviceaccounts/token ns/sa', {}, true],
    ['create serviceaccounts/token ns/other', {}, false],
    ['get pods ns/p', {}, true],
    ['list pods', selected, true],
    ['list pods', {}, false],
    ['update pods/status ns/p', {}, true],
    ['get nodes a', {}, true],
    ['get nodes b', {}, false],
    ['update leases.coordination.k8s.io kube-node-lease/a', {}, true],
    ['update leases.coordination.k8s.io kube-node-lease/b', {}, false],
    ['list services', {}, true],
    ['delete services ns/x', {}, false],
  ] as const) {
    const info = request(text, more);
    const decide = async (name: string): Promise<boolean> =>
      (await authorizer({ user: user(`system:node:${name}`, 'system:nodes'), info })).verdict === 'allow';
    assert.equal(await decide('a'), wanted, text);
    if (/secrets|configmaps|volume|token/.test(text)) assert.equal(await decide('b'), false, `${text} from another node`);
  }
  assert.equal((await authorizer({ user: user('system:node:a'), info: request('get secrets ns/env') })).verdict, 'no-opinion');
});

test('uncovered() finds what the giver does not have', () => {
  const missing = uncovered(
    [
      { verbs: ['get'], apiGroups: [''], resources: ['*'] },
      { verbs: ['*'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['a'] },
      { verbs: ['get'], nonResourceURLs: ['/api/*'] },
    ],
    [
      { verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['pods', 'pods/log'] },
      { verbs: ['delete'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['a', 'b'] },
      { verbs: ['get'], nonResourceURLs: ['/api/v1', '/metrics'] },
    ],
  );
  assert.equal(
    escalationText(user('ann', 'a', 'b'), missing),
    [
      'user "ann" (groups=["a" "b"]) is attempting to grant RBAC permissions not currently held:',
      '{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}',
      '{APIGroups:[""], Resources:["pods/log"], Verbs:["list" "watch"]}',
      '{APIGroups:["apps"], Resources:["deployments"], ResourceNames:["b"], Verbs:["delete"]}',
      '{NonResourceURLs:["/metrics"], Verbs:["get"]}',
    ].join('\n'),
  );
});
