/** etcd, kube-apiserver, kube-controller-manager and kube-scheduler, any of them, in a network namespace of their own. */
import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '#machinery/clock';
import { clusterCertificates, filePems } from '../../src/cluster/certificates.ts';
import { createHub, hubAddress, hubOf, inNamespace, removeNetwork } from './network.ts';
import { commandOf, Programs } from './programs.ts';
import type { Ours } from './programs.ts';

export type ControlPlanePart = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

export interface UpstreamControlPlaneOptions {
  /** Part of the namespaces' names. */
  name: string;
  directory: string;
  /** Default: all four. */
  parts?: ControlPlanePart[];
  /** Further flags of a part; the last of a name counts. */
  flags?: Partial<Record<ControlPlanePart, string[]>>;
  nodes?: number;
  /** Parts that are ours, by upstream's names. Default: none. */
  ours?: Ours;
}

export interface UpstreamControlPlane extends AsyncDisposable {
  directory: string;
  programs: Programs;
  /** What to put before a command that is to speak to it. */
  enter: string[];
  server: string;
  /** Bearer token of system:masters, and of the others: their name. */
  token: string;
  /** Path of the kubeconfig of one who speaks to it. */
  kubeconfig(user: string): string;
  ca: string;
  certificates: string;
  /** From the first process's start to /readyz. */
  readyMilliseconds: number;
  stop(): Promise<void>;
}

const run = promisify(execFile);
const serviceRange = '10.96.0.0/16';
export const server = `https://${hubAddress}:6443`;

export const usersOf = (nodes: number): [name: string, user: string, groups?: string][] => [
  ['admin', 'admin', 'system:masters'],
  ['kube-controller-manager', 'system:kube-controller-manager'],
  ['kube-scheduler', 'system:kube-scheduler'],
  ['kube-proxy', 'system:kube-proxy'],
  ...Array.from({ length: nodes }, (_, index): [string, string, string] => [`n${index + 1}`, `system:node:n${index + 1}`, 'system:nodes']),
];

/** A kubeconfig that shows a token. */
export const tokenKubeconfig = (token: string, ca: string, address = server): string =>
  `apiVersion: v1
kind: Config
clusters: [{name: upstream, cluster: {server: "${address}", certificate-authority: ${ca}}}]
users: [{name: user, user: {token: ${token}}}]
contexts: [{name: context, context: {cluster: upstream, user: user}}]
current-context: context
`;

export async function startControlPlane(options: UpstreamControlPlaneOptions): Promise<UpstreamControlPlane> {
  const { name, directory, nodes = 0, flags = {} } = options;
  const parts = options.parts ?? ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];
  const pki = join(directory, 'pki');
  mkdirSync(pki, { recursive: true });
  const made = clusterCertificates({
    clock: systemClock,
    pems: filePems(pki),
    clusterDomain: 'cluster.local',
    apiAddresses: [hubAddress, '10.96.0.1'],
  });
  writeFileSync(join(pki, 'sa.pub'), createPublicKey(made.serviceAccountKey).export({ type: 'spki', format: 'pem' }));
  const users = usersOf(nodes);
  writeFileSync(join(directory, 'tokens.csv'), users.map(([token, user, groups = '']) => `${token},${user},${token},${groups}\n`).join(''));
  for (const [token] of users) writeFileSync(join(directory, `${token}.kubeconfig`), tokenKubeconfig(token, join(pki, 'ca.crt')));
  const kubeconfig = (user: string): string => join(directory, `${user}.kubeconfig`);
  const programs = new Programs(directory);
  const stop = async (): Promise<void> => {
    await programs.stopAll();
    await removeNetwork(name);
  };
  try {
    createHub(name);
    const enter = inNamespace(hubOf(name));
    const start = (part: ControlPlanePart, given: Record<string, string | number | boolean>): void => {
      if (!parts.includes(part)) return;
      const own = Object.entries(given).map(([flag, value]) => `--${flag}=${value}`);
      programs.start(part, [...enter, ...commandOf(part, options.ours), ...own, ...(flags[part] ?? [])]);
    };
    const started = performance.now();
    start('etcd', { 'data-dir': join(directory, 'etcd'), 'log-level': 'error' });
    start('kube-apiserver', {
      'etcd-servers': 'http://127.0.0.1:2379',
      'service-cluster-ip-range': serviceRange,
      'advertise-address': hubAddress,
      'bind-address': '0.0.0.0',
      'secure-port': 6443,
      'tls-cert-file': join(pki, 'apiserver.crt'),
      'tls-private-key-file': join(pki, 'apiserver.key'),
      'client-ca-file': join(pki, 'ca.crt'),
      'service-account-key-file': join(pki, 'sa.pub'),
      'service-account-signing-key-file': join(pki, 'sa.key'),
      'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
      'authorization-mode': 'Node,RBAC',
      'enable-admission-plugins': 'NodeRestriction',
      'token-auth-file': join(directory, 'tokens.csv'),
      'kubelet-client-certificate': join(pki, 'apiserver-kubelet-client.crt'),
      'kubelet-client-key': join(pki, 'apiserver-kubelet-client.key'),
      'kubelet-preferred-address-types': 'InternalIP',
      'allow-privileged': true,
      'enable-aggregator-routing': true,
      'requestheader-client-ca-file': join(pki, 'front-proxy-ca.crt'),
      'requestheader-allowed-names': 'front-proxy-client',
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-username-headers': 'X-Remote-User',
      'proxy-client-cert-file': join(pki, 'front-proxy-client.crt'),
      'proxy-client-key-file': join(pki, 'front-proxy-client.key'),
    });
    if (parts.includes('kube-apiserver')) await programs.until('kube-apiserver', () => isReady(enter), 120);
    const readyMilliseconds = performance.now() - started;
    start('kube-controller-manager', {
      kubeconfig: kubeconfig('kube-controller-manager'),
      'leader-elect': false,
      'use-service-account-credentials': true,
      'service-account-private-key-file': join(pki, 'sa.key'),
      'root-ca-file': join(pki, 'ca.crt'),
      'cluster-signing-cert-file': join(pki, 'ca.crt'),
      'cluster-signing-key-file': join(pki, 'ca.key'),
      'allocate-node-cidrs': true,
      'cluster-cidr': '10.91.0.0/16',
      'service-cluster-ip-range': serviceRange,
      controllers: '*,bootstrapsigner,tokencleaner',
    });
    start('kube-scheduler', { kubeconfig: kubeconfig('kube-scheduler'), 'leader-elect': false });
    return {
      directory,
      programs,
      enter,
      server,
      token: 'admin',
      kubeconfig,
      ca: join(pki, 'ca.crt'),
      certificates: pki,
      readyMilliseconds,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function isReady(enter: string[]): Promise<boolean> {
  const [command, ...before] = enter;
  try {
    const { stdout } = await run(command!, [...before, 'curl', '-sk', '-m', '2', '-H', 'Authorization: Bearer admin', `${server}/readyz`]);
    return stdout === 'ok';
  } catch {
    return false;
  }
}

export const isControlPlane = (directory: string): boolean => existsSync(join(directory, 'tokens.csv'));
