/**
 * The HTTPS port of the controller manager and the scheduler: /healthz, /livez, /readyz, /metrics, /configz, /version. Who asks is known by client
 * certificate or by the API server's word, and may what the API server allows; health is told to everybody.
 * upstream: cmd/kube-scheduler/app/server.go, apiserver/pkg/server/options.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ConfigMap } from '#api';
import { delegatedAccess } from '#client';
import type { Client, DelegatedUser } from '#client';
import { running } from '#machinery/lifecycle';
import type { Context, Running } from '#machinery/lifecycle';
import { processMetrics } from '#machinery/metrics';
import type { KeyPair } from '#machinery/pki';
import { isNotFound, isStatus } from '#machinery/status';
import { kubernetesVersion } from './component.ts';

export interface SecureServingOptions {
  host: string;
  port: number;
  serving: KeyPair;
  /** Asks the API server who somebody is and what he may. Absent: only paths open to all are served. */
  reviews?: Client;
  /** PEM of the authorities of client certificates. */
  clientCa?: string;
  /** Without `clientCa`: believes the authority that the cluster publishes in extension-apiserver-authentication. */
  publishedAuthority?: boolean;
  /** Paths open to all. */
  alwaysAllow: readonly string[];
  /** Undefined when well. */
  health(): string | undefined;
  /** Metrics beside the process's own, in Prometheus' text format. */
  metrics?(): string;
  /** What /configz shows, by name. */
  configz?: Record<string, unknown>;
}

const keep = { token: 10_000, allowed: 10_000, refused: 10_000 };

/** The authority that the cluster publishes for servers beside the API server. */
async function publishedClientCa(client: Client): Promise<string | undefined> {
  try {
    const map = await client.get(ConfigMap, { namespace: 'kube-system', name: 'extension-apiserver-authentication' });
    return map.data?.['client-ca-file'];
  } catch (error) {
    if (isNotFound(error) || isStatus(error, 'Forbidden')) return undefined;
    throw error;
  }
}

export async function secureServing(options: SecureServingOptions, context: Context): Promise<Running> {
  const { serving, reviews, health } = options;
  const { clock, log } = context;
  const startedAt = clock.now();
  const access = reviews && delegatedAccess(reviews, clock, keep);
  const sockets = new Set<Socket>();
  const server = createServer({
    cert: serving.certificate,
    key: serving.key,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    // Never nothing: that would mean the authorities the machine knows.
    ca: options.clientCa ?? [],
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  const userOf = async (request: IncomingMessage): Promise<DelegatedUser | undefined> => {
    const socket = request.socket as TLSSocket;
    if (socket.authorized) {
      const { subject } = socket.getPeerCertificate();
      return { username: String(subject.CN), groups: [...([subject.O ?? []].flat() as string[]), 'system:authenticated'] };
    }
    const token = /^bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token) return access?.userOf(token);
    return { username: 'system:anonymous', groups: ['system:unauthenticated'] };
  };

  const open = (path: string): boolean =>
    options.alwaysAllow.some((allowed) => (allowed.endsWith('*') ? path.startsWith(allowed.slice(0, -1)) : path === allowed));

  const answer = (path: string, response: ServerResponse): void => {
    const send = (code: number, type: string, text: string): void =>
      void response.writeHead(code, { 'Content-Type': type, 'X-Content-Type-Options': 'nosniff' }).end(text);
    const plain = 'text/plain; charset=utf-8';
    switch (path) {
      case '/healthz':
      case '/livez':
      case '/readyz': {
        const problem = health();
        return problem === undefined ? send(200, plain, 'ok') : send(500, plain, `${problem}\n${path.slice(1)} check failed\n`);
      }
      case '/metrics':
        return send(200, 'text/plain; version=0.0.4; charset=utf-8', `${processMetrics(startedAt)}${options.metrics?.() ?? ''}`);
      case '/configz':
        return send(200, 'application/json', JSON.stringify(options.configz ?? {}));
      case '/version':
        return send(
          200,
          'application/json',
          JSON.stringify({ major: '1', minor: '35', gitVersion: kubernetesVersion, platform: `linux/${process.arch}` }),
        );
      default:
        return send(404, plain, '404 page not found\n');
    }
  };

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? '/', 'https://component');
      try {
        if (!open(pathname)) {
          const user = await userOf(request);
          if (!user) return void response.writeHead(401, { 'Content-Type': 'text/plain' }).end('Unauthorized');
          const verb = (request.method ?? 'GET').toLowerCase();
          const allowed = await access?.allowed(user, { nonResourceAttributes: { path: pathname, verb: verb === 'head' ? 'get' : verb } });
          if (!allowed)
            return void response
              .writeHead(403, { 'Content-Type': 'text/plain' })
              .end(`Forbidden (user=${user.username}, verb=${verb}, path=${pathname})\n`);
        }
        answer(pathname, response);
      } catch (error) {
        log.warn('Cannot serve a request', { path: pathname, error });
        if (!response.headersSent) response.writeHead(500, { 'Content-Type': 'text/plain' }).end('Internal Server Error\n');
      }
    })();
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Error(`Cannot listen on ${options.host}:${options.port}: ${error.message}`, { cause: error })),
    );
    server.listen(options.port, options.host, resolve);
  });
  // Client certificates are believed as soon as the API server says whose; health is told before.
  if (!options.clientCa && options.publishedAuthority && reviews)
    void publishedClientCa(reviews).then(
      (ca) => ca && server.setSecureContext({ cert: serving.certificate, key: serving.key, ca }),
      (error: unknown) => log.warn('Client certificates are not believed: the authority is not known', { error }),
    );
  return running(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
}
