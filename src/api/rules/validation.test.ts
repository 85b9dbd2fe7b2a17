import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as kinds from '../facts/kinds.ts';
import type { Kind } from '../contract.ts';
import type { KubeObject } from '#machinery/meta';
import { createRequest, generateKey } from '#machinery/pki';
import { rulesFor } from './mod.ts';

const context = { now: 0, user: { name: 'ann', groups: [] } };
type Body = Record<string, unknown>;

function made(kind: Kind, body: Body): KubeObject {
  const object = {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: { name: 'a', namespace: 'b' },
    ...structuredClone(body),
  } as KubeObject;
  const rules = rulesFor(kind);
  rules.applyDefaults?.(object);
  rules.prepareForCreate?.(object, context);
  return object;
}

const texts = (errors: { field: string; message: string }[] | undefined): string[] =>
  (errors ?? []).map(({ field, message }) => `${field}: ${message}`);

function creation(kind: unknown, body: Body, ...expected: string[]): void {
  const known = kind as Kind;
  test(`${known.kind}: ${expected[0] ?? 'valid'}`, () => {
    assert.deepEqual(texts(rulesFor(known).validate?.(made(known, body))), expected);
  });
}

function update(kind: unknown, old: Body, body: Body, ...expected: string[]): void {
  const known = kind as Kind;
  test(`${known.kind} changes: ${expected[0] ?? 'valid'}`, () => {
    const rules = rulesFor(known);
    const before = made(known, old);
    assert.deepEqual(texts(rules.validate?.(before)), [], 'the old one is valid');
    const after = made(known, body);
    rules.prepareForUpdate?.(after, before, context);
    assert.deepEqual(texts(rules.validateUpdate?.(after, before)), expected);
  });
}

const labels = { app: 'x' };
const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const workload = { spec: { selector: { matchLabels: labels }, template } };
const backend = { service: { name: 's', port: { number: 80 } } };
const rule = (path: Body): Body => ({ spec: { rules: [{ http: { paths: [{ path: '/', pathType: 'Prefix', backend, ...path }] } }] } });

// Workloads.
creation(kinds.Deployment, workload);
creation(
  kinds.Deployment,
  { spec: { ...workload.spec, selector: { matchLabels: { app: 'y' } } } },
  'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
);
creation(
  kinds.Deployment,
  { spec: { ...workload.spec, replicas: -1, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } } },
  'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0',
);
update(
  kinds.Deployment,
  workload,
  { spec: { selector: { matchLabels: { app: 'y' } }, template: { ...template, metadata: { labels: { app: 'y' } } } } },
  'spec.selector: Invalid value: {"matchLabels":{"app":"y"}}: field is immutable',
);
creation(kinds.ReplicaSet, workload);
creation(kinds.DaemonSet, workload);
creation(kinds.StatefulSet, workload);
creation(kinds.CronJob, {
  spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } } },
});
creation(
  kinds.CronJob,
  { spec: { schedule: 'x', jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } } } },
  'spec.schedule: Invalid value: "x": expected exactly 5 fields, found 1: [x]',
);

// Networking.
creation(kinds.Ingress, rule({}));
creation(kinds.Ingress, {}, 'spec: Invalid value: null: either `defaultBackend` or `rules` must be specified');
creation(
  kinds.Ingress,
  rule({ path: 'a//b' }),
  'spec.rules[0].http.paths[0].path: Invalid value: "a//b": must be an absolute path',
  'spec.rules[0].http.paths[0].path: Invalid value: "a//b": must not contain \'//\'',
);
creation(kinds.Ingress, rule({ pathType: undefined }), 'spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified');
creation(
  kinds.Ingress,
  rule({ backend: { service: { name: 's', port: {} } } }),
  'spec.rules[0].http.paths[0].backend: Required value: port name or number is required',
);
creation(
  kinds.IngressClass,
  { spec: { controller: 'x' } },
  'spec.controller: Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")',
);
creation(
  kinds.NetworkPolicy,
  {
    spec: {
      podSelector: {},
      ingress: [{ from: [{}, { ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }], ports: [{ port: 80, endPort: 70 }] }],
    },
  },
  'spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`',
  'spec.ingress[0].from[0]: Required value: must specify a peer',
  'spec.ingress[0].from[1].ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
);
creation(
  kinds.ServiceCIDR,
  { spec: { cidrs: ['10.0.0.0/8', '11.0.0.0/8'] } },
  'spec.cidrs: Invalid value: ["10.0.0.0/8","11.0.0.0/8"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
);
update(
  kinds.ServiceCIDR,
  { spec: { cidrs: ['10.0.0.0/8'] } },
  { spec: { cidrs: ['11.0.0.0/8'] } },
  'spec.cidrs[0]: Invalid value: "11.0.0.0/8": field is immutable',
);
creation(kinds.IPAddress, {}, 'spec.parentRef: Required value');
creation(
  kinds.EndpointSlice,
  { addressType: 'IPv4', endpoints: [{ addresses: ['127.0.0.1'] }, { addresses: [] }], ports: [{ name: 'a' }, { name: 'a' }] },
  'ports[1].name: Duplicate value: "a"',
  'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
  'endpoints[1].addresses: Required value: must contain at least 1 address',
);

// Policy, RBAC, scheduling, coordination.
creation(
  kinds.PodDisruptionBudget,
  { spec: { minAvailable: 1, maxUnavailable: '120%' } },
  'spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":"120%","UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set',
  'spec.maxUnavailable: Invalid value: "120%": must not be greater than 100%',
);
creation(
  kinds.Role,
  { rules: [{ apiGroups: [''], nonResourceURLs: ['/x'] }] },
  'rules[0].verbs: Required value: verbs must contain at least one value',
  'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
  'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
);
const roleRef = { kind: 'Role', name: 'r' };
creation(kinds.RoleBinding, { roleRef, subjects: [{ kind: 'User', name: 'u' }] });
creation(
  kinds.ClusterRoleBinding,
  { roleRef, subjects: [{ kind: 'ServiceAccount', name: 'u' }] },
  'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
  'subjects[0].namespace: Required value',
);
update(
  kinds.RoleBinding,
  { roleRef },
  { roleRef: { ...roleRef, name: 'q' } },
  'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"q"}: cannot change roleRef',
);
creation(kinds.PriorityClass, { value: 2_000_000_000 }, 'value: Forbidden: maximum allowed value of a user defined priority is 1000000000');
update(kinds.PriorityClass, { value: 1 }, { value: 2 }, 'value: Forbidden: may not be changed in an update.');
creation(kinds.Lease, { spec: { leaseDurationSeconds: 0 } }, 'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0');

// Storage, nodes.
creation(kinds.StorageClass, { provisioner: 'example.com/p' });
creation(kinds.StorageClass, {}, 'provisioner: Required value');
update(
  kinds.StorageClass,
  { provisioner: 'example.com/p' },
  { provisioner: 'example.com/q', parameters: { a: 'b' } },
  'parameters: Forbidden: updates to parameters are forbidden.',
  'provisioner: Forbidden: updates to provisioner are forbidden.',
);
creation(
  kinds.VolumeAttachment,
  { spec: { attacher: 'example.com', nodeName: 'n', source: {} } },
  'spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName',
);
creation(kinds.CSINode, { spec: { drivers: [{ name: 'd.io', nodeID: '' }] } }, 'spec.drivers[0].nodeID: Required value');
creation(
  kinds.CSIDriver,
  { spec: { fsGroupPolicy: 'x' } },
  'spec.fsGroupPolicy: Unsupported value: "x": supported values: "File", "None", "ReadWriteOnceWithFSType"',
);
creation(kinds.VolumeAttributesClass, { driverName: 'd.io' }, 'parameters: Required value: must contain at least one key/value pair');
creation(
  kinds.RuntimeClass,
  { handler: 'x', scheduling: { tolerations: [{ key: 'k', operator: 'Exists' }, { key: 'k' }, { key: 'k', operator: 'Exists' }] } },
  'scheduling.tolerations[2]: Duplicate value: {"Key":"k","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null}',
);
update(kinds.RuntimeClass, { handler: 'x' }, { handler: 'y' }, 'handler: Invalid value: "y": field is immutable');

// Autoscaling.
const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' };
creation(kinds.HorizontalPodAutoscaler, { spec: { maxReplicas: 3, scaleTargetRef } });
creation(
  kinds.HorizontalPodAutoscaler,
  {
    spec: {
      minReplicas: 4,
      maxReplicas: 3,
      scaleTargetRef: { ...scaleTargetRef, apiVersion: 'v1' },
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization' } } }],
      behavior: { scaleDown: { stabilizationWindowSeconds: 4000 } },
    },
  },
  'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`',
  'spec.scaleTargetRef.apiVersion: Invalid value: "v1": apiVersion must specify API group',
  'spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization',
  'spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600',
);

// Certificates.
const pem = Buffer.from(createRequest({ key: generateKey(), commonName: 'system:node:n' })).toString('base64');
const request = { request: pem, signerName: 'example.com/s', usages: ['client auth'] };
creation(kinds.CertificateSigningRequest, { spec: request });
creation(
  kinds.CertificateSigningRequest,
  { spec: { ...request, signerName: 'kubernetes.io/legacy-unknown', usages: ['x', 'x'], expirationSeconds: 60 } },
  `spec.usages[0]: Unsupported value: "x": supported values: ${usages()}`,
  `spec.usages[1]: Unsupported value: "x": supported values: ${usages()}`,
  'spec.usages[1]: Duplicate value: "x"',
  'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
  'spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 600 seconds (10 minutes)',
);

function usages(): string {
  const list = [
    'any, cert sign, client auth, code signing, content commitment, crl sign, data encipherment, decipher only, digital signature',
    'email protection, encipher only, ipsec end system, ipsec tunnel, ipsec user, key agreement, key encipherment, microsoft sgc',
    'netscape sgc, ocsp signing, s/mime, server auth, signing, timestamping',
  ];
  return list
    .join(', ')
    .split(', ')
    .map((usage) => JSON.stringify(usage))
    .join(', ');
}

// Flow control, aggregation.
creation(
  kinds.PriorityLevelConfiguration,
  { spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing: { queues: 64, handSize: 12 } } } } },
  'spec.limited.limitResponse.queuing.handSize: Invalid value: 12: required entropy bits of deckSize 64 and handSize 12 should not be greater than 60',
);
creation(
  kinds.FlowSchema,
  { spec: { priorityLevelConfiguration: { name: 'p' }, matchingPrecedence: 1, rules: [{ subjects: [{ kind: 'User' }] }] } },
  "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
  "spec.rules[0].subjects[0].user: Required value: user is required when subject kind is 'User'",
  'spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty',
);
creation(
  kinds.APIService,
  { metadata: { name: 'v1.example.com' }, spec: { group: 'example.com', version: 'v1', groupPriorityMinimum: 30_000, versionPriority: 1 } },
  'spec.groupPriorityMinimum: Invalid value: 30000: must be positive and less than 20000',
);

// Admission.
const webhook = {
  name: 'a.example.com',
  clientConfig: { url: 'https://x/y' },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
};
creation(kinds.ValidatingWebhookConfiguration, { webhooks: [webhook] });
creation(
  kinds.MutatingWebhookConfiguration,
  {
    webhooks: [
      { ...webhook, clientConfig: { url: 'http://u@x/y?q#f' }, sideEffects: 'Some', timeoutSeconds: 31 },
      { ...webhook, rules: [{ ...webhook.rules[0], operations: ['*', 'CREATE'], resources: ['*/*', 'pods/*', 'pods/status'] }] },
    ],
  },
  'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
  'webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds',
  'webhooks[0].clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; desired format: https://host[/path]',
  'webhooks[0].clientConfig.url: Invalid value: "u": user information is not permitted in the URL',
  'webhooks[0].clientConfig.url: Invalid value: "f": fragments are not permitted in the URL',
  'webhooks[0].clientConfig.url: Invalid value: "q": query parameters are not permitted in the URL',
  'webhooks[1].rules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify other operations',
  'webhooks[1].rules[0].resources[1]: Invalid value: "pods/*": if \'*/*\' is present, must not specify pods/*',
  'webhooks[1].rules[0].resources[2]: Invalid value: "pods/status": if \'pods/*\' is present, must not specify pods/status',
  'webhooks[1].rules[0].resources: Invalid value: ["*/*","pods/*","pods/status"]: if \'*/*\' is present, must not specify other resources',
  'webhooks[1].name: Duplicate value: "a.example.com"',
);
creation(
  kinds.ValidatingAdmissionPolicy,
  { spec: { matchConstraints: {} } },
  'spec.matchConstraints.resourceRules: Required value',
  'spec.validations: Required value: validations or auditAnnotations must contain at least one item',
  'spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item',
);
creation(
  kinds.ValidatingAdmissionPolicyBinding,
  { spec: { policyName: 'p', validationActions: ['Deny', 'Warn'], paramRef: {} } },
  'spec.paramRef: Required value: one of name or selector must be specified',
  'spec.paramRef.parameterNotFoundAction: Required value',
  'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
);

// Custom resources.
const definition = (schema: Body, version: Body = {}, spec: Body = {}): Body => ({
  metadata: { name: 'things.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'things', kind: 'Thing' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', ...schema } }, ...version }],
    ...spec,
  },
});
const top = 'spec.validation.openAPIV3Schema';
creation(kinds.CustomResourceDefinition, definition({ properties: { spec: { type: 'object' } } }));
creation(
  kinds.CustomResourceDefinition,
  definition({ properties: { spec: {} } }),
  `${top}.properties[spec].type: Required value: must not be empty for specified object fields`,
);
creation(
  kinds.CustomResourceDefinition,
  definition({ anyOf: [{ properties: { a: { type: 'string' } } }] }),
  `${top}.anyOf[0].properties[a].type: Forbidden: must be empty to be structural`,
  `${top}.properties[a]: Required value: because it is defined in ${top}.anyOf[0].properties[a]`,
);
creation(
  kinds.CustomResourceDefinition,
  definition({
    properties: {
      list: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object', properties: { k: { type: 'string' } } },
      },
    },
  }),
  `${top}.properties[list].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
);
creation(
  kinds.CustomResourceDefinition,
  definition({}, { storage: false }, { names: { plural: 'things', kind: 'T_', listKind: 'TList' } }),
  'spec.versions: Invalid value: [{"name":"v1","served":true,"storage":false,"schema":{"openAPIV3Schema":{"type":"object"}}}]: must have exactly one version marked as storage version',
  "spec.names.singular: Invalid value: \"t_\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  "spec.names.kind: Invalid value: \"T_\": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  'status.storedVersions: Invalid value: []: must have at least one stored version',
);
test('a storage version that is there twice is not stored twice', () => {
  const known = kinds.CustomResourceDefinition as Kind;
  const twice = made(known, definition({})) as kinds.CustomResourceDefinition;
  twice.spec.versions.push(twice.spec.versions[0]!);
  const errors = rulesFor(known).validate?.(twice);
  assert.deepEqual(
    errors?.map(({ field }) => field),
    ['spec.versions', 'spec.versions', 'status.storedVersions'],
  );
});
creation(
  kinds.CustomResourceDefinition,
  { ...definition({}, {}, { group: 'a.k8s.io' }), metadata: { name: 'things.a.k8s.io' } },
  'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
);
creation(
  kinds.CustomResourceDefinition,
  definition(
    { properties: { spec: { type: 'object', properties: { color: { type: 'string' } } } } },
    { selectableFields: [{ jsonPath: '.spec.color' }, { jsonPath: '.spec.x' }] },
  ),
  'spec.selectableFields[1].jsonPath: Invalid value: ".spec.x": is an invalid path: does not refer to a valid field',
);

// Devices.
const devices = (more: Body): Body => ({ spec: { devices: more } });
creation(kinds.ResourceV1ResourceClaim, devices({ requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] }));
creation(
  kinds.ResourceV1ResourceClaim,
  devices({ requests: [{ name: 'r' }, { name: 'r', exactly: { deviceClassName: 'c', count: -1 } }], constraints: [{ requests: ['q'] }] }),
  'spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required',
  'spec.devices.requests[1].exactly.count: Invalid value: -1: must be greater than zero',
  'spec.devices.requests[1]: Duplicate value: "r"',
  'spec.devices.constraints[0].requests[0]: Invalid value: "q": must be the name of a request in the claim or the name of a request and a subrequest separated by \'/\'',
  'spec.devices.constraints[0].matchAttribute: Required value',
);
creation(
  kinds.ResourceSlice,
  { spec: { driver: 'd.io', pool: { name: 'p', resourceSliceCount: 1 }, devices: [{ name: 'd', attributes: { a: {} } }] } },
  'spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required',
  'spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified',
);
creation(kinds.DeviceClass, { spec: { selectors: [{}] } }, 'spec.selectors[0].cel: Required value');
