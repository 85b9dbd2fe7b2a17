/** `coxswain etcd`: etcd's API over Coxswain's store on this machine's disk, for any API server. upstream: etcd server/etcdmain. */
import { etcdServer, lmdbStore } from '#store';
import type { ListenTarget, ServerTls } from '#store';
import { Disposables, running } from '#machinery/lifecycle';
import type { FlagValues } from '../flags/table.ts';
import { runComponent } from './component.ts';
import { etcdFlags } from './etcd-flags.ts';

/** gRPC's address of a URL to listen on, and how. Without TLS only where nobody else can reach it. */
function listenTarget(url: string, tls: ServerTls | undefined): ListenTarget {
  if (url.startsWith('unix:')) return { address: url, tls: 'insecure' };
  const parsed = parsedUrl('listen-client-urls', url);
  const address = `${parsed.hostname}:${parsed.port || '2379'}`;
  if (parsed.protocol === 'https:') {
    if (!tls) throw new Error(`--listen-client-urls ${url} needs --cert-file and --key-file`);
    return { address, tls };
  }
  if (!/^(localhost|127\..*|\[::1\])$/.test(parsed.hostname))
    throw new Error(
      `--listen-client-urls ${url} would serve everything to everybody: without TLS coxswain listens on loopback addresses alone`,
    );
  return { address, tls: 'insecure' };
}

/** The same where health and metrics are told, which everybody may see. */
function metricsTarget(url: string, tls: ServerTls | undefined): ListenTarget {
  const { hostname, port, protocol } = parsedUrl('listen-metrics-urls', url);
  if (protocol !== 'https:') return { address: `${hostname}:${port || '80'}`, tls: 'insecure' };
  if (!tls) throw new Error(`--listen-metrics-urls ${url} needs --cert-file and --key-file`);
  return { address: `${hostname}:${port || '443'}`, tls };
}

function parsedUrl(flag: string, url: string): URL {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (error) {
    throw new Error(`--${flag}: ${url} is not a URL`, { cause: error });
  }
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:')
    throw new Error(`--${flag}: ${url} must begin with https://, http:// or unix://`);
  return parsed;
}

function tlsOf(values: FlagValues<typeof etcdFlags>): ServerTls | undefined {
  const certificate = values['cert-file'];
  const key = values['key-file'];
  const clientCa = values['trusted-ca-file'];
  if (values['client-cert-auth'] && clientCa === '') throw new Error('--client-cert-auth needs --trusted-ca-file');
  if (values['tls-min-version'] !== 'TLS1.2' && values['tls-min-version'] !== '')
    throw new Error(`--tls-min-version ${values['tls-min-version']} is not supported by coxswain: it is TLS1.2`);
  if (certificate === '' && key === '') return undefined;
  if (certificate === '' || key === '') throw new Error('--cert-file and --key-file must be given together');
  return { certificate, key, ...(clientCa && { clientCa }) };
}

export const etcd = (parameters: string[]): Promise<number> =>
  runComponent(
    {
      name: 'etcd',
      about: "etcd's API over Coxswain's store: one member, durable, no raft.",
      flags: etcdFlags,
      flagStyle: 'go',
      version: 'etcd Version: 3.6.6\n(its API; the store is coxswain)',
      async start({ values }, { clock, log }) {
        if (values['initial-cluster'].split(',').length > 1) throw new Error('--initial-cluster names several members: coxswain has one');
        if (values['initial-cluster-state'] !== 'new')
          throw new Error('--initial-cluster-state existing is not supported: coxswain has one member');
        const tls = tlsOf(values);
        const targets = values['listen-client-urls'].map((url) => listenTarget(url, tls));
        const metrics = values['listen-metrics-urls'].map((url) => metricsTarget(url, tls));
        const path = values['data-dir'].replace('${name}', values.name);
        const held = new Disposables();
        try {
          const store = await lmdbStore({
            path,
            clock,
            ...(values['quota-backend-bytes'] && { quotaBytes: values['quota-backend-bytes'] }),
          });
          held.add(() => store.close());
          for (const [index, target] of targets.entries()) {
            const server = await etcdServer({
              store,
              clock,
              ...target,
              metrics: index === 0 ? metrics : [],
              advertise: values['advertise-client-urls'][0] ?? '',
              name: values.name,
              maxRequestBytes: values['max-request-bytes'],
            });
            held.add(() => server.close());
            log.info('Serving clients', { address: target.address, tls: target.tls !== 'insecure', data: path });
          }
        } catch (error) {
          await held.dispose();
          throw error;
        }
        return running(() => held.dispose());
      },
    },
    parameters,
  );
