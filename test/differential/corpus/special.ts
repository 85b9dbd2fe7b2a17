/** What is not a verb of a kind: discovery, reviews, pages, subresources of their own, policies, quotas. */
import { objectOf, sampleOf, samples } from './kinds.ts';
import type { Json } from './kinds.ts';
import { get, patch, post, put, remove } from './scenario.ts';
import type { Scenario, Step } from './scenario.ts';

const alice = { user: 'alice', groups: ['developers'] };
const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const config = (name: string, more: Json = {}): Json => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...more });
const pod = (name: string, spec: Json = {}, metadata: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { containers: [{ name: 'c', image: 'registry.example/a:1' }], ...spec },
});

function documents(): Scenario {
  const groups = [...new Set(samples.map(({ fact }) => (fact.group ? `/apis/${fact.group}/${fact.version}` : '/api/v1')))];
  return {
    name: 'documents',
    steps: [
      get('versions', '/api'),
      get('groups', '/apis'),
      get('versions aggregated', '/api', aggregated),
      get('groups aggregated', '/apis', aggregated),
      get('groups aggregated nonsense', '/apis', 'application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList'),
      get('groups yaml', '/apis', 'application/yaml'),
      get('groups protobuf', '/apis', 'application/vnd.kubernetes.protobuf'),
      ...groups.flatMap((path) => [
        get(`resources ${path}`, path),
        ...(path.startsWith('/apis') ? [get(`group ${path}`, path.slice(0, path.lastIndexOf('/')))] : []),
      ]),
      ...groups.map((path) => get(`openapi ${path}`, `/openapi/v3${path}`, undefined, { view: 'openapi-v3' })),
      get('openapi v2', '/openapi/v2', undefined, { view: 'openapi-v2' }),
      get('openapi v3 nonsense', '/openapi/v3/apis/nonsense/v1'),
      get('group of nothing', '/apis/nonsense.example'),
      get('version of nothing', '/apis/apps/v9'),
      get('resource of nothing', '/apis/apps/v1/nonsense'),
      get('path of nothing', '/nonsense'),
      get('path of nothing as alice', '/nonsense', undefined, { as: alice }),
      ...['/healthz', '/livez', '/readyz', '/healthz/ping', '/livez/nonsense', '/readyz/etcd'].map((path) => get(path, path)),
      get('healthz as alice', '/healthz', undefined, { as: alice }),
      get('metrics as alice', '/metrics', undefined, { as: alice }),
      get('issuer', '/.well-known/openid-configuration'),
      { name: 'healthz posted', method: 'POST', path: '/healthz' },
      { name: 'apis posted', method: 'POST', path: '/apis', body: {} },
    ],
  };
}

function reviews(): Scenario {
  const self = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const review = (spec: Json): Json => ({ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec });
  const subject = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
  const of = (spec: Json): Json => ({ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec });
  const rules = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
  const tokens = '/apis/authentication.k8s.io/v1/tokenreviews';
  const pods = { verb: 'get', resource: 'pods', namespace: 'x' };
  return {
    name: 'reviews',
    namespace: true,
    steps: [
      post('self may', self, review({ resourceAttributes: pods })),
      post('self may not', self, review({ resourceAttributes: pods }), { as: alice }),
      post('self path', self, review({ nonResourceAttributes: { path: '/healthz', verb: 'get' } }), { as: alice }),
      post('self both', self, review({ resourceAttributes: pods, nonResourceAttributes: { path: '/', verb: 'get' } })),
      post('self neither', self, review({})),
      post('self selector', self, review({ resourceAttributes: { ...pods, fieldSelector: { rawSelector: 'a=b' } } })),
      post('self selector bad', self, review({ resourceAttributes: { ...pods, labelSelector: { rawSelector: 'a=b', requirements: [] } } })),
      post('self named', self, { ...review({ resourceAttributes: pods }), metadata: { name: 'x' } }),
      post('subject may', subject, of({ user: 'administrator', groups: ['system:masters'], resourceAttributes: pods })),
      post('subject may not', subject, of({ user: 'alice', resourceAttributes: pods })),
      post('subject without name', subject, of({ resourceAttributes: pods })),
      post('subject as alice', subject, of({ user: 'alice', resourceAttributes: pods }), { as: alice }),
      post('local', '/apis/authorization.k8s.io/v1/namespaces/reviews/localsubjectaccessreviews', {
        ...of({ user: 'alice', resourceAttributes: { ...pods, namespace: 'reviews' } }),
        kind: 'LocalSubjectAccessReview',
        metadata: { namespace: 'reviews' },
      }),
      post('local of other namespace', '/apis/authorization.k8s.io/v1/namespaces/reviews/localsubjectaccessreviews', {
        ...of({ user: 'alice', resourceAttributes: pods }),
        kind: 'LocalSubjectAccessReview',
        metadata: { namespace: 'reviews' },
      }),
      post(
        'rules',
        rules,
        { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace: 'reviews' } },
        { as: alice },
      ),
      post('rules without namespace', rules, { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: {} }),
      post('self subject', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {}, { as: alice }),
      post('self subject dry', '/apis/authentication.k8s.io/v1/selfsubjectreviews?dryRun=All', {}),
      post('token good', tokens, { spec: { token: 'alice-token' } }),
      post('token bad', tokens, { spec: { token: 'nobody' } }),
      post('token none', tokens, { spec: {} }),
      post('token other audience', tokens, { spec: { token: 'alice-token', audiences: ['elsewhere'] } }),
      get('reviews cannot be listed', self),
      post('account token', '/api/v1/namespaces/reviews/serviceaccounts/default/token', {
        spec: { audiences: ['a'], expirationSeconds: 3600 },
      }),
      post('account token short', '/api/v1/namespaces/reviews/serviceaccounts/default/token', { spec: { expirationSeconds: 1 } }),
      post('account token bound to nothing', '/api/v1/namespaces/reviews/serviceaccounts/default/token', {
        spec: { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'none' } },
      }),
      post('account token bound to wrong kind', '/api/v1/namespaces/reviews/serviceaccounts/default/token', {
        spec: { boundObjectRef: { kind: 'Service', apiVersion: 'v1', name: 'none' } },
      }),
      post('account token of nobody', '/api/v1/namespaces/reviews/serviceaccounts/none/token', {}),
      get('impersonated without name', '/api/v1/pods', undefined, { headers: { 'impersonate-group': 'x' } }),
      get('bad token', '/api/v1/pods', undefined, { headers: { authorization: 'Bearer nobody' } }),
    ],
  };
}

function pages(): Scenario {
  const path = '/api/v1/namespaces/pages/configmaps';
  return {
    name: 'pages',
    namespace: true,
    steps: [
      ...['a', 'b', 'c', 'd'].map((name) =>
        post(`create ${name}`, path, {
          ...config(name),
          metadata: { name, labels: { letter: name, even: String(name === 'b' || name === 'd') } },
        }),
      ),
      get('first', `${path}?limit=2`, undefined, { keep: { next: 'metadata.continue', rv: 'metadata.resourceVersion' } }),
      get('second', `${path}?limit=2&continue={{next}}`),
      get('second with revision', `${path}?limit=2&continue={{next}}&resourceVersion=1`),
      get('second with match', `${path}?limit=2&continue={{next}}&resourceVersionMatch=Exact`),
      get('exact', `${path}?resourceVersion={{rv}}&resourceVersionMatch=Exact`),
      get('exact limited', `${path}?limit=1&resourceVersion={{rv}}&resourceVersionMatch=Exact`),
      get('exact future', `${path}?resourceVersion=999999999&resourceVersionMatch=Exact`),
      get('limited any', `${path}?limit=1&resourceVersion=0`),
      get('limited selected', `${path}?limit=1&labelSelector=even%3Dtrue`),
      get('limit zero', `${path}?limit=0`),
      get('limit negative', `${path}?limit=-1`),
      ...[
        'even',
        '!even',
        'letter in (a,b)',
        'letter notin (a,b)',
        'letter!=a',
        'letter=a,even',
        'letter in ()',
        'letter in a',
        'letter>1',
        'letter gt 1',
        '=',
        ',',
        'letter==a',
        'a b',
        'x/y/z=1',
        'letter in (a',
        '(letter)',
      ].map((selector) =>
        get(
          `labels ${selector}`,
          `${path}?labelSelector=${encodeURIComponent(selector)}`,
          'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
        ),
      ),
      ...[
        'metadata.name=a',
        'metadata.name!=a',
        'metadata.name==a',
        'metadata.namespace=pages',
        'metadata.namespace=other',
        'metadata.name=a,metadata.name=b',
        'metadata.uid=1',
        '=a',
        'metadata.name',
        'metadata.name=a\\',
      ].map((selector) =>
        get(
          `fields ${selector}`,
          `${path}?fieldSelector=${encodeURIComponent(selector)}`,
          'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
        ),
      ),
      get('timeout bad', `${path}?timeout=x`),
      get('two accepts', `${path}/a`, 'application/nonsense, application/json;q=0.5'),
      get('table or json', path, 'application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json'),
      get('table as yaml', path, 'application/yaml;as=Table;v=v1;g=meta.k8s.io'),
      get('partial as protobuf', `${path}/a`, 'application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'),
      get('partial list as protobuf', path, 'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'),
      get('partial list of beta', path, 'application/json;as=PartialObjectMetadataList;v=v1beta1;g=meta.k8s.io'),
      get('table as protobuf', path, 'application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io'),
      get('everything', `${path}/a`, '*/*'),
      { name: 'head', method: 'HEAD', path: `${path}/a` },
      { name: 'options', method: 'OPTIONS', path },
      { name: 'strange method', method: 'PROPFIND', path },
      get('doubled slashes', '/api//v1/namespaces'),
      get('trailing slash', '/api/v1/namespaces/'),
      get('namespaced in cluster route', '/api/v1/configmaps/a'),
    ],
  };
}

function pods(): Scenario {
  const path = '/api/v1/namespaces/pods/pods';
  return {
    name: 'pods',
    namespace: true,
    setup: [
      post('', path, pod('p', {}, { labels: { app: 'a' } })),
      post('', path, pod('gated', { schedulingGates: [{ name: 'example.com/g' }] })),
    ],
    steps: [
      post('bind nowhere', `${path}/p/binding`, { target: { name: '' } }),
      post('bind kind', `${path}/p/binding`, { target: { kind: 'Thing', name: 'n' } }),
      post('bind gated', `${path}/gated/binding`, { target: { kind: 'Node', name: 'n' } }),
      post('bind', `${path}/p/binding`, { metadata: { name: 'p', annotations: { bound: 'yes' } }, target: { kind: 'Node', name: 'n' } }),
      post('bind again', `${path}/p/binding`, { target: { kind: 'Node', name: 'm' } }),
      post('bind missing', `${path}/none/binding`, { target: { kind: 'Node', name: 'n' } }),
      get('get bound', `${path}/p`),
      get('table', `${path}/p`, 'application/json;as=Table;v=v1;g=meta.k8s.io'),
      patch('debug', `${path}/p/ephemeralcontainers`, 'strategic', {
        spec: { ephemeralContainers: [{ name: 'debug', image: 'registry.example/d' }] },
      }),
      patch('debug bad', `${path}/p/ephemeralcontainers`, 'strategic', {
        spec: { ephemeralContainers: [{ name: 'c', image: 'x', ports: [{ containerPort: 1 }] }] },
      }),
      patch('debug removed', `${path}/p/ephemeralcontainers`, 'merge', { spec: { ephemeralContainers: [] } }),
      patch('resize', `${path}/p/resize`, 'strategic', { spec: { containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }] } }),
      patch('resize image', `${path}/p/resize`, 'strategic', { spec: { containers: [{ name: 'c', image: 'registry.example/b' }] } }),
      patch('image', path + '/p', 'strategic', { spec: { containers: [{ name: 'c', image: 'registry.example/b:2' }] } }),
      patch('tolerate', path + '/p', 'merge', { spec: { tolerations: [{ key: 'x', operator: 'Exists' }] } }),
      patch('gate removed', path + '/gated', 'merge', { spec: { schedulingGates: [] } }),
      post('evict dry', `${path}/p/eviction`, {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: 'p' },
        deleteOptions: { dryRun: ['All'] },
      }),
      post('evict other', `${path}/p/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'other' } }),
      post('evict missing', `${path}/none/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'none' } }),
      get('log of unstarted', `${path}/gated/log`),
      get('log bad', `${path}/gated/log?tailLines=-1`),
      get('log of missing', `${path}/none/log`),
      get('exec without upgrade', `${path}/p/exec?command=ls`),
      remove('delete gracefully', `${path}/p`, { gracePeriodSeconds: 5 }),
      remove('delete shorter', `${path}/p`, { gracePeriodSeconds: 2 }),
      get('get terminating', `${path}/p`),
      remove('delete now', `${path}/p`, { gracePeriodSeconds: 0 }),
      get('get deleted', `${path}/p`),
      ...['status.phase=Pending', 'spec.nodeName=n', 'spec.nonsense=1', 'status.podIP=', 'spec.restartPolicy!=Always'].map((selector) =>
        get(
          `fields ${selector}`,
          `${path}?fieldSelector=${encodeURIComponent(selector)}`,
          'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
        ),
      ),
      post('without account', path, pod('q', { serviceAccountName: 'none' })),
      post('with priority class', path, pod('q', { priorityClassName: 'none' })),
      post('with system priority', `${path}?dryRun=All`, pod('q', { priorityClassName: 'system-node-critical' })),
      post('with priority', path, pod('q', { priority: 5 })),
      post('with runtime class', path, pod('q', { runtimeClassName: 'none' })),
      post('mirror', path, pod('q', {}, { annotations: { 'kubernetes.io/config.mirror': 'x' } })),
      post('deprecated', `${path}?dryRun=All`, pod('q', { nodeSelector: { 'beta.kubernetes.io/os': 'linux' } })),
    ],
  };
}

function limits(): Scenario {
  const at = '/api/v1/namespaces/limits';
  const resources = (limit: string): Json => ({
    containers: [{ name: 'c', image: 'registry.example/a', resources: { limits: { cpu: limit } } }],
  });
  return {
    name: 'limits',
    namespace: true,
    setup: [
      post('', `${at}/limitranges`, {
        metadata: { name: 'l' },
        spec: {
          limits: [
            { type: 'Container', max: { cpu: '2' }, min: { cpu: '100m' }, default: { cpu: '500m' }, maxLimitRequestRatio: { cpu: '4' } },
            { type: 'PersistentVolumeClaim', max: { storage: '5Gi' } },
          ],
        },
      }),
    ],
    steps: [
      post('defaulted', `${at}/pods?dryRun=All`, pod('p')),
      post('too much', `${at}/pods`, pod('p', resources('3'))),
      post('too little', `${at}/pods`, pod('p', resources('10m'))),
      post(
        'ratio',
        `${at}/pods`,
        pod('p', { containers: [{ name: 'c', image: 'x', resources: { limits: { cpu: '2' }, requests: { cpu: '100m' } } }] }),
      ),
      post('claim', `${at}/persistentvolumeclaims`, {
        metadata: { name: 'c' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '9Gi' } } },
      }),
    ],
  };
}

function security(): Scenario[] {
  const tried: [string, Json][] = [
    ['plain', {}],
    ['host network', { hostNetwork: true }],
    ['privileged', { containers: [{ name: 'c', image: 'x', securityContext: { privileged: true } }] }],
    ['host path', { volumes: [{ name: 'v', hostPath: { path: '/x' } }] }],
    ['host port', { containers: [{ name: 'c', image: 'x', ports: [{ containerPort: 1, hostPort: 30074 }] }] }],
    ['capabilities', { containers: [{ name: 'c', image: 'x', securityContext: { capabilities: { add: ['SYS_ADMIN', 'CHOWN'] } } }] }],
    ['sysctl', { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }],
    ['root', { securityContext: { runAsUser: 0, runAsNonRoot: false } }],
    ['proc mount', { hostUsers: false, containers: [{ name: 'c', image: 'x', securityContext: { procMount: 'Unmasked' } }] }],
    [
      'restricted',
      {
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [{ name: 'c', image: 'x', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
      },
    ],
  ];
  const levels: [string, Record<string, string>][] = [
    ['baseline', { 'pod-security.kubernetes.io/enforce': 'baseline' }],
    ['restricted', { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/enforce-version': 'v1.24' }],
    ['warned', { 'pod-security.kubernetes.io/warn': 'restricted', 'pod-security.kubernetes.io/audit': 'baseline' }],
  ];
  return levels.map(([level, labels]) => ({
    name: `security ${level}`,
    namespace: { labels },
    steps: [
      ...tried.map(([word, spec]) => post(word, `/api/v1/namespaces/security-${level}/pods?dryRun=All`, pod('p', spec))),
      post('workload', `/apis/apps/v1/namespaces/security-${level}/deployments?dryRun=All`, {
        metadata: { name: 'd' },
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { hostPID: true, containers: [{ name: 'c', image: 'x' }] } },
        },
      }),
    ],
  }));
}

function roles(): Scenario {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const at = `${rbac}/namespaces/roles`;
  const rule = (resource: string, ...verbs: string[]): Json => ({ apiGroups: [''], resources: [resource], verbs });
  const binding = (name: string, role: string): Json => ({
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'User', name: 'alice' }],
  });
  return {
    name: 'roles',
    namespace: true,
    setup: [
      post('', `${at}/roles`, {
        metadata: { name: 'manager' },
        rules: [
          { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'], verbs: ['*'] },
          rule('configmaps', 'get', 'list'),
        ],
      }),
      post('', `${at}/rolebindings`, {
        ...binding('manager', ''),
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'manager' },
      }),
      // The authorizer learns of the two in its own time.
      get('', '/api/v1/namespaces/roles/configmaps', undefined, { as: alice, until: (body) => (body as Json)['kind'] === 'ConfigMapList' }),
    ],
    steps: [
      get('allowed', '/api/v1/namespaces/roles/configmaps', undefined, { as: alice }),
      get('refused', '/api/v1/namespaces/roles/secrets', undefined, { as: alice }),
      get('refused one', '/api/v1/namespaces/roles/secrets/s', undefined, { as: alice }),
      remove('refused deletion', '/api/v1/namespaces/roles', undefined, { as: alice }),
      get('refused subresource', '/api/v1/namespaces/roles/pods/p/log', undefined, { as: alice }),
      get('refused everywhere', '/apis/apps/v1/deployments', undefined, { as: alice }),
      post('own rights', `${at}/roles`, { metadata: { name: 'same' }, rules: [rule('configmaps', 'get')] }, { as: alice }),
      post(
        'more rights',
        `${at}/roles`,
        { metadata: { name: 'more' }, rules: [rule('secrets', 'get', 'list'), rule('configmaps', 'delete')] },
        { as: alice },
      ),
      post('bind more', `${at}/rolebindings`, binding('more', 'edit'), { as: alice }),
      post('bind unknown', `${at}/rolebindings`, binding('unknown', 'no-such-role'), { as: alice }),
      post('service account', `${at}/rolebindings?dryRun=All`, {
        ...binding('account', 'view'),
        subjects: [{ kind: 'ServiceAccount', name: 'default' }],
      }),
      put('role changed', `${at}/rolebindings/manager`, binding('manager', 'view')),
      get('bootstrap admin', `${rbac}/clusterroles/admin`),
      get('bootstrap node', `${rbac}/clusterroles/system:node`),
      get('bootstrap binding', `${rbac}/clusterrolebindings/cluster-admin`),
      ...[
        'view',
        'edit',
        'cluster-admin',
        'system:discovery',
        'system:basic-user',
        'system:kube-scheduler',
        'system:kube-controller-manager',
        'system:controller:replicaset-controller',
        'system:aggregate-to-edit',
      ].map((role) => get(`bootstrap ${role}`, `${rbac}/clusterroles/${role}`)),
      get('flow schemas', '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/service-accounts'),
      get('priority level', '/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/workload-low'),
      get('priority class', '/apis/scheduling.k8s.io/v1/priorityclasses/system-cluster-critical'),
      remove('delete system priority class', '/apis/scheduling.k8s.io/v1/priorityclasses/system-cluster-critical'),
      get('kubernetes service', '/api/v1/namespaces/default/services/kubernetes'),
      get('default namespace', '/api/v1/namespaces/default'),
      get('service cidr', '/apis/networking.k8s.io/v1/servicecidrs/kubernetes'),
    ],
  };
}

function policies(): Scenario {
  const api = '/apis/admissionregistration.k8s.io/v1';
  const policy: Json = {
    metadata: { name: 'differential-policy' },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] }],
      },
      variables: [{ name: 'size', expression: 'has(object.data) ? size(object.data) : 0' }],
      matchConditions: [{ name: 'not-exempt', expression: '!object.metadata.name.startsWith("exempt")' }],
      validations: [
        { expression: 'variables.size < 3', messageExpression: '"holds " + string(variables.size) + " entries"', reason: 'Forbidden' },
        { expression: '!object.metadata.name.endsWith("-bad")' },
        { expression: 'request.operation != "UPDATE" || oldObject.data == object.data', message: 'data must stay' },
      ],
    },
  };
  const path = '/api/v1/namespaces/policies/configmaps';
  const marker = config('probe-bad');
  const bad = (name: string, change: Json): Step =>
    post(`policy ${name}`, `${api}/validatingadmissionpolicies?dryRun=All`, {
      metadata: { name: 'x' },
      spec: { ...(policy['spec'] as Json), ...change },
    });
  return {
    name: 'policies',
    namespace: { labels: { differential: 'policies' } },
    setup: [
      post('', `${api}/validatingadmissionpolicies`, policy),
      post('', `${api}/validatingadmissionpolicybindings`, {
        metadata: { name: 'differential-policy' },
        spec: {
          policyName: 'differential-policy',
          validationActions: ['Deny'],
          matchResources: { namespaceSelector: { matchLabels: { differential: 'policies' } } },
        },
      }),
      // Policies are enforced in the server's own time.
      post('', `${path}?dryRun=All`, marker, { until: (body) => (body as Json)['kind'] === 'Status' }),
    ],
    steps: [
      post('allowed', path, config('a', { data: { x: '1' } })),
      post('denied by name', path, config('x-bad')),
      post('denied with message', path, config('b', { data: { x: '1', y: '2', z: '3' } })),
      post('exempt', `${path}?dryRun=All`, config('exempt-bad')),
      patch('denied update', `${path}/a`, 'merge', { data: { x: '2' } }),
      bad('syntax', { validations: [{ expression: 'object.' }] }),
      bad('undeclared', { validations: [{ expression: 'nothing == 1' }] }),
      bad('not boolean', { validations: [{ expression: '"x"' }] }),
      bad('variable', { variables: [{ name: 'v', expression: 'nothing' }] }),
      bad('variable twice', {
        variables: [
          { name: 'v', expression: '1' },
          { name: 'v', expression: '2' },
        ],
      }),
      bad('condition', { matchConditions: [{ name: 'c', expression: 'size(' }] }),
      bad('message', { validations: [{ expression: 'true', messageExpression: '1' }] }),
      bad('no validations', { validations: [] }),
      bad('params', { validations: [{ expression: 'params.x == 1' }] }),
    ],
    cleanup: [
      remove('', `${api}/validatingadmissionpolicybindings/differential-policy`),
      remove('', `${api}/validatingadmissionpolicies/differential-policy`),
    ],
  };
}

function services(): Scenario {
  const path = '/api/v1/namespaces/services/services';
  const service = (name: string, spec: Json): Json => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec });
  const ports = [{ port: 80 }];
  return {
    name: 'services',
    namespace: true,
    steps: [
      post('address', path, service('a', { ports, clusterIP: '10.96.0.50' })),
      post('address taken', path, service('b', { ports, clusterIP: '10.96.0.50' })),
      post('address outside', path, service('b', { ports, clusterIP: '192.0.2.1' })),
      post('address nonsense', path, service('b', { ports, clusterIP: 'x' })),
      post('node port', path, service('n', { type: 'NodePort', ports: [{ port: 80, nodePort: 30075 }] })),
      post('node port taken', path, service('m', { type: 'NodePort', ports: [{ port: 80, nodePort: 30075 }] })),
      post('node port outside', path, service('m', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] })),
      post('dual stack', path, service('d', { ports, ipFamilyPolicy: 'RequireDualStack' })),
      post('dual stack preferred', path, service('d', { ports, ipFamilyPolicy: 'PreferDualStack' })),
      post('v6', path, service('v', { ports, ipFamilies: ['IPv6'] })),
      post('headless', path, service('h', { clusterIP: 'None', selector: { a: 'b' } })),
      post('external name with ports', path, service('e', { type: 'ExternalName', externalName: 'x.example', ports })),
      post('external name bad', path, service('f', { type: 'ExternalName', externalName: 'X_' })),
      patch('to external name', `${path}/a`, 'merge', {
        spec: { type: 'ExternalName', externalName: 'x.example', clusterIP: null, clusterIPs: null },
      }),
      patch('back', `${path}/a`, 'merge', { spec: { type: 'ClusterIP', externalName: null } }),
      patch('address changed', `${path}/n`, 'merge', { spec: { clusterIP: '10.96.0.51' } }),
      patch('to cluster', `${path}/n`, 'merge', { spec: { type: 'ClusterIP' } }),
      patch('ports merged', `${path}/n`, 'strategic', {
        spec: {
          ports: [
            { name: 'x', port: 81 },
            { name: 'web', port: 80 },
          ],
        },
      }),
      get('table', path, 'application/json;as=Table;v=v1;g=meta.k8s.io'),
      get('proxy', `${path}/n/proxy/`),
      remove('delete', `${path}/n`),
      post('node port free again', path, service('m', { type: 'NodePort', ports: [{ port: 80, nodePort: 30075 }] })),
    ],
  };
}

function applying(): Scenario {
  const path = '/apis/apps/v1/namespaces/applying/deployments/d';
  const whole = objectOf(sampleOf('apps', 'deployments'), 'd', 'applying');
  const of = (spec: Json): Json => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, spec });
  const containers = (...list: Json[]): Json => ({ template: { spec: { containers: list } } });
  const apply = (name: string, manager: string, body: Json, more = ''): Step =>
    patch(name, `${path}?fieldManager=${manager}${more}`, 'apply', body);
  return {
    name: 'applying',
    namespace: true,
    steps: [
      apply('create', 'first', whole),
      apply('again', 'first', whole),
      apply('conflict', 'second', of({ replicas: 9 })),
      apply('same value', 'second', of({ replicas: 3 })),
      apply('by force', 'second', of({ replicas: 9 }), '&force=true'),
      apply('sidecar', 'third', of(containers({ name: 'side', image: 'registry.example/side' }))),
      apply(
        'sidecar environment',
        'third',
        of(
          containers({
            name: 'side',
            image: 'registry.example/side',
            env: [
              { name: 'A', value: '1' },
              { name: 'B', value: '2' },
            ],
          }),
        ),
      ),
      apply('sidecar without environment', 'third', of(containers({ name: 'side', image: 'registry.example/side' }))),
      apply('twice a key', 'third', of(containers({ name: 'side', image: 'a' }, { name: 'side', image: 'b' }))),
      apply('without key', 'third', of(containers({ image: 'a' }))),
      apply('wrong type', 'third', of({ replicas: 'many' })),
      apply('null', 'third', of({ paused: null, replicas: null }), '&force=true'),
      apply('less', 'third', of({})),
      apply('unknown field', 'third', of({ nonsense: true })),
      patch('update takes over', `${path}?fieldManager=editor`, 'merge', { spec: { replicas: 2 } }),
      apply('conflicts with editor', 'second', of({ replicas: 9 })),
      patch('forget managers', path, 'merge', { metadata: { managedFields: [{}] } }),
      apply('after forgetting', 'first', of({ replicas: 1 })),
      patch('strategic list', path, 'strategic', {
        spec: { template: { spec: { containers: [{ name: 'main', image: 'registry.example/app:2' }] } } },
      }),
      patch('strategic delete', path, 'strategic', { spec: { template: { spec: { containers: [{ name: 'side', $patch: 'delete' }] } } } }),
      patch('strategic order', path, 'strategic', {
        spec: {
          template: {
            spec: { $setElementOrder$: 1, '$setElementOrder/containers': [{ name: 'main' }], containers: [{ name: 'extra', image: 'x' }] },
          },
        },
      }),
      patch('strategic retain', path, 'strategic', { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }),
      patch('strategic primitive delete', path, 'strategic', { metadata: { '$deleteFromPrimitiveList/finalizers': ['x.example/y'] } }),
      patch('json list', path, 'json', [
        { op: 'add', path: '/spec/template/spec/containers/-', value: { name: 'last', image: 'registry.example/last' } },
        { op: 'test', path: '/spec/replicas', value: 1 },
        { op: 'copy', from: '/spec/replicas', path: '/spec/revisionHistoryLimit' },
        { op: 'move', from: '/spec/revisionHistoryLimit', path: '/spec/minReadySeconds' },
      ]),
      patch('json out of range', path, 'json', [{ op: 'replace', path: '/spec/template/spec/containers/9', value: {} }]),
      patch('json without path', path, 'json', [{ op: 'add', value: 1 }]),
      patch('json unknown member', path, 'json', [{ op: 'add', path: '/metadata/labels', value: {}, extra: 1 }]),
      get('written', path),
    ],
  };
}

export const specialScenarios = (): Scenario[] => [
  documents(),
  reviews(),
  pages(),
  pods(),
  limits(),
  ...security(),
  roles(),
  policies(),
  services(),
  applying(),
];
