import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyPatch, deducedSchema, factTypeSchema, fieldsOf, pathsOf, structuralTypeSchema, trackUpdate } from '#machinery/apply';
import type { ApplyOptions, Fields, TypeSchema } from '#machinery/apply';
import { deepFreeze } from '#machinery/meta';
import type { KubeObject } from '#machinery/meta';
import { StatusError } from '#machinery/status';

interface Any extends KubeObject {
  spec?: Record<string, unknown>;
  status?: unknown;
  data?: Record<string, unknown>;
}

const schema = factTypeSchema('io.k8s.api.apps.v1.Deployment');
const identity = { apiVersion: 'apps/v1', kind: 'Deployment' };
const deployment = (spec: object, metadata: object = {}): Any => ({
  ...identity,
  metadata: { name: 'd', namespace: 'n', ...metadata },
  spec: { ...spec },
});

const apply = (live: Any | undefined, applied: Any, manager: string, more: Partial<ApplyOptions<Any>> = {}): Any =>
  deepFreeze(applyPatch<Any>({ live, applied: deepFreeze(applied), manager, ...identity, schema, now: 0, ...more }));
const update = (live: Any | undefined, updated: Any, manager: string, now = 0, subresource = ''): Any =>
  deepFreeze(trackUpdate<Any>({ live, updated: deepFreeze(updated), manager, apiVersion: 'apps/v1', schema, now, subresource }));
const untracked = ({ metadata: { managedFields: _, ...metadata } = {}, ...rest }: Any): Any => ({ ...rest, metadata });
/** manager/operation → paths. */
const owners = (object: Any): Record<string, string[]> =>
  Object.fromEntries(
    (object.metadata?.managedFields ?? []).map((entry) => [
      `${entry.manager}/${entry.operation}${entry.subresource ? `/${entry.subresource}` : ''}`,
      pathsOf(entry.fieldsV1 as unknown as Fields),
    ]),
  );
const messageOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    return error.message;
  }
  return 'no failure';
};

test('objects that are created alike share their fields', () => {
  const made = (spec: object, metadata: object = {}): unknown =>
    update(undefined, deployment(spec, metadata), 'kubectl').metadata!.managedFields![0]!.fieldsV1;
  const first = made({ replicas: 1 });
  const table: { spec: object; metadata?: object; same: boolean }[] = [
    { spec: { replicas: 2 }, metadata: { name: 'e' }, same: true },
    { spec: { replicas: 1, paused: true }, same: false },
    { spec: { replicas: 1 }, metadata: { labels: { a: 'b' } }, same: false },
  ];
  for (const { spec, metadata, same } of table) assert.equal(made(spec, metadata) === first, same, JSON.stringify({ spec, metadata }));
  assert.deepEqual(first, { 'f:spec': { 'f:replicas': {} } });
  const labels = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`label-${index}`, '']));
  assert.deepEqual(made({}, { labels }), made({}, { labels }));
  assert.notEqual(made({}, { labels }), made({}, { labels }));
});

test('create and update are tracked', () => {
  const created = update(
    undefined,
    deployment({ replicas: 1, template: { spec: { containers: [{ name: 'a', image: 'x' }] } } }),
    'kubectl',
  );
  assert.deepEqual(owners(created), {
    'kubectl/Update': [
      '.spec.replicas',
      '.spec.template.spec.containers[name="a"]',
      '.spec.template.spec.containers[name="a"].image',
      '.spec.template.spec.containers[name="a"].name',
    ],
  });
  assert.equal(created.metadata!.managedFields![0]!.time, '1970-01-01T00:00:00Z');
  const scaled = update(created, { ...created, spec: { ...created.spec, replicas: 2 } }, 'scaler', 5000);
  assert.deepEqual(owners(scaled)['scaler/Update'], ['.spec.replicas']);
  assert.ok(!owners(scaled)['kubectl/Update']!.includes('.spec.replicas'));
  const same = update(scaled, scaled, 'scaler', 9000);
  assert.equal(
    same.metadata!.managedFields,
    scaled.metadata!.managedFields,
    'an update that changes nothing leaves the entries as they are',
  );
  const status = update(scaled, { ...scaled, status: { replicas: 2 } }, 'controller', 9000, 'status');
  assert.deepEqual(owners(status)['controller/Update/status'], ['.status.replicas']);
});

test('an update of what a manager has leaves its fields the object they were; what it takes away is nobody’s', () => {
  const labelled = (labels: object): Any => deployment({ replicas: 1 }, { labels });
  const created = update(undefined, labelled({ z: '1', a: '1' }), 'me');
  const again = update(created, { ...created, metadata: { ...created.metadata, labels: { z: '2', a: '1' } } }, 'me', 5000);
  const [before, after] = [created.metadata!.managedFields![0]!, again.metadata!.managedFields![0]!];
  assert.equal(after.fieldsV1, before.fieldsV1);
  assert.equal(after.time, '1970-01-01T00:00:05Z');
  const less = update(again, { ...again, metadata: { ...again.metadata, labels: { a: '1' } } }, 'me', 9000);
  assert.deepEqual(owners(less), { 'me/Update': ['.metadata.labels', '.metadata.labels.a', '.spec.replicas'] });
  const more = update(less, { ...less, metadata: { ...less.metadata, labels: { a: '1', b: '1' } } }, 'other', 9000);
  const none = update(more, { ...more, metadata: { ...more.metadata, labels: { a: '1' } } }, 'other', 9000);
  assert.deepEqual(Object.keys(owners(none)), ['me/Update']);
});

test('an object with items that have no key is not tracked any more', () => {
  const options = { manager: 'one', apiVersion: 'v1', schema: factTypeSchema('io.k8s.api.core.v1.ServiceAccount')!, now: 0 };
  const account = (...secrets: object[]) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'x' }, secrets }) as Any;
  const live = trackUpdate<Any>({ ...options, live: undefined, updated: account({ name: 's' }) });
  assert.deepEqual(Object.keys(owners(live)), ['one/Update']);
  const sent = { ...account({ name: 's' }, { namespace: 'n' }), metadata: live.metadata! };
  assert.equal(trackUpdate<Any>({ ...options, live, updated: sent }).metadata!.managedFields, undefined);
});

test('members are told level by level: first those of a level, then what lies below', () => {
  assert.deepEqual(pathsOf(fieldsOf(['spec.a.b', 'spec.c'])), ['.spec.c', '.spec.a.b']);
});

test('clients may reset what is tracked', () => {
  const created = update(undefined, deployment({ replicas: 1 }), 'a');
  const stored = { ...created, metadata: { ...created.metadata, uid: 'u' } };
  const reset = { ...stored, metadata: { ...stored.metadata, managedFields: [{}] } };
  assert.equal(update(stored, reset as Any, 'b').metadata!.managedFields, undefined);
  const broken = { ...stored, metadata: { ...stored.metadata, managedFields: [{ manager: 'x', operation: 'Patch' }] } };
  assert.deepEqual(Object.keys(owners(update(stored, broken as Any, 'b'))), ['a/Update']);
  const nobody = { ...stored, metadata: { name: 'd', uid: 'u' } };
  assert.equal(update(nobody, { ...nobody, spec: { replicas: 5 } }, 'b').metadata!.managedFields, undefined, 'untracked objects stay so');
});

test('the eleventh updater makes the oldest ancient', () => {
  let live = update(undefined, deployment({ replicas: 1 }), 'm0');
  for (let index = 1; index <= 12; index++)
    live = update(
      live,
      { ...live, metadata: { ...live.metadata, labels: { ...live.metadata!.labels, [`l${index}`]: 'x' } } },
      `m${index}`,
      index * 1000,
    );
  assert.equal(live.metadata!.managedFields!.length, 10);
  assert.deepEqual(owners(live)['ancient-changes/Update'], [
    '.metadata.labels',
    '.metadata.labels.l1',
    '.metadata.labels.l2',
    '.metadata.labels.l3',
    '.spec.replicas',
  ]);
});

test('apply creates, merges, and removes what is left out', () => {
  const first = apply(undefined, deployment({ replicas: 3, paused: true }, { labels: { a: '1' } }), 'me');
  assert.deepEqual(owners(first), { 'me/Apply': ['.metadata.labels.a', '.spec.paused', '.spec.replicas'] });
  const second = apply(first, deployment({ replicas: 3 }), 'me', { now: 1000 });
  assert.deepEqual(untracked(second), deployment({ replicas: 3 }));
  assert.equal(second.metadata!.managedFields![0]!.time, '1970-01-01T00:00:01Z');
  assert.equal(apply(second, deployment({ replicas: 3 }), 'me', { now: 2000 }), second, 'applying the same changes nothing');
  const shared = apply(second, deployment({ replicas: 3, paused: true }), 'other');
  const left = apply(shared, deployment({}), 'me');
  assert.deepEqual(untracked(left), deployment({ replicas: 3, paused: true }), 'others still manage it');
  assert.deepEqual(owners(left)['me/Apply'], ['.spec'], 'an empty map is a value');
});

test('conflicts', () => {
  const live = apply(undefined, deployment({ replicas: 3 }), 'one');
  const wanted = deployment({ replicas: 4 });
  assert.equal(
    messageOf(() => apply(live, wanted, 'two')),
    'Apply failed with 1 conflict: conflict with "one": .spec.replicas',
  );
  const updated = update(live, deployment({ replicas: 5, paused: true }), 'three');
  assert.equal(
    messageOf(() => apply(updated, deployment({ replicas: 4, paused: false }), 'two')),
    'Apply failed with 2 conflicts: conflicts with "three" using apps/v1:\n- .spec.paused\n- .spec.replicas',
  );
  assert.throws(
    () => apply(live, wanted, 'two'),
    (error: StatusError) => {
      assert.equal(error.code, 409);
      assert.deepEqual(error.status.details, {
        causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.spec.replicas' }],
      });
      return true;
    },
  );
  assert.deepEqual(owners(apply(live, wanted, 'two', { force: true })), { 'two/Apply': ['.spec.replicas'] });
  assert.deepEqual(owners(apply(live, deployment({ replicas: 3 }), 'two')), {
    'one/Apply': ['.spec.replicas'],
    'two/Apply': ['.spec.replicas'],
  });
});

test('lists by key, sets and atomic lists', () => {
  const containers = (...list: object[]): Any => deployment({ template: { spec: { containers: list } } });
  const a = { name: 'a', image: 'x', ports: [{ containerPort: 80 }], args: ['1'] };
  const live = apply(undefined, containers(a), 'one');
  assert.ok(owners(live)['one/Apply']!.includes('.spec.template.spec.containers[name="a"].ports[containerPort=80,protocol="TCP"]'));
  assert.ok(owners(live)['one/Apply']!.includes('.spec.template.spec.containers[name="a"].args'));
  const both = apply(live, containers({ name: 'b', image: 'y' }), 'two');
  assert.deepEqual(untracked(both), containers(a, { name: 'b', image: 'y' }));
  assert.deepEqual(untracked(apply(both, containers(), 'one')), containers({ name: 'b', image: 'y' }));
  const finalizers = (...list: string[]): Any => deployment({}, { finalizers: list });
  const marked = apply(apply(undefined, finalizers('a/b'), 'one'), finalizers('c/d'), 'two');
  assert.deepEqual(marked.metadata!.finalizers, ['a/b', 'c/d']);
  assert.deepEqual(apply(marked, deployment({}), 'one').metadata!.finalizers, ['c/d']);
});

test('configurations that cannot be applied', () => {
  const cases: [object, string][] = [
    [{ ...identity, kind: 'Pod' }, 'invalid object type: apps/v1, Kind=Pod'],
    [deployment({}, { managedFields: [{}] }), 'metadata.managedFields must be nil'],
    [
      deployment({ foo: 1 }),
      'failed to create typed patch object (n/d; apps/v1, Kind=Deployment): .spec.foo: field not declared in schema',
    ],
    [
      deployment({ template: { spec: { containers: [{ name: 'a' }, { name: 'a' }] } } }),
      'failed to create typed patch object (n/d; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name="a"]',
    ],
    [
      deployment({ replicas: 'x' }),
      'failed to create typed patch object (n/d; apps/v1, Kind=Deployment): .spec.replicas: expected numeric (int or float), got string',
    ],
  ];
  for (const [applied, wanted] of cases)
    assert.equal(
      messageOf(() => apply(undefined, applied, 'me')),
      wanted,
    );
});

test('an object written before anyone applied belongs to before-first-apply', () => {
  const live = deepFreeze(deployment({ replicas: 1 }, { uid: 'u' }));
  assert.equal(
    messageOf(() => apply(live, deployment({ replicas: 2 }), 'me')),
    'Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.replicas',
  );
});

test('kubectl takes over what it applied on the client', () => {
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(deployment({ replicas: 1 })) };
  const live = update(undefined, deployment({ replicas: 1 }, { annotations }), 'kubectl-client-side-apply');
  const applied = apply(live, deployment({ replicas: 2 }), 'kubectl');
  assert.equal(applied.spec!['replicas'], 2);
  assert.match(applied.metadata!.annotations!['kubectl.kubernetes.io/last-applied-configuration']!, /"replicas":2/);
});

test('reset fields are nobody’s', () => {
  const applied = apply(undefined, { ...deployment({ replicas: 1 }), status: { replicas: 1 } }, 'me', {
    resetFields: fieldsOf(['status']),
  });
  assert.deepEqual(owners(applied), { 'me/Apply': ['.spec.replicas'] });
});

test('custom resources: with a schema, and deduced', () => {
  const structural = structuralTypeSchema(
    {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: {
            hosts: {
              type: 'array',
              'x-kubernetes-list-type': 'map',
              'x-kubernetes-list-map-keys': ['name'],
              items: { type: 'object', properties: { name: { type: 'string' }, port: { type: 'integer' } } },
            },
            free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          },
        },
      },
    },
    true,
  );
  const custom = { apiVersion: 'x.io/v1', kind: 'X' };
  const run = (live: Any | undefined, spec: object, manager: string, type: TypeSchema): Any =>
    applyPatch<Any>({ live, applied: { ...custom, metadata: { name: 'x' }, spec } as Any, manager, ...custom, schema: type, now: 0 });
  const one = run(undefined, { hosts: [{ name: 'a', port: 1 }], free: { x: 1 } }, 'one', structural);
  const two = run(one, { hosts: [{ name: 'b' }], free: { y: [1] } }, 'two', structural);
  assert.deepEqual(two.spec, { hosts: [{ name: 'a', port: 1 }, { name: 'b' }], free: { x: 1, y: [1] } });
  assert.deepEqual(owners(two)['two/Apply'], ['.spec.free.y', '.spec.hosts[name="b"]', '.spec.hosts[name="b"].name']);
  assert.match(
    messageOf(() => run(undefined, { bad: 1 }, 'one', structural)),
    /\.spec\.bad: field not declared in schema/,
  );
  const deduced = run(run(undefined, { l: [1], m: { a: 1 } }, 'one', deducedSchema), { m: { b: 2 } }, 'two', deducedSchema);
  assert.deepEqual(deduced.spec, { l: [1], m: { a: 1, b: 2 } });
});

test('a map that has become atomic is owned as a whole by who had a part of it', () => {
  const typed = (mapType: string): TypeSchema => {
    const limits = { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } }, 'x-kubernetes-map-type': mapType };
    return structuralTypeSchema({ type: 'object', properties: { spec: { type: 'object', properties: { limits } } } }, true);
  };
  const custom = { apiVersion: 'x.io/v1', kind: 'X' };
  const object = (limits: object): Any => ({ ...custom, metadata: { name: 'x' }, spec: { limits } });
  const options = { ...custom, now: 0 };
  const before = applyPatch<Any>({ ...options, live: undefined, applied: object({ a: 1 }), manager: 'one', schema: typed('granular') });
  assert.deepEqual(owners(before), { 'one/Apply': ['.spec.limits.a'] });
  const atomic = typed('atomic');
  assert.equal(
    messageOf(() => applyPatch<Any>({ ...options, live: before, applied: object({ b: 1 }), manager: 'two', schema: atomic })),
    'Apply failed with 1 conflict: conflict with "one": .spec.limits',
  );
  const { metadata } = before;
  const updated = trackUpdate<Any>({
    ...options,
    live: before,
    updated: { ...object({ a: 1 }), metadata: { ...metadata, labels: { l: '' } } },
    manager: 'u',
    schema: atomic,
  });
  assert.deepEqual(owners(updated), { 'one/Apply': ['.spec.limits'], 'u/Update': ['.metadata.labels', '.metadata.labels.l'] });
});

test('managers in a version that is not served any more are forgotten, what they applied stays', () => {
  const set: TypeSchema = structuralTypeSchema(
    { type: 'object', properties: { list: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } } } },
    true,
  );
  const object = (apiVersion: string, list: string[]): Any => ({ apiVersion, kind: 'X', metadata: { name: 'x' }, list }) as Any;
  const at = (apiVersion: string, ...served: string[]) => ({
    apiVersion,
    kind: 'X',
    schema: set,
    now: 0,
    versions: (found: object, version: string) => (served.includes(version) ? { object: found, schema: set } : undefined),
  });
  const one = applyPatch<Any>({ ...at('v1', 'v1'), live: undefined, applied: object('v1', ['a', 'b']), manager: 'one' });
  const two = applyPatch<Any>({ ...at('v2', 'v2'), live: one, applied: object('v2', ['a']), manager: 'one' });
  assert.deepEqual((two as { list?: unknown }).list, ['a', 'b']);
  const other = { ...two, ...object('v3', ['a', 'b', 'c']), metadata: two.metadata! };
  assert.deepEqual(owners(trackUpdate<Any>({ ...at('v3', 'v3'), live: two, updated: other, manager: 'three' })), {
    'three/Update': ['.list[="c"]'],
  });
});
