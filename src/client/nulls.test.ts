import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndpointSlice, Pod } from '#api';
import type { Kind } from '#api';
import { withoutNulls } from './nulls.ts';

const read = (kind: Kind, object: unknown): unknown => {
  const text = JSON.stringify(object);
  return withoutNulls(text, kind, JSON.parse(text));
};

const slice = {
  kind: 'EndpointSlice',
  metadata: { name: 'a', creationTimestamp: null },
  addressType: 'IPv4',
  endpoints: null,
  ports: null,
};
const cleaned = { kind: 'EndpointSlice', metadata: { name: 'a' }, addressType: 'IPv4', endpoints: [], ports: [] };

test('a list that is always written is there and empty', () => assert.deepEqual(read(EndpointSlice, slice), cleaned));

test('so it is in lists', () =>
  assert.deepEqual(read(EndpointSlice, { kind: 'EndpointSliceList', metadata: {}, items: [slice] }), {
    kind: 'EndpointSliceList',
    metadata: {},
    items: [cleaned],
  }));

test('other nulls are not there, at any depth', () =>
  assert.deepEqual(read(Pod, { kind: 'Pod', spec: { volumes: null, containers: [{ name: 'c', env: null, resources: {} }] } }), {
    kind: 'Pod',
    spec: { containers: [{ name: 'c', resources: {} }] },
  }));

test('custom resources keep theirs', () => {
  const kind = { ...Pod, group: 'example.com', kind: 'Thing', resource: 'things' } as Kind;
  assert.deepEqual(read(kind, { kind: 'Thing', spec: { nothing: null } }), { kind: 'Thing', spec: { nothing: null } });
});
