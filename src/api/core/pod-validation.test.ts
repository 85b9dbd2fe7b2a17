import assert from 'node:assert/strict';
import { test } from 'node:test';
import { draft } from '#machinery/meta';
import { rulesFor } from '../rules/mod.ts';
import { Pod } from '../facts/kinds.ts';
import type { PodSpec } from '../facts/types.ts';

const rules = rulesFor(Pod);
const context = { now: 0, user: { name: 'someone', groups: [] } };

function make(spec: Partial<PodSpec> = {}, metadata: object = {}): Pod {
  const pod: Pod = {
    metadata: { name: 'web', namespace: 'default', resourceVersion: '1', ...metadata },
    spec: { containers: [{ name: 'main', image: 'registry.example/web:1' }], ...draft(spec) },
  };
  rules.applyDefaults!(pod);
  rules.prepareForCreate!(pod, context);
  return pod;
}

const lines = (errors: { field: string; message: string }[] | undefined): string[] =>
  (errors ?? []).map(({ field, message }) => `${field}: ${message}`);
const container = (fields: object): Partial<PodSpec> => ({ containers: [{ name: 'main', image: 'a:1', ...fields }] });
const dnsLabel =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

test('validate() accepts what upstream accepts', () => {
  const good: Partial<PodSpec>[] = [
    {},
    { hostNetwork: true, ...container({ ports: [{ containerPort: 80 }] }) },
    { dnsPolicy: 'None', dnsConfig: { nameservers: ['10.0.0.1'], searches: ['.', 'a_b.example.'] } },
    container({
      env: [
        { name: 'A.b', value: 'x' },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
    }),
    container({ resources: { limits: { cpu: '1', 'example.com/gpu': '2' } } }),
    { initContainers: [{ name: 'side', image: 'a:1', restartPolicy: 'Always', startupProbe: { exec: { command: ['true'] } } }] },
    { volumes: [{ name: 'a' }], ...container({ volumeMounts: [{ name: 'a', mountPath: '/a', subPath: 'b/c' }] }) },
    { tolerations: [{ operator: 'Exists' }, { key: 'a', effect: 'NoExecute', tolerationSeconds: 3 }] },
    {
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { a: 'b' } } },
      ],
    },
    {
      securityContext: {
        sysctls: [{ name: 'kernel.shm_rmid_forced', value: '1' }],
        fsGroup: 0,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    },
  ];
  for (const spec of good) assert.deepEqual(lines(rules.validate!(make(spec))), [], JSON.stringify(spec));
});

test('validate() names the field and says why', () => {
  const cases: [Partial<PodSpec>, string[]][] = [
    [{ containers: [] }, ['spec.containers: Required value']],
    [container({ name: 'A_b' }), [`spec.containers[0].name: Invalid value: "A_b": ${dnsLabel}`]],
    [container({ image: '' }), ['spec.containers[0].image: Required value']],
    [container({ image: ' a' }), ['spec.containers[0].image: Invalid value: " a": must not have leading or trailing whitespace']],
    [
      {
        containers: [
          { name: 'a', image: 'a' },
          { name: 'a', image: 'a' },
        ],
      },
      ['spec.containers[1].name: Duplicate value: "a"'],
    ],
    [
      { restartPolicy: 'Sometimes' },
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
    ],
    [
      { dnsPolicy: 'x' },
      ['spec.dnsPolicy: Unsupported value: "x": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"'],
    ],
    [{ dnsPolicy: 'None' }, ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None']],
    [container({ volumeMounts: [{ name: 'gone', mountPath: '/x' }] }), ['spec.containers[0].volumeMounts[0].name: Not found: "gone"']],
    [
      { volumes: [{ name: 'v' }], ...container({ volumeMounts: [{ name: 'v', mountPath: '/x', subPath: '/abs' }] }) },
      ['spec.containers[0].volumeMounts.subPath: Invalid value: "/abs": must be a relative path'],
    ],
    [
      container({ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }),
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      container({ resources: { requests: { 'example.com/gpu': '500m' } } }),
      [
        'spec.containers[0].resources.requests[example.com/gpu]: Invalid value: "500m": must be an integer',
        'spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources',
      ],
    ],
    [
      container({ livenessProbe: { httpGet: { port: 'toolongportname!' }, successThreshold: 2 } }),
      [
        'spec.containers[0].livenessProbe.httpGet.port: Invalid value: "toolongportname!": must be no more than 15 characters',
        'spec.containers[0].livenessProbe.httpGet.port: Invalid value: "toolongportname!": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
        'spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1',
      ],
    ],
    [container({ readinessProbe: {} }), ['spec.containers[0].readinessProbe: Required value: must specify a handler type']],
    [
      { initContainers: [{ name: 'i', image: 'a', lifecycle: { preStop: { exec: { command: ['a'] } } } }] },
      ['spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always'],
    ],
    [{ ephemeralContainers: [{ name: 'e', image: 'a' }] }, ['spec.ephemeralContainers: Forbidden: cannot be set on create']],
    [
      { volumes: [{ name: 'a', emptyDir: {}, hostPath: { path: '/x' } }] },
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      { volumes: [{ name: 'a', hostPath: { path: '/x/../y' } }] },
      [`spec.volumes[0].hostPath.path: Invalid value: "/x/../y": must not contain '..'`],
    ],
    [
      { volumes: [{ name: 'a', secret: { secretName: 's', defaultMode: 0o1000 } }] },
      ['spec.volumes[0].secret.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive'],
    ],
    [
      { volumes: [{ name: 'a', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }] },
      ['spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set'],
    ],
    [
      { tolerations: [{ key: '', operator: 'Equal' }] },
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      { tolerations: [{ key: 'a', effect: 'x' }] },
      ['spec.tolerations[0].effect: Unsupported value: "x": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"'],
    ],
    [
      { securityContext: { sysctls: [{ name: 'bad name', value: '' }] } },
      [
        'spec.securityContext.sysctls[0].name: Invalid value: "bad name": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
      ],
    ],
    [
      { hostNetwork: true, securityContext: { sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] } },
      [`spec.securityContext.sysctls[0].name: Invalid value: "net.ipv4.tcp_syncookies": may not be specified when 'hostNetwork' is true`],
    ],
    [
      container({ securityContext: { privileged: true, allowPrivilegeEscalation: false } }),
      [
        'spec.containers[0].securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
      ],
    ],
    [
      { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } } },
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
      ],
    ],
    [
      { schedulingGates: [{ name: 'a' }, { name: 'a' }], nodeName: 'n' },
      [
        'spec.schedulingGates[1]: Duplicate value: "a"',
        'spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared',
      ],
    ],
    [
      container({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.nope' } } }] }),
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.nope": error converting fieldPath: field label not supported: spec.nope',
      ],
    ],
    [
      container({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.phase' } } }] }),
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
      ],
    ],
    [{ activeDeadlineSeconds: 0 }, ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive']],
    [
      { hostAliases: [{ ip: '1.2.3', hostnames: [] }] },
      ['spec.hostAliases[0].ip: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
    ],
    [{ os: { name: 'windows' }, hostPID: true }, ['spec.hostPID: Forbidden: cannot be set for a windows pod']],
  ];
  for (const [spec, wanted] of cases) assert.deepEqual(lines(rules.validate!(make(spec))), wanted, JSON.stringify(spec));
});

test('validateUpdate() lets through what may change and nothing else', () => {
  const base: Partial<PodSpec> = { tolerations: [{ key: 'a', operator: 'Exists' }], activeDeadlineSeconds: 10 };
  const update = (change: (spec: PodSpec) => void, from: Partial<PodSpec> = base): string[] => {
    const old = make(from);
    const pod = draft(old);
    change(pod.spec!);
    return lines(rules.validateUpdate!(pod, old)).map((line) => line.split('\n')[0]!);
  };
  const fixed =
    'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
  assert.deepEqual(
    update(() => undefined),
    [],
  );
  assert.deepEqual(
    update((spec) => (spec.containers[0]!.image = 'b:2')),
    [],
  );
  assert.deepEqual(
    update((spec) => spec.tolerations!.push({ key: 'b', operator: 'Exists' })),
    [],
  );
  assert.deepEqual(
    update((spec) => (spec.activeDeadlineSeconds = 5)),
    [],
  );
  assert.deepEqual(
    update((spec) => (spec.activeDeadlineSeconds = 50)),
    ['spec.activeDeadlineSeconds: Invalid value: 50: must be less than or equal to previous value'],
  );
  assert.deepEqual(
    update((spec) => (spec.tolerations = [])),
    ['spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds'],
  );
  assert.deepEqual(
    update((spec) => (spec.containers[0]!.command = ['x'])),
    [fixed],
  );
  assert.deepEqual(
    update((spec) => (spec.nodeName = 'n')),
    [fixed],
  );
  assert.deepEqual(update((spec) => spec.containers.push({ name: 'b', image: 'b' })).slice(-1), [
    'spec.containers: Forbidden: pod updates may not add or remove containers',
  ]);
  const gated: Partial<PodSpec> = { schedulingGates: [{ name: 'a' }] };
  assert.deepEqual(
    update((spec) => delete spec.schedulingGates, gated),
    [],
  );
  assert.deepEqual(
    update((spec) => (spec.nodeSelector = { a: 'b' }), gated),
    [],
  );
  assert.deepEqual(
    update((spec) => (spec.schedulingGates = [{ name: 'b' }]), gated),
    ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'b'"],
  );
});

test('status updates keep what has ended ended', () => {
  const old = make({ restartPolicy: 'Never' });
  old.status!.containerStatuses = [
    { name: 'main', image: '', imageID: '', ready: false, restartCount: 0, state: { terminated: { exitCode: 1 } } },
  ];
  const pod = draft(old);
  pod.status!.containerStatuses![0]!.state = { running: {} };
  const { status } = rules.subresources!;
  status!.prepareForUpdate!(pod, old, context);
  assert.deepEqual(lines(status!.validateUpdate!(pod, old)), [
    'status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state',
  ]);
});

test('resize changes cpu and memory alone', () => {
  const old = make(container({ resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m', memory: '1Gi' } } }));
  const { resize } = rules.subresources!;
  const change = (edit: (pod: Pod) => void): string[] => {
    const pod = draft(old);
    edit(pod);
    resize!.prepareForUpdate!(pod, old, context);
    return lines(resize!.validateUpdate!(pod, old));
  };
  assert.deepEqual(
    change((pod) => (pod.spec!.containers[0]!.resources!.requests = { cpu: '600m', memory: '1Gi' })),
    [],
  );
  assert.deepEqual(
    change((pod) => (pod.spec!.containers[0]!.resources = {})),
    [
      'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
      'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
      'spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed',
    ],
  );
});
