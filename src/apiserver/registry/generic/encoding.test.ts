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
