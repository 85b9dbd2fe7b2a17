/** Every part of the control plane and a simulated node as a process of its own, with upstream's flags: a Deployment becomes available. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { Deployment, Lease } from '#api';
import { clientOver, informersOver } from '#client';
import { kubeconfigTransport } from '#client/kubeconfig';
import type { Client, HttpTransport, Informers } from '#client';
import { systemClock, systemRandom } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import { createCa, createSigningKey, issue } from '#machinery/pki';
import type { KeyPair } from '#machinery/pki';

const clock = systemClock;
const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), 'coxswain-standalone-'));
const file = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text, { mode: 0o600 });
  return join(directory, name);
};
const pair = (name: string, { certificate, key }: KeyPair): { certificate: string; key: string } => ({
  certificate: file(`${name}.crt`, certificate),
  key: file(`${name}.key`, key),
});

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

interface Part {
  child: ChildProcess;
  output: string[];
}
const parts: Record<string, Part> = {};

function run(name: string, ...parameters: string[]): Part {
  const child = spawn(process.execPath, ['--no-warnings', main, name, ...parameters], { stdio: ['ignore', 'ignore', 'pipe'] });
  const part: Part = { child, output: [] };
  createInterface({ input: child.stderr! }).on('line', (line) => part.output.push(line));
  return (parts[name] = part);
}

/** Resolves when a part has logged `message`. */
async function logged(part: Part, message: string): Promise<void> {
  if (part.output.some((line) => line.includes(message))) return;
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: part.child.stderr! }).on('line', (line) => {
      if (line.includes(message)) resolve();
    });
    part.child.once('exit', () => reject(new Error(`ended early:\n${part.output.join('\n')}`)));
  });
}

const ca = createCa('kubernetes', { clock });
const caFile = file('ca.crt', ca.certificate);
let ports: { etcd: number; api: number; manager: number; scheduler: number; health: number };
let transport: HttpTransport;
let client: Client;
let informers: Informers;

function kubeconfig(name: string, commonName: string, organizations: string[] = []): string {
  const user = issue({ ca, commonName, organizations, usages: ['digital signature', 'client auth'], clock });
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return file(
    `${name}.conf`,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: `https://127.0.0.1:${ports.api}`, 'certificate-authority': 'ca.crt' } }],
      users: [{ name: 'u', user: { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
}

before(async () => {
  const [etcd, api, manager, scheduler, health] = await Promise.all(Array.from({ length: 5 }, freePort));
  ports = { etcd: etcd!, api: api!, manager: manager!, scheduler: scheduler!, health: health! };
  const usages = ['digital signature', 'server auth', 'client auth'];
  const made = (name: string, commonName: string) => pair(name, issue({ ca, commonName, usages, ips: ['127.0.0.1'], clock }));
  const etcdPair = made('etcd', 'etcd');
  const apiPair = made('apiserver', 'kube-apiserver');
  const key = file('sa.key', createSigningKey());
  const signer = pair('signer', ca);
  const etcdUrl = `https://127.0.0.1:${ports.etcd}`;

  run(
    'etcd',
    `-data-dir=${join(directory, 'store')}`,
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    `--cert-file=${etcdPair.certificate}`,
    `--key-file=${etcdPair.key}`,
    `--trusted-ca-file=${caFile}`,
    '--client-cert-auth',
    '--unsafe-no-fsync',
  );
  run(
    'kube-apiserver',
    `--etcd-servers=${etcdUrl}`,
    `--etcd-cafile=${caFile}`,
    `--etcd-certfile=${etcdPair.certificate}`,
    `--etcd-keyfile=${etcdPair.key}`,
    '--bind-address=127.0.0.1',
    '--secure-port',
    String(ports.api),
    '--service-cluster-ip-range=10.96.0.0/16',
    `--client-ca-file=${caFile}`,
    `--tls-cert-file=${apiPair.certificate}`,
    `--tls-private-key-file=${apiPair.key}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-signing-key-file=${key}`,
    `--service-account-key-file=${key}`,
    '--authorization-mode=Node,RBAC',
    '--feature-gates=SomeGate=true',
  );
  const managerConfig = kubeconfig('manager', 'system:kube-controller-manager');
  run(
    'kube-controller-manager',
    `--kubeconfig=${managerConfig}`,
    `--authentication-kubeconfig=${managerConfig}`,
    `--authorization-kubeconfig=${managerConfig}`,
    '--use-service-account-credentials=true',
    `--secure-port=${ports.manager}`,
    '--bind-address=127.0.0.1',
    `--service-account-private-key-file=${key}`,
    `--root-ca-file=${caFile}`,
    `--cluster-signing-cert-file=${signer.certificate}`,
    `--cluster-signing-key-file=${signer.key}`,
  );
  const schedulerConfig = kubeconfig('scheduler', 'system:kube-scheduler');
  const configuration = file(
    'scheduler.yaml',
    `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
parallelism: 4
clientConnection:
  kubeconfig: ${schedulerConfig}
leaderElection:
  leaderElect: true
  retryPeriod: 2s
  leaseDuration: 15s
  renewDeadline: 10s
`,
  );
  run('kube-scheduler', `--config=${configuration}`, `--secure-port=${ports.scheduler}`, '--bind-address=127.0.0.1');
  transport = kubeconfigTransport(kubeconfig('admin', 'admin', ['system:masters']), { clock });
  client = clientOver(transport);
  informers = informersOver(client, { clock, random: systemRandom, log: silentLog });
  await logged(parts['kube-apiserver']!, 'Serving securely');
  run(
    'kubelet',
    `--kubeconfig=${kubeconfig('kubelet', 'system:node:alone', ['system:nodes'])}`,
    '--hostname-override=alone',
    '--node-ip=127.0.0.1',
    '--container-runtime-endpoint=simulated://10.244.7.0/24',
    `--root-dir=${join(directory, 'kubelet')}`,
    `--healthz-port=${ports.health}`,
    '--node-labels=disk=ssd,zone=a',
  );
});

after(async () => {
  await informers?.stop();
  await transport?.close();
  for (const { child } of Object.values(parts)) if (child.exitCode === null) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

test('a Deployment becomes available', async () => {
  await client.create(Deployment, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { nodeSelector: { disk: 'ssd' }, containers: [{ name: 'c', image: 'image:1' }] },
      },
    },
  });
  await new Promise<void>((resolve, reject) => {
    const look = ({ status }: Deployment): void => {
      if (status?.availableReplicas === 3) resolve();
    };
    informers.for(Deployment).on({ added: look, updated: look });
    for (const [name, { child, output }] of Object.entries(parts))
      child.once('exit', () => reject(new Error(`${name} ended:\n${output.join('\n')}`)));
  });
});

test('what has no effect was told in a line each', () => {
  const warnings = (name: string): string[] => parts[name]!.output.filter((line) => line.startsWith('Warning: '));
  assert.deepEqual(warnings('kube-apiserver'), ['Warning: --feature-gates has no effect: coxswain does not support it']);
  assert.deepEqual(warnings('etcd'), ['Warning: --unsafe-no-fsync has no effect: coxswain does not support it']);
  assert.deepEqual(
    warnings('kube-scheduler').map((line) => line.replace(directory, '')),
    ['Warning: parallelism in /scheduler.yaml has no effect: coxswain does not support it'],
  );
  assert.deepEqual(warnings('kube-controller-manager'), []);
});

function get(port: number, path: string): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, rejectUnauthorized: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += String(chunk)));
      response.once('end', () => resolve({ code: response.statusCode ?? 0, text }));
    })
      .once('error', reject)
      .end();
  });
}

test('health is told to everybody, metrics only to whom the API server allows', async () => {
  assert.deepEqual(await get(ports.scheduler, '/healthz'), { code: 200, text: 'ok' });
  assert.deepEqual(await get(ports.manager, '/healthz'), { code: 200, text: 'ok' });
  const { code, text } = await get(ports.manager, '/metrics');
  assert.equal(code, 403);
  assert.match(text, /system:anonymous/);
});

test('who works holds the lease, and gives it up when it is told to stop', async () => {
  const lease = await client.get(Lease, { namespace: 'kube-system', name: 'kube-scheduler' });
  assert.ok(lease.spec?.holderIdentity);
  for (const name of ['kube-scheduler', 'kube-controller-manager', 'kubelet']) {
    const { child } = parts[name]!;
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0, `${name}: ${parts[name]!.output.slice(-5).join('\n')}`);
  }
  const released = await client.get(Lease, { namespace: 'kube-system', name: 'kube-scheduler' });
  assert.equal(released.spec?.holderIdentity ?? '', '');
  await informers.stop();
  await transport.close();
  for (const name of ['kube-apiserver', 'etcd']) {
    const { child } = parts[name]!;
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0, `${name}: ${parts[name]!.output.slice(-5).join('\n')}`);
  }
});
