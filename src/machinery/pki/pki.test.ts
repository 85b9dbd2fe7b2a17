import assert from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect, createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { systemClock } from '#machinery/clock';
import { createCa, createRequest, createSigningKey, generateKey, issue, loadPublicKeys, loadSigningKey, parseCertificates } from './mod.ts';
import { parseRequest, signRequest, verifyChain } from './mod.ts';

const clock = systemClock;
const ca = createCa('kubernetes', { clock });
const server = issue({
  ca,
  commonName: 'kube-apiserver',
  dnsNames: ['kubernetes.default.svc', 'localhost'],
  ips: ['127.0.0.1', '10.96.0.1', '::1', 'fd00:10::1'],
  usages: ['digital signature', 'key encipherment', 'server auth'],
  clock,
});
const admin = issue({ ca, commonName: 'kubernetes-admin', organizations: ['system:masters', 'a:ü'], clock });

test('node reads the certificates as they were meant', () => {
  const certificate = new X509Certificate(server.certificate);
  assert.equal(certificate.subject, 'CN=kube-apiserver');
  assert.equal(certificate.issuer, 'CN=kubernetes');
  assert.equal(
    certificate.subjectAltName,
    'DNS:kubernetes.default.svc, DNS:localhost, IP Address:127.0.0.1, IP Address:10.96.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:FD00:10:0:0:0:0:0:1',
  );
  const authority = new X509Certificate(ca.certificate);
  assert.ok(authority.ca);
  assert.ok(certificate.checkIssued(authority));
  assert.ok(certificate.verify(authority.publicKey));
  assert.ok(certificate.checkPrivateKey(createPrivateKey(server.key)));
});

test('parseCertificates() reads back what issue() wrote', () => {
  const [info] = parseCertificates(admin.certificate + server.certificate);
  assert.equal(info!.subject.commonName, 'kubernetes-admin');
  assert.deepEqual(info!.subject.organizations.toSorted(), ['a:ü', 'system:masters']);
  assert.deepEqual(info!.usages, ['digital signature', 'client auth']);
  assert.deepEqual(parseCertificates(server.certificate)[0]!.ips, ['127.0.0.1', '10.96.0.1', '::1', 'fd00:10::1']);
});

test('verifyChain() tells good from bad', () => {
  const roots = parseCertificates(ca.certificate);
  const [leaf] = parseCertificates(admin.certificate);
  const [other] = parseCertificates(issue({ ca: createCa('kubernetes', { clock }), commonName: 'x', clock }).certificate);
  const now = clock.now();
  assert.equal(verifyChain(leaf!, [], roots, now, 'client auth'), undefined);
  assert.match(verifyChain(leaf!, [], roots, now, 'server auth')!, /incompatible key usage/);
  assert.match(verifyChain(leaf!, [], roots, now + 366 * 86_400_000)!, /expired/);
  assert.match(verifyChain(other!, [], roots, now)!, /unknown authority/);
});

test('a TLS server and client with these certificates trust each other', async () => {
  const listener = createServer({ cert: server.certificate, key: server.key, ca: ca.certificate, requestCert: true });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  const accepted = once(listener, 'secureConnection') as Promise<[TLSSocket]>;
  const socket = connect({ port, host: '127.0.0.1', ca: ca.certificate, cert: admin.certificate, key: admin.key });
  await once(socket, 'secureConnect');
  assert.ok(socket.authorized);
  const [peer] = await accepted;
  assert.ok(peer.authorized);
  peer.destroy();
  socket.destroy();
  listener.close();
});

test('a request is read, checked and signed', () => {
  const key = generateKey();
  const pem = createRequest({ key, commonName: 'system:node:a', organizations: ['system:nodes'], dnsNames: ['a'], ips: ['10.0.0.1'] });
  const request = parseRequest(pem);
  assert.deepEqual([request.subject.commonName, request.subject.organizations], ['system:node:a', ['system:nodes']]);
  assert.deepEqual([request.dnsNames, request.ips], [['a'], ['10.0.0.1']]);
  const signed = new X509Certificate(signRequest(request, { ca, clock, usages: ['server auth'], days: 1 }));
  assert.ok(signed.checkPrivateKey(createPrivateKey(key)));
  assert.ok(signed.verify(new X509Certificate(ca.certificate).publicKey));
  const broken = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');
  broken[40]! ^= 1;
  assert.throws(() =>
    parseRequest(`-----BEGIN CERTIFICATE REQUEST-----\n${broken.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`),
  );
});

test('signing keys sign what their public half verifies', () => {
  const signing = loadSigningKey(createSigningKey());
  const data = Buffer.from('a.b');
  const signature = signing.sign(data);
  assert.equal(signature.length, 64);
  assert.ok(signing.verify(data, signature));
  const [fromCertificate] = loadPublicKeys(ca.certificate);
  assert.equal(fromCertificate!.algorithm, 'ES256');
  assert.ok(!fromCertificate!.verify(data, signature));
});
