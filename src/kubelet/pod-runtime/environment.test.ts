import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Pod, Service } from '#api';
import { environment } from './environment.ts';
import { expand } from './expansion.ts';

const services: Service[] = [
  { metadata: { name: 'kubernetes', namespace: 'default' }, spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] } },
  { metadata: { name: 'my-db', namespace: 'ns' }, spec: { clusterIP: '10.96.0.7', ports: [{ port: 5432, protocol: 'TCP' }] } },
  { metadata: { name: 'headless', namespace: 'ns' }, spec: { clusterIP: 'None', ports: [{ port: 1 }] } },
  { metadata: { name: 'other', namespace: 'elsewhere' }, spec: { clusterIP: '10.96.0.8', ports: [{ port: 1 }] } },
];

const pod: Pod = {
  metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { a: '1' }, annotations: { note: 'x' } },
  spec: { containers: [], nodeName: 'n', serviceAccountName: 'sa' },
};

const variables = async (container: Partial<Container>, of = pod): Promise<Record<string, string>> =>
  Object.fromEntries(
    await environment(
      of,
      { name: 'c', resources: { requests: { cpu: '250m' }, limits: { memory: '64Mi' } }, ...container },
      {
        configMap: async (_namespace, name) => (name === 'cm' ? { data: { k: 'v', other: 'w' } } : undefined),
        secret: async (_namespace, name) => (name === 'sec' ? { data: { s: Buffer.from('hidden').toString('base64') } } : undefined),
        services: () => services,
        allocatable: { cpuMilli: 2000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 33 },
        addresses: { podIps: ['10.1.0.5', 'fd00::5'], nodeIps: ['192.168.0.1'] },
        volumeFile: async (_volume, path) => path,
      },
    ),
  );

test('services show in the environment, headless ones and those of others do not', async () => {
  const seen = await variables({});
  assert.equal(seen['KUBERNETES_SERVICE_HOST'], '10.96.0.1');
  assert.equal(seen['KUBERNETES_SERVICE_PORT_HTTPS'], '443');
  assert.equal(seen['KUBERNETES_PORT'], 'tcp://10.96.0.1:443');
  assert.equal(seen['MY_DB_PORT_5432_TCP_ADDR'], '10.96.0.7');
  assert.ok(!('HEADLESS_SERVICE_HOST' in seen) && !('OTHER_SERVICE_HOST' in seen));
  const without = await variables({}, { ...pod, spec: { ...pod.spec!, enableServiceLinks: false } });
  assert.deepEqual(
    Object.keys(without).filter((name) => name.startsWith('MY_DB')),
    [],
  );
});

test('values come from everywhere, and later ones may use earlier ones', async () => {
  const seen = await variables({
    envFrom: [
      { prefix: 'P_', configMapRef: { name: 'cm' } },
      { secretRef: { name: 'sec' } },
      { configMapRef: { name: 'none', optional: true } },
    ],
    env: [
      { name: 'PLAIN', value: 'x' },
      { name: 'USES', value: '$(PLAIN)-$(P_k)-$(NOPE)-$$(PLAIN)' },
      { name: 'KEY', valueFrom: { configMapKeyRef: { name: 'cm', key: 'k' } } },
      { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'sec', key: 's' } } },
      { name: 'GONE', valueFrom: { secretKeyRef: { name: 'none', key: 's', optional: true } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'IPS', valueFrom: { fieldRef: { fieldPath: 'status.podIPs' } } },
      { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
      { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a']" } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } } },
      { name: 'CPUS', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
    ],
  });
  const want = {
    P_k: 'v',
    s: 'hidden',
    USES: 'x-v-$(NOPE)-$(PLAIN)',
    KEY: 'v',
    SECRET: 'hidden',
    IP: '10.1.0.5',
    IPS: '10.1.0.5,fd00::5',
    HOST: '192.168.0.1',
    LABEL: '1',
    CPU: '250',
    CPUS: '2',
    MEMORY: '64',
  };
  for (const [name, value] of Object.entries(want)) assert.equal(seen[name], value, name);
  assert.ok(!('GONE' in seen));
});

for (const [what, container, message] of [
  ['a ConfigMap', { envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
  ['a key', { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'no' } } }] }, "couldn't find key no in ConfigMap ns/cm"],
  ['a Secret', { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'no', key: 'no' } } }] }, 'secret "no" not found'],
] as const)
  test(`${what} that is missing stops the container`, () => assert.rejects(variables(container as never), { message }));

test('expand() replaces what it knows and leaves the rest', () => {
  const known = new Map([['A', '1']]);
  for (const [text, want] of [
    ['$(A)', '1'],
    ['$$(A)', '$(A)'],
    ['$(B)', '$(B)'],
    ['$(A', '$(A'],
    ['$A', '$A'],
    ['a$', 'a$'],
    ['$$$(A)', '$1'],
  ])
    assert.equal(
      expand(text!, (name) => known.get(name)),
      want,
    );
});
