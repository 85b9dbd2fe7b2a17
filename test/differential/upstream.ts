/** Upstream's kube-apiserver over its etcd, from the binaries that conformance/tools/build.sh makes, on free ports of the loopback. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { systemClock } from '#machinery/clock';
import { createCa, createSigningKey, issue } from '#machinery/pki';
import { HttpPeer } from './http-peer.ts';
import type { Peer } from './peer.ts';
import { issuer, serviceCidr, users } from './setup.ts';

const binaries = process.env['COXSWAIN_UPSTREAM_BIN'] ?? join(homedir(), '.cache/coxswain-conformance/bin');

/** Why upstream cannot be asked here; undefined where it can. */
export const upstreamMissing = (): string | undefined =>
  ['kube-apiserver', 'etcd'].every((name) => existsSync(join(binaries, name)))
    ? undefined
    : `kube-apiserver and etcd are not in ${binaries}: conformance/tools/build.sh peers`;

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export async function startUpstream(): Promise<Peer> {
  const directory = mkdtempSync(join(tmpdir(), 'coxswain-upstream-'));
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await Promise.race([ended, wait(3000)]);
      child.kill('SIGKILL');
    }
    rmSync(directory, { recursive: true, force: true });
  };
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const run = (name: string, parameters: string[]): void => {
    const log = openSync(join(directory, `${name}.log`), 'a');
    const child = spawn(join(binaries, name), parameters, { stdio: ['ignore', log, log] });
    child.once('exit', (code) => {
      if (code) console.error(`${name} ended with ${code}; its log: ${join(directory, `${name}.log`)}`);
    });
    children.push(child);
  };
  process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')));
  try {
    const clock = systemClock;
    const ca = createCa('differential', { clock });
    const leaf = issue({
      ca,
      clock,
      commonName: 'server',
      ips: ['127.0.0.1'],
      dnsNames: ['localhost'],
      usages: ['digital signature', 'key encipherment', 'server auth'],
    });
    const proxy = issue({ ca, clock, commonName: 'front-proxy-client', usages: ['digital signature', 'client auth'] });
    const caFile = file('ca.crt', ca.certificate);
    const [client, peer, secure] = [await freePort(), await freePort(), await freePort()];
    run('etcd', [
      `--data-dir=${join(directory, 'etcd')}`,
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
      '--unsafe-no-fsync',
    ]);
    const signing = createSigningKey();
    const key = file('sa.key', signing);
    const publicKey = file('sa.pub', createPublicKey(signing).export({ type: 'spki', format: 'pem' }).toString());
    run('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${client}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${secure}`,
      `--tls-cert-file=${file('server.crt', leaf.certificate)}`,
      `--tls-private-key-file=${file('server.key', leaf.key)}`,
      `--client-ca-file=${caFile}`,
      `--requestheader-client-ca-file=${caFile}`,
      '--requestheader-allowed-names=front-proxy-client',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-username-headers=X-Remote-User',
      `--proxy-client-cert-file=${file('proxy.crt', proxy.certificate)}`,
      `--proxy-client-key-file=${file('proxy.key', proxy.key)}`,
      `--token-auth-file=${file('tokens.csv', users.map(({ token, name, uid, groups }) => `${token},${name},${uid},"${groups.join(',')}"\n`).join(''))}`,
      `--service-account-issuer=${issuer}`,
      `--service-account-key-file=${publicKey}`,
      `--service-account-signing-key-file=${key}`,
      `--service-cluster-ip-range=${serviceCidr}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--enable-bootstrap-token-auth=true',
      '--allow-privileged=true',
      `--cert-dir=${directory}`,
    ]);
    const found: Peer = { name: 'upstream', url: `https://127.0.0.1:${secure}`, ca: ca.certificate, stop };
    const deadline = performance.now() + 90_000;
    for (;;) {
      if (performance.now() > deadline) throw new Error('kube-apiserver is not ready after 90 s');
      if (children.some((child) => child.exitCode !== null)) throw new Error('kube-apiserver or etcd ended');
      try {
        using asked = new HttpPeer(found);
        const { code } = await asked.send({ method: 'GET', path: '/readyz' });
        if (code === 200) return found;
      } catch {
        // Not listening yet.
      }
      await wait(200);
    }
  } catch (error) {
    await stop();
    throw error;
  }
}
