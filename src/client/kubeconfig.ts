import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import type { Clock } from '#machinery/clock';
import type { HttpTransport, HttpTransportOptions } from './http-transport.ts';
import { httpTransport } from './http-transport.ts';

interface Named<T> {
  name: string;
  value: T;
}

interface ClusterEntry {
  server: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'tls-server-name'?: string;
  'proxy-url'?: string;
}

interface UserEntry {
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
  token?: string;
  tokenFile?: string;
  username?: string;
  password?: string;
  as?: string;
  'as-groups'?: string[];
  'as-uid'?: string;
  exec?: unknown;
}

interface Kubeconfig {
  'current-context'?: string;
  clusters?: { name: string; cluster: ClusterEntry }[];
  users?: { name: string; user: UserEntry }[];
  contexts?: { name: string; context: { cluster: string; user?: string; namespace?: string } }[];
}

export interface KubeconfigOptions {
  clock: Clock;
  /** Default: the file's current-context. */
  context?: string;
  userAgent?: string;
}

/** What a kubeconfig file says about one context, as options for httpTransport. upstream: client-go tools/clientcmd. */
export function kubeconfigOptions(path: string, options: KubeconfigOptions): HttpTransportOptions & { namespace: string } {
  const config = (parse(readFileSync(path, 'utf8')) ?? {}) as Kubeconfig;
  const name = options.context ?? config['current-context'];
  const context = pick(
    path,
    'context',
    name,
    config.contexts?.map(({ name, context }) => ({ name, value: context })),
  );
  const cluster = pick(
    path,
    'cluster',
    context.cluster,
    config.clusters?.map(({ name, cluster }) => ({ name, value: cluster })),
  );
  const user: UserEntry = context.user
    ? pick(
        path,
        'user',
        context.user,
        config.users?.map(({ name, user }) => ({ name, value: user })),
      )
    : {};
  if (user.exec) throw new Error(`Cannot use ${path}: exec credential plugins are not supported`);
  if (cluster['proxy-url']) throw new Error(`Cannot use ${path}: proxy-url is not supported`);
  const from = dirname(resolve(path));
  const data = (inline: string | undefined, file: string | undefined): Buffer | undefined =>
    inline ? Buffer.from(inline, 'base64') : file ? readFileSync(resolve(from, file)) : undefined;
  const ca = data(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const hasIdentity = user['client-certificate-data'] ?? user['client-certificate'];
  const { tokenFile } = user;
  return {
    server: cluster.server,
    clock: options.clock,
    namespace: context.namespace ?? 'default',
    ...(ca && { ca }),
    ...(hasIdentity && {
      // Read at each connection: kubelets keep a rotating certificate in a file.
      identity: () => {
        const cert = data(user['client-certificate-data'], user['client-certificate']);
        const key = data(user['client-key-data'], user['client-key']);
        return cert && key ? { cert, key } : undefined;
      },
    }),
    ...(user.token ? { token: user.token } : tokenFile ? { token: () => readFileSync(resolve(from, tokenFile), 'utf8').trim() } : {}),
    ...(user.username && { basic: { username: user.username, password: user.password ?? '' } }),
    ...(user.as && {
      impersonate: {
        user: user.as,
        ...(user['as-groups'] && { groups: user['as-groups'] }),
        ...(user['as-uid'] && { uid: user['as-uid'] }),
      },
    }),
    ...(cluster['insecure-skip-tls-verify'] && { insecureSkipVerify: true }),
    ...(cluster['tls-server-name'] && { serverName: cluster['tls-server-name'] }),
    ...(options.userAgent && { userAgent: options.userAgent }),
  };
}

export const kubeconfigTransport = (path: string, options: KubeconfigOptions): HttpTransport =>
  httpTransport(kubeconfigOptions(path, options));

function pick<T>(path: string, what: string, name: string | undefined, entries: Named<T>[] | undefined): T {
  const found = entries?.find((entry) => entry.name === name);
  if (!found) throw new Error(`Cannot use ${path}: it has no ${what} named ${name ? JSON.stringify(name) : '(none is current)'}`);
  return found.value;
}
