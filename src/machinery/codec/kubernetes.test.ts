import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeProtobuf, encodeProtobuf } from './mod.ts';

test('objects of every shape survive', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'a',
      labels: { __proto__x: '1' },
      creationTimestamp: '2026-01-02T03:04:05Z',
      managedFields: [{ manager: 'm', fieldsV1: { 'f:spec': {} } }],
    },
    spec: {
      containers: [
        {
          name: 'c',
          image: 'i',
          resources: { requests: { cpu: '100m' } },
          ports: [{ containerPort: 80 }],
          livenessProbe: { httpGet: { port: 'web' }, periodSeconds: 3 },
        },
      ],
      volumes: [{ name: 'v', emptyDir: {} }],
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
    },
  };
  assert.deepEqual(decodeProtobuf(encodeProtobuf(pod)), pod);
});

test('the list of the core resources, which does not tell its own version, has a protobuf form; a kind that nobody knows has none', () => {
  const list = { kind: 'APIResourceList', groupVersion: 'v1', resources: [] };
  assert.equal(encodeProtobuf(list).subarray(0, 25).toString('latin1'), 'k8s\0\n\x13\n\0\x12\x0fAPIResourceList');
  assert.throws(() => encodeProtobuf({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' }), RangeError);
});

test('metadata alone comes back from protobuf as it went', () => {
  const metadata = { name: 'a', namespace: 'n', resourceVersion: '7', labels: { a: 'b' } };
  for (const version of ['v1', 'v1beta1']) {
    const one = { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata };
    assert.deepEqual(decodeProtobuf(encodeProtobuf(one)), one);
    const list = {
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${version}`,
      metadata: { resourceVersion: '9' },
      items: [{ metadata }],
    };
    assert.deepEqual(decodeProtobuf(encodeProtobuf(list)), list);
  }
});

test('whole numbers beyond what a double holds stay what Go can read, and keep their sign; raw JSON keeps its digits', () => {
  const pod = (tolerationSeconds: number | bigint) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    spec: { tolerations: [{ key: 'x', tolerationSeconds }] },
  });
  type Pods = ReturnType<typeof pod>;
  for (const [given, kept] of [
    [2n ** 63n - 1n, '9223372036854775000'],
    [2 ** 63, '9223372036854775000'],
    [-(2n ** 63n), '-9223372036854775000'],
    [2n ** 53n + 1n, '9007199254740992'],
    [-1, '-1'],
  ] as const) {
    const back = decodeProtobuf(encodeProtobuf(pod(given))) as Pods;
    assert.equal(JSON.stringify(back.spec.tolerations[0]!.tolerationSeconds), kept);
    assert.deepEqual(decodeProtobuf(encodeProtobuf(back)), back);
  }
  const revision = { apiVersion: 'apps/v1', kind: 'ControllerRevision', revision: 1, data: { at: 2n ** 63n - 1n, list: [2n ** 53n + 1n] } };
  assert.deepEqual((decodeProtobuf(encodeProtobuf(revision)) as typeof revision).data, revision.data);
});
