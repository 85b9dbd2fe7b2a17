/** What the command says to bad input: one sentence and exit code 1; and the API server to bad credentials: upstream's Status. A cluster of no machines. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { seededRandom, systemClock, virtualClock } from '#machinery/clock';
import { createCa, issue } from '#machinery/pki';
import type { KeyPair } from '#machinery/pki';
import { Command } from './command.ts';

const command = new Command('bad');
const { directory, state } = command;
const up = ['up', '--machines', '0', '--runtime', 'simulated', '--no-wait', '--no-kubeconfig'];
const pem = (file: string): string => readFileSync(join(state, 'pki', file), 'utf8');
let server: string;

before(async () => {
  ({ server } = await command.up(...up));
});
after(() => command.remove());

const wrong: [title: string, parameters: string[], said: RegExp][] = [
  ['a second cluster of the same name', up, /Cannot start the cluster bad: it is already running/],
  ['a number that is none', ['up', '--name', 'x', '--machines', 'two'], /Cannot use --machines two: it must be a whole number/],
  ['a port that is none', ['up', '--name', 'x', '--port', '70000'], /Cannot use --port 70000: .* at most 65535/],
  ['a runtime that is none', ['up', '--name', 'x', '--runtime', 'docker'], /Cannot use runtime docker: it must be auto, containerd or/],
  ['a name that cannot be', ['up', '--name', 'Bad Name'], /a cluster's name is 1 to 40 lower-case letters/],
  ['an archive that is not there', [...up, '--name', 'x', '--image', '/no/such.tar'], /Cannot load \/no\/such.tar: there is no such file/],
  ['settings that are not there', ['up', '--name', 'x', '--config', '/no/such'], /Cannot use \/no\/such: there is no such file/],
  ['a cluster that is not there', ['down', '--name', 'nosuch'], /Cannot find the cluster nosuch/],
  ['an unknown command', ['upp'], /unknown command 'upp'/],
  ['an unknown option', ['up', '--nosuch'], /unknown option '--nosuch'/],
];
for (const [title, parameters, said] of wrong) test(`the command refuses ${title}`, () => command.refuses(parameters, said));

test('the command refuses a port that is in use', async () => {
  const { code, said } = await command.run(...up, '--name', 'x', '--port', server.split(':')[2]!);
  assert.match(said, /Cannot listen on 127\.0\.0\.1:\d+: the port is in use; choose another with --port/);
  assert.equal(code, 1);
});

function ask(identity: Partial<KeyPair>, token?: string): Promise<{ code: number; message: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${server}/api/v1/namespaces/default/pods`,
      {
        ca: pem('ca.crt'),
        agent: false,
        ...(identity.certificate && { cert: identity.certificate, key: identity.key }),
        ...(token && { headers: { authorization: `Bearer ${token}` } }),
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.once('end', () => resolve({ code: response.statusCode!, message: (JSON.parse(body) as { message: string }).message }));
      },
    );
    sent.once('error', reject);
    sent.end();
  });
}
const admin = { commonName: 'kubernetes-admin', organizations: ['system:masters'] };
const past = virtualClock(systemClock.now() - 3 * 365 * 24 * 3600_000);
const credentials: [title: string, identity: () => Partial<KeyPair>, token: string | undefined, code: number, message: RegExp][] = [
  ['nobody', () => ({}), undefined, 403, /^pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in/],
  ['a bad token', () => ({}), 'abc', 401, /^Unauthorized$/],
  [
    'an expired certificate',
    () => issue({ ...admin, ca: { certificate: pem('ca.crt'), key: pem('ca.key') }, clock: past }),
    undefined,
    401,
    /^Unauthorized$/,
  ],
  [
    'a certificate of a foreign authority',
    () => issue({ ...admin, ca: createCa('kubernetes', { clock: systemClock }), clock: systemClock }),
    undefined,
    401,
    /^Unauthorized$/,
  ],
];
for (const [title, identity, token, code, message] of credentials)
  test(`the API server answers ${code} to ${title}`, async () => {
    const answer = await ask(identity(), token);
    assert.equal(answer.code, code);
    assert.match(answer.message, message);
  });

const damages: [title: string, damage: () => void, said: RegExp][] = [
  [
    'damaged settings',
    () => writeFileSync(join(state, 'cluster.json'), '{"form":1,'),
    /Cannot use .*cluster\.json: .*restore it, or remove/,
  ],
  [
    'an authority that is not its key’s',
    () => writeFileSync(join(state, 'pki/ca.crt'), 'no'),
    /Cannot use the cluster's keys: ca\.crt and/,
  ],
  ['an authority without its key', () => rmSync(join(state, 'pki/ca.key')), /Cannot use the cluster's keys: ca\.key/],
  ['a damaged signing key', () => writeFileSync(join(state, 'pki/sa.key'), 'no'), /Cannot use the cluster's keys: sa\.key/],
  [
    'a damaged store',
    () => writeFileSync(join(state, 'store/data.mdb'), Buffer.alloc(100_000, seededRandom(1).suffix(99))),
    /Store .* is corrupt: data\.mdb does not begin as LMDB's files do/,
  ],
];
test('a start refuses state that is damaged and leaves it as it is; restored, it starts', async (t) => {
  await command.run('down');
  const copy = join(directory, 'copy');
  cpSync(state, copy, { recursive: true });
  for (const [title, damage, said] of damages)
    await t.test(title, async () => {
      damage();
      const answer = await command.run(...up);
      assert.match(answer.said, said);
      assert.equal(answer.code, 1);
      rmSync(state, { recursive: true });
      cpSync(copy, state, { recursive: true });
    });
  writeFileSync(join(state, 'pki/apiserver.crt'), 'no');
  const { code, said } = await command.run(...up);
  assert.equal(code, 0, `a certificate that is no authority's is made anew: ${said}`);
});
