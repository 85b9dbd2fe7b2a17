import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeProtobuf } from '#machinery/codec';
import { decodeStored } from './encoding.ts';

test('decodeStored() has of an object stored as protobuf what Go writes of fields that nobody set', () => {
  const slice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'e' }, addressType: 'IPv4' };
  assert.deepEqual(decodeStored(encodeProtobuf(slice)), { ...slice, endpoints: [], ports: [] });

  const status = { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False' }] };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { containers: [{ name: 'c' }] }, status };
  assert.deepEqual(decodeStored(encodeProtobuf(pod)), {
    ...pod,
    spec: { containers: [{ name: 'c', resources: {} }] },
    status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', lastProbeTime: null, lastTransitionTime: null }] },
  });
});

test('decodeStored() has in the version that is served what upstream still stores in an older one', () => {
  const made = { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttributesClass', metadata: { name: 'gold' }, driverName: 'd.example' };
  const older = { ...made, apiVersion: 'storage.k8s.io/v1beta1' };
  assert.deepEqual(decodeStored(Buffer.from(JSON.stringify(older))), made);
  const field = (number: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  const typed = ({ apiVersion, kind }: typeof made): Buffer =>
    field(1, Buffer.concat([field(1, Buffer.from(apiVersion)), field(2, Buffer.from(kind))]));
  const bytes = encodeProtobuf(made);
  const [head, rest] = [bytes.subarray(0, 4), bytes.subarray(4 + typed(made).length)];
  assert.deepEqual(decodeStored(Buffer.concat([head, typed(older), rest])), made);
});
