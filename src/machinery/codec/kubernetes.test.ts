import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { resources } from '../../api/facts/mod.ts';
import { decodeProtobuf, encodeProtobuf } from './mod.ts';

/** Upstream's own round-trip vectors, where the Go modules are on this machine. */
function vectors(): string | undefined {
  try {
    const cache = execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim();
    const directory = join(cache, 'k8s.io/api@v0.35.4/testdata/HEAD');
    return existsSync(directory) ? directory : undefined;
  } catch {
    return undefined;
  }
}

/** What JSON's Go encoder writes and means nothing: nulls. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, plain(item)]),
  );
}

const directory = vectors();
test(
  'every served kind: upstream protobuf vectors read as their JSON, and write back to the same object',
  { skip: directory ? false : 'the Go module k8s.io/api is not on this machine' },
  () => {
    const served = new Set(resources.map(({ group, version, kind }) => `${group || 'core'}.${version}.${kind}`));
    const wrong: string[] = [];
    let seen = 0;
    for (const path of globSync(join(directory!, '*.pb'))) {
      const name = basename(path, '.pb');
      if (!served.has(name) || name.includes('.after_roundtrip')) continue;
      seen++;
      const wanted = plain(JSON.parse(readFileSync(path.replace(/pb$/, 'json'), 'utf8')));
      try {
        const decoded = decodeProtobuf(readFileSync(path));
        assert.deepEqual(plain(decoded), wanted);
        assert.deepEqual(plain(decodeProtobuf(encodeProtobuf(decoded))), wanted);
      } catch (error) {
        wrong.push(`${name}: ${(error as Error).message.slice(0, 700)}`);
      }
    }
    assert.ok(seen > 50, `only ${seen} vectors found`);
    assert.deepEqual(wrong, []);
  },
);

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
    assert.deepEqual(plain(decodeProtobuf(encodeProtobuf(one))), one);
    const list = {
      kind: 'PartialObjectMetadataList',
      apiVersion: `meta.k8s.io/${version}`,
      metadata: { resourceVersion: '9' },
      items: [{ metadata }],
    };
    assert.deepEqual(plain(decodeProtobuf(encodeProtobuf(list))), list);
  }
});
