import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conform } from '../registry/structure.ts';
import { decodeContinue, encodeContinue } from '../registry/generic/continue-token.ts';
import { duplicateFields, inTextOrder } from './duplicate-fields.ts';

const deployment = 'io.k8s.api.apps.v1.Deployment';

test('conform() has what Go writes of fields that nobody set, and leaves out zeros that Go leaves out', () => {
  const { value } = conform('io.k8s.api.core.v1.Event', { metadata: { name: 'e' }, reason: '', message: 'm', count: 0, type: '' });
  assert.deepEqual(value, {
    metadata: { name: 'e' },
    message: 'm',
    involvedObject: {},
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
    eventTime: null,
    reportingComponent: '',
    reportingInstance: '',
  });
});

test('conform() drops what is unknown or null and normalizes quantities and times', () => {
  const { value, unknown } = conform('io.k8s.api.core.v1.Pod', {
    metadata: { name: 'p', creationTimestamp: null, labels: {}, deletionTimestamp: '2026-01-01T01:00:00.5+01:00', extra: 1 },
    spec: {
      containers: [{ name: 'c', resources: { limits: { cpu: 1, memory: '1024Mi' } }, args: [], bogus: {}, ports: [{ containerPort: 80 }] }],
      nodeName: undefined,
    },
  });
  assert.deepEqual(unknown, ['metadata.extra', 'spec.containers[0].bogus']);
  assert.deepEqual(value, {
    metadata: { name: 'p', deletionTimestamp: '2026-01-01T00:00:00Z' },
    spec: { containers: [{ name: 'c', resources: { limits: { cpu: '1', memory: '1Gi' } }, ports: [{ containerPort: 80 }] }] },
    status: {},
  });
});

test("conform() says what does not fit in Go's words", () => {
  const cases: [string, unknown, string][] = [
    [
      deployment,
      { spec: { replicas: 'x' } },
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      deployment,
      { spec: { replicas: 1.5 } },
      'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [deployment, { spec: [] }, 'json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec'],
    [
      deployment,
      { spec: { template: { spec: { containers: {} } } } },
      'json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
    ['io.k8s.api.core.v1.Secret', { data: { a: '!' } }, 'illegal base64 data at input byte 0'],
  ];
  for (const [type, object, message] of cases) assert.throws(() => conform(type, object), { message });
});

test('duplicateFields() finds what JSON.parse forgets', () => {
  const cases: [string, string[]][] = [
    ['{"a":1,"b":{"a":2}}', []],
    ['{"a":":","b":"\\":"}', []],
    ['{"a":":","b:":{"":":"}}', []],
    ['{"a":":","b":"","a":"::"}', ['a']],
    ['{"a":"\\\\","b":"\\"","a":1}', ['a']],
    ['{"a":1,"a":2}', ['a']],
    ['{"s":{"c":[{"n":1},{"n":1,"n":2}],"s":1,"s":{}}}', ['s.c[1].n', 's.s']],
  ];
  for (const [text, wanted] of cases) assert.deepEqual(duplicateFields(text, JSON.parse(text)), wanted, text);
  assert.deepEqual(
    inTextOrder('{"u":1,"a":1,"a":2,"v":3}', [
      { path: 'a', duplicate: true, text: 'twice' },
      { path: 'v', duplicate: false, text: 'second' },
      { path: 'u', duplicate: false, text: 'first' },
    ]),
    ['first', 'twice', 'second'],
  );
});

test("continue tokens are upstream's and keep inside their resource", () => {
  const token = encodeContinue({ revision: 7, start: 'ns/name\0' });
  assert.deepEqual(JSON.parse(Buffer.from(token, 'base64url').toString()), { v: 'meta.k8s.io/v1', rv: 7, start: 'ns/name\0' });
  assert.deepEqual(decodeContinue(token), { revision: 7, start: 'ns/name\0' });
  for (const bad of ['x', encodeContinue({ revision: 0, start: 'a' }), encodeContinue({ revision: 1, start: '../secrets/a' })])
    assert.throws(() => decodeContinue(bad), { code: 400 });
});
