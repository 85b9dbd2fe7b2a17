import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { systemClock } from '#machinery/clock';
import { createCa, issue } from '#machinery/pki';
import { ClaimMapper } from './claims.ts';
import { configurationErrors } from './configuration.ts';
import type { JwtAuthenticatorConfiguration } from './configuration.ts';
import { configurationOfFlags, jwtIssuers } from './issuer.ts';

const form = { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration' } as const;
const issuer = { url: 'https://issuer.example', audiences: ['kubernetes'] };
const plain: JwtAuthenticatorConfiguration = { issuer, claimMappings: { username: { claim: 'sub', prefix: '' } } };

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function tokenOf(key: KeyObject, header: { alg: string; kid?: string }, claims: object): string {
  const data = `${part(header)}.${part(claims)}`;
  const signature = sign(`sha${header.alg.slice(2)}`, Buffer.from(data), {
    key,
    ...(header.alg.startsWith('ES') && { dsaEncoding: 'ieee-p1363' as const }),
    ...(header.alg.startsWith('PS') && { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
  });
  return `${data}.${signature.toString('base64url')}`;
}

/** An issuer of tokens on the loopback. */
async function issuerServer(keys: () => object[]) {
  const ca = createCa('issuer-ca', { clock: systemClock });
  const leaf = issue({ ca, clock: systemClock, commonName: 'issuer', ips: ['127.0.0.1'], usages: ['digital signature', 'server auth'] });
  const fetched: string[] = [];
  const server = createServer({ cert: leaf.certificate, key: leaf.key }, (request, response) => {
    fetched.push(request.url ?? '');
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const answer = request.url === '/keys' ? { keys: keys() } : { issuer: url, jwks_uri: `${url}/keys` };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: ca.certificate,
    fetched,
    close: () => new Promise((done) => server.close(done).closeAllConnections()),
  };
}

test('tokens of an issuer are believed when one of its keys signed them, for us, in time', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = (key: KeyObject, kid: string): object => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' });
  const published = [jwk(rsa.publicKey, 'rsa')];
  const server = await issuerServer(() => published);
  const { issuers } = jwtIssuers(
    {
      ...form,
      jwt: [
        {
          issuer: { url: server.url, audiences: ['kubernetes', 'other'], audienceMatchPolicy: 'MatchAny', certificateAuthority: server.ca },
          claimMappings: { username: { claim: 'sub', prefix: 'oidc:' }, groups: { claim: 'groups', prefix: '' } },
        },
      ],
    },
    [],
    { clock: systemClock, apiAudiences: ['api'] },
  );
  const [one] = issuers;
  const now = Math.floor(systemClock.now() / 1000);
  const claims = { iss: server.url, sub: 'ann', aud: 'kubernetes', exp: now + 600, groups: ['a'], jti: 'x' };
  const ask = async (token: string) => one!.authenticate(token);
  for (const alg of ['RS256', 'PS384', 'RS512'])
    assert.deepEqual(await ask(tokenOf(rsa.privateKey, { alg, kid: 'rsa' }, claims)), {
      user: { name: 'oidc:ann', groups: ['a'], extra: { 'authentication.kubernetes.io/credential-id': ['JTI=x'] } },
      audiences: ['api'],
    });
  assert.equal(one!.unhealthy, undefined);
  assert.deepEqual(server.fetched, ['/.well-known/openid-configuration', '/keys']);

  const good = tokenOf(rsa.privateKey, { alg: 'RS256', kid: 'rsa' }, claims);
  assert.equal(await ask('x.y.z'), undefined, 'no token of ours');
  assert.equal(await ask(tokenOf(rsa.privateKey, { alg: 'RS256' }, { ...claims, iss: 'https://other' })), undefined);
  const bad: [string, RegExp][] = [
    [`${good.slice(0, -6)}AAAAAA`, /failed to verify signature/],
    [
      tokenOf(rsa.privateKey, { alg: 'RS256', kid: 'rsa' }, { ...claims, aud: ['vault'] }),
      /expected audience in \["kubernetes" "other"\] got \["vault"\]/,
    ],
    [tokenOf(rsa.privateKey, { alg: 'RS256', kid: 'rsa' }, { ...claims, exp: now - 1 }), /token is expired/],
    [tokenOf(rsa.privateKey, { alg: 'RS256', kid: 'rsa' }, { ...claims, nbf: now + 900 }), /before the nbf/],
    [`${part({ alg: 'none' })}.${part(claims)}.`, /unexpected signature algorithm "none"/],
    [tokenOf(ec.privateKey, { alg: 'ES256', kid: 'rsa' }, claims), /failed to verify signature/],
  ];
  for (const [token, text] of bad) await assert.rejects(ask(token), text);

  // A key that came later is fetched when a token names it.
  published.push(jwk(ec.publicKey, 'ec'));
  assert.equal((await ask(tokenOf(ec.privateKey, { alg: 'ES256', kid: 'ec' }, claims)))?.user.name, 'oidc:ann');
  one!.close();
  await server.close();
});

test('claims become users', () => {
  const claims = {
    iss: issuer.url,
    sub: 'ann',
    email: 'ann@example.com',
    email_verified: true,
    roles: ['a', 'b'],
    org: { id: 7 },
    empty: '',
  };
  const mapping = (claimMappings: JwtAuthenticatorConfiguration['claimMappings'], more: object = {}) =>
    new ClaimMapper({ issuer, claimMappings, ...more }, 'jwt[0]').userOf(claims);
  assert.deepEqual(
    mapping({ username: { claim: 'email', prefix: 'x:' }, groups: { claim: 'roles', prefix: 'g:' }, uid: { claim: 'sub' } }),
    {
      name: 'x:ann@example.com',
      groups: ['g:a', 'g:b'],
      uid: 'ann',
    },
  );
  assert.deepEqual(
    mapping({
      username: { expression: "'u-' + claims.sub" },
      groups: { expression: "claims.roles.filter(r, r != 'b')" },
      uid: { expression: 'string(claims.org.id)' },
      extra: [
        { key: 'example.com/email', valueExpression: 'claims.email' },
        { key: 'example.com/none', valueExpression: 'claims.empty' },
      ],
    }),
    { name: 'u-ann', groups: ['a'], uid: '7', extra: { 'example.com/email': ['ann@example.com'] } },
  );
  const sub = { username: { claim: 'sub', prefix: '' } };
  for (const [mappings, more, text] of [
    [{ username: { claim: 'nick', prefix: '' } }, {}, 'oidc: parse username claims "nick": claim not present'],
    [{ username: { expression: 'claims.empty' } }, {}, 'oidc: empty username via CEL expression is not allowed'],
    [
      { username: { expression: 'claims.roles' } },
      {},
      'oidc: error evaluating username claim expression: username claim expression must return a string',
    ],
    [sub, { claimValidationRules: [{ claim: 'hd', requiredValue: 'x' }] }, 'oidc: required claim hd not present in ID token'],
    [
      sub,
      { claimValidationRules: [{ claim: 'sub', requiredValue: 'x' }] },
      'oidc: required claim sub value does not match. Got = ann, want = x',
    ],
    [
      sub,
      { claimValidationRules: [{ expression: "claims.sub == 'bob'", message: 'only bob' }] },
      "oidc: error evaluating claim validation expression: validation expression 'claims.sub == 'bob'' failed: only bob",
    ],
    [
      sub,
      { userValidationRules: [{ expression: "!user.username.startsWith('a')" }] },
      "oidc: error evaluating user info validation rule: validation expression '!user.username.startsWith('a')' failed",
    ],
  ] as const)
    assert.throws(() => mapping(mappings as never, more), { message: text });
});

test('expressions that do not compile, or trust an email that nobody verified, are refused at the start', () => {
  const made = (username: object, more: object = {}) =>
    new ClaimMapper({ ...plain, claimMappings: { username, ...more } } as never, 'jwt[0]');
  assert.throws(
    () => made({ expression: 'claims.' }),
    /^Error: jwt\[0\]\.claimMappings\.username\.expression: Invalid value: "claims\.": compilation failed/,
  );
  assert.throws(() => made({ expression: 'claims.email' }), /claims\.email_verified must be used in/);
  made({ expression: "claims.email_verified ? claims.email : ''" });
});

test('configurationErrors() says what is wrong and where', () => {
  for (const [jwt, text] of [
    [
      { issuer: { url: 'http://x', audiences: ['a'] }, claimMappings: plain.claimMappings },
      'jwt[0].issuer.url: Invalid value: "http://x": URL scheme must be https',
    ],
    [{ issuer: { url: '', audiences: ['a'] }, claimMappings: plain.claimMappings }, 'jwt[0].issuer.url: Required value'],
    [
      { issuer: { url: 'https://own', audiences: ['a'] }, claimMappings: plain.claimMappings },
      'jwt[0].issuer.url: Invalid value: "https://own": URL must not overlap with disallowed issuers: [https://own]',
    ],
    [
      { issuer: { ...issuer, audiences: [] }, claimMappings: plain.claimMappings },
      'jwt[0].issuer.audiences: Required value: at least one jwt[0].issuer.audiences is required',
    ],
    [
      { issuer: { ...issuer, audiences: ['a', 'b'] }, claimMappings: plain.claimMappings },
      'jwt[0].issuer.audienceMatchPolicy: Invalid value: "": audienceMatchPolicy must be MatchAny for multiple audiences',
    ],
    [{ issuer, claimMappings: { username: {} } }, 'jwt[0].claimMappings.username: Required value: claim or expression is required'],
    [
      { issuer, claimMappings: { username: { claim: 'sub' } } },
      'jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing',
    ],
    [{ ...plain, claimValidationRules: [{}] }, 'jwt[0].claimValidationRules[0]: Required value: claim or expression is required'],
    [plain, undefined],
  ] as const)
    assert.deepEqual(configurationErrors({ ...form, jwt: [jwt as never] }, ['https://own']), text === undefined ? [] : [text]);
  assert.match(configurationErrors({ kind: 'X' }, [])[0]!, /^no kind "X" is registered for version ""/);
});

test('configurationOfFlags() prefixes names that could be anybody', () => {
  for (const [flags, prefix] of [
    [{}, 'https://issuer.example#'],
    [{ usernameClaim: 'email' }, ''],
    [{ usernamePrefix: '-' }, ''],
    [{ usernamePrefix: 'oidc:' }, 'oidc:'],
  ] as const) {
    const { jwt } = configurationOfFlags({ issuerUrl: issuer.url, clientId: 'k', ...flags });
    assert.equal(jwt![0]!.claimMappings.username.prefix, prefix);
  }
});
