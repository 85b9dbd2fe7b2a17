import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LimitRange, Namespace, Node, Pod, PriorityClass, ResourceQuota, ServiceAccount, StorageClass } from '#api';
import type { Kind, PersistentVolumeClaim } from '#api';
import { PersistentVolumeClaim as Claim } from '#api';
import { draft } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { isStatus } from '#machinery/status';
import type { AdmissionAttributes, AdmissionPlugin, AdmissionPluginFactory, UserInfo } from '../contract.ts';
import { testbed } from '../testbed.ts';
import type { Testbed } from '../testbed.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { admissionPluginNames, admissionPlugins } from './index.ts';
import { ownerReferencesPermissionEnforcement } from './owner-references-permission-enforcement.ts';
import { podSecurity } from './pod-security/plugin.ts';
import { priority } from './priority.ts';
import { resourceQuota } from './resource-quota.ts';
import { serviceAccount } from './service-account.ts';

interface Asked {
  attributes: AdmissionAttributes;
  warnings: string[];
}

function ask<T extends KubeObject>(
  kind: Kind<T>,
  operation: AdmissionAttributes['operation'],
  more: Partial<AdmissionAttributes> & { object?: T },
): Asked {
  const warnings: string[] = [];
  const attributes: AdmissionAttributes = {
    operation,
    kind: kind as Kind,
    subresource: '',
    namespace: kind.namespaced ? 'ns' : '',
    name: more.object?.metadata?.name ?? '',
    oldObject: undefined,
    options: {},
    dryRun: false,
    user: { name: 'ann', groups: [] },
    warn: (text) => warnings.push(text),
    annotate: () => undefined,
    ...more,
    object: more.object && draft(more.object),
  };
  return { attributes, warnings };
}

async function run(plugin: AdmissionPlugin, { attributes }: Asked): Promise<KubeObject | undefined> {
  if (!plugin.handles(attributes)) return attributes.object;
  await plugin.admit?.(attributes);
  await plugin.validate?.(attributes);
  return attributes.object;
}

async function made(bed: Testbed, factory: AdmissionPluginFactory): Promise<AdmissionPlugin> {
  const plugin = factory({ ...bed, authorizer: () => ({ verdict: 'no-opinion', reason: '' }) });
  await bed.informers.synced();
  return plugin;
}

const pod = (spec: Partial<NonNullable<Pod['spec']>> = {}, metadata: KubeObject['metadata'] = {}): Pod => ({
  metadata: { namespace: 'ns', name: 'p', ...metadata },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});
const refused = (pattern: RegExp) => (error: unknown) => isStatus(error, 'Forbidden') && pattern.test(error.message);

test('NamespaceLifecycle refuses what has no place to be', async () => {
  await using bed = testbed();
  bed.put(
    Namespace,
    { metadata: { name: 'ns' }, status: { phase: 'Active' } },
    { metadata: { name: 'old' }, status: { phase: 'Terminating' } },
  );
  const plugin = await made(bed, namespaceLifecycle);
  await run(plugin, ask(Pod, 'CREATE', { object: pod() }));
  await assert.rejects(run(plugin, ask(Pod, 'CREATE', { object: pod(), namespace: 'none' })), (error) => isStatus(error, 'NotFound'));
  await assert.rejects(run(plugin, ask(Pod, 'CREATE', { object: pod(), namespace: 'old' })), (error) => {
    assert.ok(isStatus(error, 'Forbidden'));
    assert.equal(error.message, 'pods "p" is forbidden: unable to create new content in namespace old because it is being terminated');
    return error.status.details?.causes?.[0]?.reason === 'NamespaceTerminating';
  });
  await run(plugin, ask(Pod, 'UPDATE', { object: pod(), namespace: 'old' }));
  await assert.rejects(run(plugin, ask(Namespace, 'DELETE', { name: 'default' })), refused(/this namespace may not be deleted/));
});

test('ServiceAccount gives a pod its account, token and pull secrets', async () => {
  await using bed = testbed();
  bed.put(ServiceAccount, { metadata: { namespace: 'ns', name: 'default' }, imagePullSecrets: [{ name: 'reg' }] });
  const plugin = await made(bed, serviceAccount);
  const { spec } = (await run(plugin, ask(Pod, 'CREATE', { object: pod() }))) as Pod;
  assert.deepEqual([spec!.serviceAccountName, spec!.serviceAccount, spec!.imagePullSecrets], ['default', 'default', [{ name: 'reg' }]]);
  assert.match(spec!.volumes![0]!.name, /^kube-api-access-[a-z0-9]{5}$/);
  assert.equal(spec!.containers[0]!.volumeMounts![0]!.mountPath, '/var/run/secrets/kubernetes.io/serviceaccount');
  const plain = (await run(plugin, ask(Pod, 'CREATE', { object: pod({ automountServiceAccountToken: false }) }))) as Pod;
  assert.equal(plain.spec!.volumes, undefined);
  await assert.rejects(
    run(plugin, ask(Pod, 'CREATE', { object: pod({ serviceAccountName: 'x' }) })),
    refused(/error looking up service account ns\/x: serviceaccount "x" not found/),
  );
});

test('ServiceAccount waits a little for the default account', async () => {
  await using bed = testbed();
  const plugin = await made(bed, serviceAccount);
  const running = run(plugin, ask(Pod, 'CREATE', { object: pod() }));
  await bed.clock.advance(100);
  bed.put(ServiceAccount, { metadata: { namespace: 'ns', name: 'default' } });
  await bed.clock.advance(0);
  assert.equal(((await running) as Pod).spec!.serviceAccountName, 'default');
});

test('Priority and tolerations are filled in', async () => {
  await using bed = testbed();
  bed.put(PriorityClass, { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' });
  const plugin = await made(bed, priority);
  const high = (await run(plugin, ask(Pod, 'CREATE', { object: pod({ priorityClassName: 'high' }) }))) as Pod;
  assert.deepEqual([high.spec!.priority, high.spec!.preemptionPolicy], [1000, 'Never']);
  const plain = (await run(plugin, ask(Pod, 'CREATE', { object: pod() }))) as Pod;
  assert.deepEqual([plain.spec!.priority, plain.spec!.preemptionPolicy], [0, 'PreemptLowerPriority']);
  await assert.rejects(
    run(plugin, ask(Pod, 'CREATE', { object: pod({ priority: 5 }) })),
    refused(/the integer value of priority \(5\) must not/),
  );
  await assert.rejects(
    run(plugin, ask(Pod, 'CREATE', { object: pod({ priorityClassName: 'none' }) })),
    refused(/no PriorityClass with name none was found/),
  );
  const tolerating = (await run(await made(bed, defaultTolerationSeconds), ask(Pod, 'CREATE', { object: pod() }))) as Pod;
  assert.equal(tolerating.spec!.tolerations!.length, 2);
});

test('DefaultStorageClass takes the newest default', async () => {
  await using bed = testbed();
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  for (const [name, creationTimestamp] of [
    ['old', '2025-01-01T00:00:00Z'],
    ['new', '2025-02-01T00:00:00Z'],
  ] as const)
    bed.put(StorageClass, { metadata: { name, annotations, creationTimestamp }, provisioner: 'x' });
  const plugin = await made(bed, defaultStorageClass);
  const claim = (await run(plugin, ask(Claim, 'CREATE', { object: { metadata: { name: 'c' }, spec: {} } }))) as PersistentVolumeClaim;
  assert.equal(claim.spec!.storageClassName, 'new');
  const none = (await run(plugin, ask(Claim, 'CREATE', { object: { spec: { storageClassName: '' } } }))) as PersistentVolumeClaim;
  assert.equal(none.spec!.storageClassName, '');
});

test('LimitRanger fills in and holds to the limits', async () => {
  await using bed = testbed();
  bed.put(LimitRange, {
    metadata: { namespace: 'ns', name: 'l' },
    spec: {
      limits: [
        {
          type: 'Container',
          default: { cpu: '500m' },
          defaultRequest: { cpu: '100m', memory: '64Mi' },
          max: { cpu: '1' },
          maxLimitRequestRatio: { cpu: '6' },
        },
      ],
    },
  });
  const plugin = await made(bed, limitRanger);
  const { spec, metadata } = (await run(plugin, ask(Pod, 'CREATE', { object: pod() }))) as Pod;
  assert.deepEqual(spec!.containers[0]!.resources, { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '500m' } });
  assert.equal(
    metadata!.annotations!['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c',
  );
  const big = pod({ containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: '2' }, requests: { cpu: '2' } } }] });
  await assert.rejects(run(plugin, ask(Pod, 'CREATE', { object: big })), refused(/maximum cpu usage per Container is 1, but limit is 2/));
  const steep = pod({ containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: '1' } } }] });
  await assert.rejects(
    run(plugin, ask(Pod, 'CREATE', { object: steep })),
    refused(/cpu max limit to request ratio per Container is 6, but provided ratio is 10.000000/),
  );
});

test('ResourceQuota charges what is made together once, and refuses what is too much', async () => {
  await using bed = testbed();
  const hard = { pods: '2', 'requests.cpu': '1' };
  bed.put(ResourceQuota, {
    metadata: { namespace: 'ns', name: 'q' },
    spec: { hard },
    status: { hard, used: { pods: '0', 'requests.cpu': '0' } },
  });
  const plugin = await made(bed, resourceQuota);
  const asking = (cpu: string) =>
    ask(Pod, 'CREATE', { object: pod({ containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }] }) });
  await Promise.all([run(plugin, asking('300m')), run(plugin, asking('400m'))]);
  assert.deepEqual(bed.get(ResourceQuota, 'ns/q')!.status!.used, { pods: '2', 'requests.cpu': '700m' });
  await assert.rejects(
    run(plugin, asking('500m')),
    refused(
      /^pods "p" is forbidden: exceeded quota: q, requested: pods=1,requests.cpu=500m, used: pods=2,requests.cpu=700m, limited: pods=2,requests.cpu=1$/,
    ),
  );
  await assert.rejects(run(plugin, ask(Pod, 'CREATE', { object: pod() })), refused(/failed quota: q: must specify requests.cpu for: c/));
});

test('PodSecurity refuses, warns, and looks at pods when a namespace becomes stricter', async () => {
  await using bed = testbed();
  const labels = { 'pod-security.kubernetes.io/enforce': 'baseline', 'pod-security.kubernetes.io/warn': 'restricted' };
  bed.put(Namespace, { metadata: { name: 'ns', labels } });
  const plugin = await made(bed, podSecurity);
  const plain = ask(Pod, 'CREATE', { object: pod() });
  await run(plugin, plain);
  assert.equal(
    plain.warnings[0],
    'would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
  const bold = pod({ hostNetwork: true, containers: [{ name: 'c', image: 'i', securityContext: { privileged: true } }] });
  await assert.rejects(
    run(plugin, ask(Pod, 'CREATE', { object: bold })),
    refused(
      /violates PodSecurity "baseline:latest": host namespaces \(hostNetwork=true\), privileged \(container "c" must not set securityContext.privileged=true\)/,
    ),
  );
  bed.put(Pod, pod());
  const stricter = ask(Namespace, 'UPDATE', {
    name: 'ns',
    object: { metadata: { name: 'ns', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
    oldObject: { metadata: { name: 'ns', labels } },
  });
  await run(plugin, stricter);
  assert.equal(stricter.warnings[0], 'existing pods in namespace "ns" violate the new PodSecurity enforce level "restricted:latest"');
  const wrong = ask(Namespace, 'CREATE', {
    name: 'x',
    object: { metadata: { name: 'x', labels: { 'pod-security.kubernetes.io/enforce': 'no' } } },
  });
  await assert.rejects(run(plugin, wrong), (error) => isStatus(error, 'Invalid'));
});

test('NodeRestriction holds a kubelet to its own node', async () => {
  await using bed = testbed();
  const user: UserInfo = { name: 'system:node:a', groups: ['system:nodes'] };
  const plugin = await made(bed, nodeRestriction);
  const node = (name: string, labels: Record<string, string> = {}): Node => ({ metadata: { name, labels } });
  await run(plugin, ask(Node, 'CREATE', { object: node('a', { 'kubernetes.io/hostname': 'a', 'example.com/x': 'y' }), user }));
  await assert.rejects(
    run(plugin, ask(Node, 'CREATE', { object: node('b'), user })),
    refused(/node "a" is not allowed to modify node "b"/),
  );
  await assert.rejects(
    run(plugin, ask(Node, 'CREATE', { object: node('a', { 'node-role.kubernetes.io/x': '' }), user })),
    refused(/is not allowed to set the following labels: node-role.kubernetes.io\/x/),
  );
  const own = pod({ nodeName: 'a' });
  await run(plugin, ask(Pod, 'UPDATE', { subresource: 'status', object: own, oldObject: own, user }));
  const other = pod({ nodeName: 'b' });
  await assert.rejects(
    run(plugin, ask(Pod, 'UPDATE', { subresource: 'status', object: other, oldObject: other, user })),
    refused(/can only update pod status for pods with spec.nodeName set to itself/),
  );
});

test('OwnerReferencesPermissionEnforcement asks for the right to hold up an owner', async () => {
  await using bed = testbed();
  const plugin = await made(bed, ownerReferencesPermissionEnforcement);
  const owner = (blockOwnerDeletion: boolean) => [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u', blockOwnerDeletion }];
  await run(plugin, ask(Pod, 'CREATE', { object: pod({}, { ownerReferences: owner(false) }) }));
  const blocking = pod({}, { ownerReferences: owner(true) });
  await assert.rejects(run(plugin, ask(Pod, 'CREATE', { object: blocking })), refused(/refers to a resource you can't set finalizers on/));
  await assert.rejects(
    run(plugin, ask(Pod, 'UPDATE', { object: blocking, oldObject: pod() })),
    refused(/cannot set an ownerRef on a resource you can't delete/),
  );
});

test('admissionPlugins() switches plugins on and off', () => {
  const plain = admissionPlugins().length;
  assert.equal(plain, admissionPluginNames.length - 3);
  assert.equal(admissionPlugins({ enable: ['AlwaysPullImages'], disable: ['ServiceAccount', 'ResourceQuota'] }).length, plain - 1);
  assert.throws(() => admissionPlugins({ enable: ['None'] }), /there is none of that name/);
});
