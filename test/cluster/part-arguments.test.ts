/** `up` with flags of single parts: what they ask for is in force, survives a stop, and what `up` decides itself is refused in a sentence. Simulated. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Command } from './command.ts';

const command = new Command('arguments');
const { directory, state } = command;
const file = (path: string, text: string): void => writeFileSync(join(directory, path), text);

function ask(path: string, token: string, body?: object): Promise<{ code: number; body: string }> {
  const ca = readFileSync(join(state, 'pki', 'ca.crt'), 'utf8');
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    request(`${server}${path}`, { ca, headers, method: body ? 'POST' : 'GET' }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, body: text }));
    })
      .on('error', reject)
      .end(body && JSON.stringify(body));
  });
}

const up = ['up', '--runtime', 'simulated', '--no-kubeconfig'];
let server = '';

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
  const started = await command.up(
    ...up,
    '--kube-apiserver-arg=audit-policy-file=audit.yaml',
    '--kube-apiserver-arg=audit-log-path=audit.log',
    '--kube-apiserver-arg=token-auth-file=tokens.csv',
    '--kube-apiserver-arg=encryption-provider-config=encryption.yaml',
    '--kube-apiserver-arg=goaway-chance=0.1',
    '--kubelet-arg=max-pods=7',
    '--kube-controller-manager-arg=controllers=*,-cronjob-controller',
  );
  assert.match(started.said, /kube-apiserver: --goaway-chance has no effect/);
  ({ server } = started);
});
after(() => command.remove());

async function inForce(): Promise<void> {
  const nodes = await ask('/api/v1/nodes', 'alice-token');
  assert.equal(nodes.code, 200, nodes.body);
  const { items } = JSON.parse(nodes.body) as { items: { status: { capacity: Record<string, string> } }[] };
  assert.deepEqual(
    items.map(({ status }) => status.capacity['pods']),
    ['7'],
  );
  assert.match(readFileSync(join(directory, 'audit.log'), 'utf8'), /"user":\{"username":"alice"/);
}

test('what the arguments ask for is in force', inForce);

test('it still is after a stop, and a start without arguments from elsewhere; what is to be encrypted is so on disk', async () => {
  const put = (kind: string, note: string) =>
    ask(`/api/v1/namespaces/default/${kind.toLowerCase()}s`, 'alice-token', {
      apiVersion: 'v1',
      kind,
      metadata: { name: 'noted', annotations: { note } },
    });
  assert.equal((await put('Secret', 'told to nobody')).code, 201);
  assert.equal((await put('ConfigMap', 'told to everybody')).code, 201);
  assert.equal((await command.run('down')).code, 0);
  const store = join(state, 'store');
  const files = readdirSync(store).map((name) => readFileSync(join(store, name)));
  const onDisk = (text: string): boolean => files.some((bytes) => bytes.includes(text));
  assert.deepEqual(['told to everybody', 'k8s:enc:aescbc:v1:key1:', 'told to nobody'].map(onDisk), [true, true, false]);
  ({ server } = await command.up(...up));
  assert.match((await ask('/api/v1/namespaces/default/secrets/noted', 'alice-token')).body, /told to nobody/);
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
  test(`up refuses ${title}`, () => command.refuses([...up, '--name', 'x', ...parameters], said));
