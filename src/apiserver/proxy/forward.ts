/** Carries a request on to a kubelet, pod or node: plain requests as HTTP, upgrades as a tunnel of bytes. upstream: apimachinery/pkg/util/proxy. */
import { request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { failure, serviceUnavailable } from '#machinery/status';
import type { Exchange, Headers, Upgrade } from './contract.ts';
import type { Location } from './location.ts';

export interface ClientTls {
  cert?: string;
  key?: string;
  /** PEM of the authority of the servers; absent: not verified (pods), unless `systemAuthorities`. */
  ca?: string;
  /** Servers are verified by the authorities the machine knows. */
  systemAuthorities?: boolean;
  /** The name the server's certificate must have, where it is not the host that is dialled. */
  servername?: string;
}

/** Headers that belong to one connection, and those that carry the client's own credentials. */
const dropped = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'authorization',
  'host',
  'http2-settings',
  'impersonate-user',
  'impersonate-group',
  'impersonate-uid',
]);

export function forwardable(headers: Headers): Headers {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !dropped.has(name) && !name.startsWith(':') && !name.startsWith('impersonate-extra-')),
  );
}

const tlsOptions = (tls: ClientTls) => ({
  ...(tls.cert !== undefined && { cert: tls.cert }),
  ...(tls.key !== undefined && { key: tls.key }),
  ...(tls.ca !== undefined ? { ca: tls.ca } : !tls.systemAuthorities && { rejectUnauthorized: false }),
  ...(tls.servername !== undefined && { servername: tls.servername }),
});

/** Asks and resolves with the answer's head; its body follows. */
export function ask(
  location: Location,
  tls: ClientTls,
  request: { method: string; path: string; headers: Headers; body?: Readable; signal: AbortSignal },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      host: location.host,
      port: location.port,
      method: request.method,
      path: request.path,
      headers: {
        host: `${location.host.includes(':') ? `[${location.host}]` : location.host}:${location.port}`,
        ...request.headers,
      } as NonNullable<RequestOptions['headers']>,
      signal: request.signal,
      agent: false,
    };
    const asked = location.scheme === 'https' ? httpsRequest({ ...options, ...tlsOptions(tls) }) : httpRequest(options);
    asked.once('response', resolve);
    asked.once('error', (error) => reject(serviceUnavailable(`error trying to reach service: ${reason(error, location)}`)));
    if (request.body && !['GET', 'HEAD'].includes(request.method)) {
      request.body.pipe(asked);
      request.body.once('error', () => asked.destroy());
    } else asked.end();
  });
}

/** Go's words for a failed connection, which clients know. */
function reason(error: NodeJS.ErrnoException, { host, port }: Location): string {
  const at = `dial tcp ${host}:${port}: `;
  if (error.code === 'ECONNREFUSED') return `${at}connect: connection refused`;
  if (error.code === 'EHOSTUNREACH') return `${at}connect: no route to host`;
  if (error.code === 'ETIMEDOUT') return `${at}i/o timeout`;
  return error.message;
}

/** Changes an answer on its way back. */
export interface Rewrite {
  headers(headers: Headers): Headers;
  /** Called for whole HTML bodies. */
  html(text: string): string;
}

/** HTML beyond this goes through as it is. */
const largestHtml = 8 * 1024 * 1024;

/** Sends the request on and the answer back. `headersFor` changes what is sent of the client's headers. */
export async function forward(
  exchange: Exchange,
  location: Location,
  path: string,
  tls: ClientTls,
  rewrite?: Rewrite,
  headersFor: (headers: Headers) => Headers = (headers) => headers,
): Promise<void> {
  const answer = await ask(location, tls, {
    method: exchange.method,
    path,
    headers: headersFor({ ...forwardable(exchange.headers), 'x-forwarded-for': exchange.remoteAddress }),
    body: exchange.body,
    signal: exchange.signal,
  });
  const code = answer.statusCode ?? 502;
  const headers = rewrite ? rewrite.headers(forwardable(answer.headers)) : forwardable(answer.headers);
  if (exchange.method === 'HEAD') {
    answer.resume();
    exchange.end(code, headers);
    return;
  }
  const isHtml = /^text\/html\b/.test(answer.headers['content-type'] ?? '') && !answer.headers['content-encoding'];
  if (rewrite && isHtml && Number(answer.headers['content-length'] ?? 0) <= largestHtml) {
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    const body = Buffer.from(rewrite.html(Buffer.concat(chunks).toString('utf8')));
    exchange.end(code, { ...headers, 'content-length': String(body.length) }, body);
    return;
  }
  const body = exchange.respond(code, headers);
  try {
    await pipeline(answer, body);
  } catch (error) {
    if (!exchange.signal.aborted) exchange.abort(error as Error);
  }
}

function dial(location: Location, tls: ClientTls): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const target = { host: location.host, port: location.port };
    const socket =
      location.scheme === 'https' ? connectTls({ ...target, ...tlsOptions(tls), ALPNProtocols: ['http/1.1'] }) : connectTcp(target);
    socket.once(location.scheme === 'https' ? 'secureConnect' : 'connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/**
 * Joins the client's connection with one to the target: the target answers the upgrade itself. Resolves when either ends.
 * `identity`: headers that say who asks, instead of those of the same names that the client sent.
 */
export async function tunnel(
  upgrade: Upgrade,
  location: Location,
  path: string,
  tls: ClientTls,
  identity?: { isOne(header: string): boolean; headers: readonly [name: string, value: string][] },
): Promise<void> {
  let target: Socket;
  try {
    target = await dial(location, tls);
  } catch (error) {
    throw failure(500, 'InternalError', `error dialing backend: ${reason(error as NodeJS.ErrnoException, location)}`, undefined, error);
  }
  const { request, socket, head } = upgrade;
  let text = `${request.method} ${path} HTTP/1.1\r\nHost: ${location.host}:${location.port}\r\n`;
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index]!;
    const lower = name.toLowerCase();
    if (lower === 'upgrade' || lower === 'connection' || !dropped.has(lower)) {
      if (lower.startsWith('impersonate-') || identity?.isOne(lower)) continue;
      // A bearer token offered as a WebSocket protocol was for this server only.
      const value =
        lower === 'sec-websocket-protocol'
          ? request.rawHeaders[index + 1]!.split(',')
              .filter((item) => !item.trim().startsWith('base64url.bearer.authorization.k8s.io.'))
              .join(',')
          : request.rawHeaders[index + 1]!;
      text += `${name}: ${value}\r\n`;
    }
  }
  for (const [name, value] of identity?.headers ?? []) text += `${name}: ${value}\r\n`;
  target.write(`${text}\r\n`);
  if (head.length) target.write(head);
  await joined(socket, target);
}

/** Copies both ways until both directions are over. */
function joined(a: Duplex, b: Duplex): Promise<void> {
  a.pipe(b);
  b.pipe(a);
  return new Promise((resolve) => {
    const end = (): void => {
      a.destroy();
      b.destroy();
      resolve();
    };
    for (const side of [a, b]) side.once('error', end).once('close', end);
  });
}
