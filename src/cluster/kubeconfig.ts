/** Kubeconfig files: a cluster's own, and its entry in the user's, which is merged and made current, as kind and k3d do. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { KeyPair } from '#machinery/pki';

interface Entry {
  name: string;
  [field: string]: unknown;
}

interface Kubeconfig {
  apiVersion: string;
  kind: string;
  clusters?: Entry[] | null;
  users?: Entry[] | null;
  contexts?: Entry[] | null;
  'current-context'?: string;
  [field: string]: unknown;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The name under which a cluster stands in kubeconfig files. */
export const contextName = (cluster: string): string => (cluster === 'coxswain' ? 'coxswain' : `coxswain-${cluster}`);

export interface KubeconfigRequest {
  cluster: string;
  server: string;
  ca: string;
  user: KeyPair;
}

function kubeconfigOf({ cluster, server, ca, user }: KubeconfigRequest): Kubeconfig {
  const name = contextName(cluster);
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name, user: { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
    preferences: {},
  };
}

export const kubeconfigText = (request: KubeconfigRequest): string => stringify(kubeconfigOf(request));

/** The file that kubectl writes to: the first of KUBECONFIG, else ~/.kube/config. */
export function userKubeconfig(environment: NodeJS.ProcessEnv = process.env): string {
  const first = (environment['KUBECONFIG'] ?? '').split(delimiter).find((path) => path !== '');
  return first ?? join(environment['HOME'] ?? homedir(), '.kube', 'config');
}

function readUser(path: string): Kubeconfig {
  const empty: Kubeconfig = { apiVersion: 'v1', kind: 'Config' };
  if (!existsSync(path)) return empty;
  const config = parse(readFileSync(path, 'utf8')) as unknown;
  if (config === null) return empty;
  if (typeof config !== 'object' || Array.isArray(config)) throw new Error(`Cannot merge into ${path}: it is not a kubeconfig`);
  return config as Kubeconfig;
}

function write(path: string, config: Kubeconfig): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, stringify(config), { mode: 0o600 });
  renameSync(draft, path);
}

const without = (entries: Entry[] | null | undefined, name: string): Entry[] => (entries ?? []).filter((entry) => entry.name !== name);

/** Puts the cluster into the user's file, replacing an older entry of its name, and switches to it. Answers the file's path. */
export function mergeKubeconfig(request: KubeconfigRequest, environment: NodeJS.ProcessEnv = process.env): string {
  const path = userKubeconfig(environment);
  const user = readUser(path);
  const own = kubeconfigOf(request);
  const name = contextName(request.cluster);
  write(path, {
    ...user,
    clusters: [...without(user.clusters, name), ...own.clusters!],
    users: [...without(user.users, name), ...own.users!],
    contexts: [...without(user.contexts, name), ...own.contexts!],
    'current-context': name,
  });
  return path;
}

/** Takes the cluster out of the user's file again; the current context is cleared where it was this one. */
export function removeFromKubeconfig(cluster: string, environment: NodeJS.ProcessEnv = process.env): void {
  const path = userKubeconfig(environment);
  if (!existsSync(path)) return;
  const user = readUser(path);
  const name = contextName(cluster);
  const has = (entries: Entry[] | null | undefined): boolean => (entries ?? []).some((entry) => entry.name === name);
  if (!has(user.clusters) && !has(user.users) && !has(user.contexts)) return;
  write(path, {
    ...user,
    clusters: without(user.clusters, name),
    users: without(user.users, name),
    contexts: without(user.contexts, name),
    ...(user['current-context'] === name && { 'current-context': '' }),
  });
}
