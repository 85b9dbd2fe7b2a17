/** `up` with flags of single parts: what they ask for is in force, survives a stop, and what `up` decides itself is refused in a sentence. Simulated. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'coxswain-test-'));
const home = join(directory, 'home');
const name = 'arguments';
const file = (path: string, text: string): string => {
  writeFileSync(join(directory, path), text);
  return path;
};
const environment = { ...process.env, COXSWAIN_HOME: home, COXSWAIN_RUN: join(directory, 'run'), COXSWAIN_NAME: name };

function coxswain(...parameters: string[]): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    execFile(join(root, 'coxswain'), parameters, { env: environment, cwd: directory, timeout: 120_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? ((error.code as number | undefined) ?? -1) : 0, said: stdout + stderr }),
    );
  });
}

function ask(server: string, path: string, token: string): Promise<{ code: number; body: string }> {
  const ca = readFileSync(join(home, name, 'pki', 'ca.crt'), 'utf8');
  return new Promise((resolve, reject) => {
    request(`${server}${path}`, { ca, headers: { authorization: `Bearer ${token}` } }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, body }));
    })
      .on('error', reject)
      .end();
  });
}

const up = ['up', '--runtime', 'simulated', '--no-kubeconfig'];
let server = '';
const serverOf = (said: string): string => /https:\/\/127\.0\.0\.1:\d+/.exec(said)![0];

before(async () => {
  file('audit.yaml', 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n');
  file('tokens.csv', 'alice-token,alice,u-1,"system:masters"\n');
  file(
    'encryption.yaml',
    `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aescbc: { keys: [{ name: key1, secret: ${Buffer.alloc(32, 7).toString('base64')} }] }
  - identity: {}
`,
  );
  const { code, said } = await coxswain(
    ...up,
    '--kube-apiserver-arg=audit-policy-file=audit.yaml',
    '--kube-apiserver-arg=audit-log-path=audit.log',
    '--kube-apiserver-arg=token-auth-file=tokens.csv',
    '--kube-apiserver-arg=encryption-provider-config=encryption.yaml',
    '--kube-apiserver-arg=goaway-chance=0.1',
    '--kubelet-arg=max-pods=7',
    '--kube-controller-manager-arg=controllers=*,-cronjob-controller',
  );
  assert.equal(code, 0, said);
  assert.match(said, /kube-apiserver: --goaway-chance has no effect/);
  server = serverOf(said);
});
after(async () => {
  await coxswain('down', '--purge');
  rmSync(directory, { recursive: true, force: true });
});

async function inForce(): Promise<void> {
  const nodes = await ask(server, '/api/v1/nodes', 'alice-token');
  assert.equal(nodes.code, 200, nodes.body);
  const { items } = JSON.parse(nodes.body) as { items: { status: { capacity: Record<string, string> } }[] };
  assert.deepEqual(
    items.map(({ status }) => status.capacity['pods']),
    ['7'],
  );
  assert.match(readFileSync(join(directory, 'audit.log'), 'utf8'), /"user":\{"username":"alice"/);
}

test('what the arguments ask for is in force', inForce);

test('it still is after a stop, and a start without arguments from elsewhere', async () => {
  assert.equal((await coxswain('down')).code, 0);
  const { code, said } = await coxswain(...up);
  assert.equal(code, 0, said);
  server = serverOf(said);
  await inForce();
});

const refused: [title: string, parameters: string[], said: RegExp][] = [
  ['what up decides', ['--kube-apiserver-arg=secure-port=1'], /Cannot use --kube-apiserver-arg secure-port=1: up decides it itself/],
  [
    'a flag that is none',
    ['--kube-apiserver-arg=nosuch=1'],
    /Cannot use --kube-apiserver-arg nosuch=1: kube-apiserver has no flag --nosuch/,
  ],
  ['what is not supported', ['--kube-apiserver-arg=egress-selector-config-file=x'], /egress-selector-config-file is not supported/],
  ['a value that is none', ['--kubelet-arg=max-pods=many'], /invalid argument "many" for "--max-pods" flag/],
];
for (const [title, parameters, said] of refused)
  test(`up refuses ${title}`, async () => {
    const answer = await coxswain(...up, '--name', 'x', ...parameters);
    assert.match(answer.said, said);
    assert.equal(answer.code, 1);
    assert.deepEqual(
      readdirSync(home).filter((entry) => !entry.startsWith('.')),
      [name],
      'nothing half made',
    );
  });
