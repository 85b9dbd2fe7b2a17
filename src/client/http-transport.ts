import type { ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from 'node:http2';
import type { Clock } from '#machinery/clock';
import { sleep } from '#machinery/clock';
import { failure, serviceUnavailable, StatusError } from '#machinery/status';
import type { ApiCall, Transport, WatchEvent, WatchHandle } from './contract.ts';
import { HttpSession } from './http-session.ts';
import { withoutNulls } from './nulls.ts';
import { acceptOf, methods, patchMediaTypes, pathOf } from './path.ts';

type Status = StatusError['status'];

export interface HttpTransportOptions {
  /** "https://host:port". */
  server: string;
  clock: Clock;
  /** PEM of the authority that the server's certificate must come from. */
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  /** In place of cert and key: asked at each new connection, for certificates that rotate. */
  identity?: () => { cert: string | Buffer; key: string | Buffer } | undefined;
  /** A bearer token; a function is asked at each request, for tokens that rotate. */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  basic?: { username: string; password: string };
  insecureSkipVerify?: boolean;
  serverName?: string;
  userAgent?: string;
  impersonate?: { user: string; groups?: string[]; uid?: string };
  /** Lists and watches come without managedFields, often the larger half of an object: for programs that keep many and look at them alone. */
  withoutManagedFields?: boolean;
  /** The connection to use, in place of one of its own: for many identities by token to one server. Who made it closes it. */
  session?: HttpSession;
}

export interface HttpTransport extends Transport {
  raw(path: string, signal?: AbortSignal): Promise<unknown>;
  /** The next request goes over a new connection: after a certificate was renewed. */
  reconnect(): void;
  close(): Promise<void>;
}

/** Tries of one request that the server asks to come back later. upstream: client-go rest/with_retry.go. */
const maxTries = 10;

const unreachable = (server: string, cause: unknown): StatusError => {
  const error = serviceUnavailable(`Cannot reach ${server}: ${cause instanceof Error ? cause.message : String(cause)}`);
  return new StatusError(error.status, { cause });
};

/** A failed answer as StatusError: the Status in its body, or one made from the code. */
function failureOf(code: number, text: string, path: string): StatusError {
  try {
    const body = JSON.parse(text) as Status & { kind?: string };
    if (body.kind === 'Status' && body.status !== 'Success') return new StatusError({ ...body, code: body.code ?? code });
  } catch {
    // Not JSON: proxies answer with text or HTML, shown in the message below.
  }
  const reason =
    (
      {
        400: 'BadRequest',
        401: 'Unauthorized',
        403: 'Forbidden',
        404: 'NotFound',
        405: 'MethodNotAllowed',
        406: 'NotAcceptable',
        409: 'Conflict',
        410: 'Gone',
        413: 'RequestEntityTooLarge',
        415: 'UnsupportedMediaType',
        422: 'Invalid',
        429: 'TooManyRequests',
        500: 'InternalError',
        503: 'ServiceUnavailable',
        504: 'Timeout',
      } as const
    )[code] ?? '';
  return failure(code, reason, `the server answered ${path} with ${code}: ${text.slice(0, 500).trim()}`);
}

/** A connection that several transports can share. */
export const httpSession = (options: Omit<HttpTransportOptions, 'session'>): HttpSession =>
  new HttpSession({
    server: options.server,
    clock: options.clock,
    ca: options.ca,
    identity: options.identity ?? (options.cert && options.key ? () => ({ cert: options.cert!, key: options.key! }) : undefined),
    insecureSkipVerify: options.insecureSkipVerify,
    serverName: options.serverName,
  });

/** The API over HTTP/2 with JSON, one connection. A lost connection is a StatusError ServiceUnavailable; the next request connects anew. */
export function httpTransport(options: HttpTransportOptions): HttpTransport {
  const { server, clock } = options;
  const session = options.session ?? httpSession(options);

  const headersFor = async (method: string, path: string, accept: string): Promise<Record<string, string | string[]>> => {
    const token = typeof options.token === 'function' ? await options.token() : options.token;
    return {
      ':method': method,
      ':path': path,
      accept,
      'user-agent': options.userAgent ?? 'coxswain',
      ...(token && { authorization: `Bearer ${token}` }),
      ...(options.basic && {
        authorization: `Basic ${Buffer.from(`${options.basic.username}:${options.basic.password}`).toString('base64')}`,
      }),
      ...(options.impersonate && {
        'impersonate-user': options.impersonate.user,
        ...(options.impersonate.uid && { 'impersonate-uid': options.impersonate.uid }),
        ...(options.impersonate.groups?.length && { 'impersonate-group': options.impersonate.groups }),
      }),
    };
  };

  /** Sends, and resolves with the answer's head; the body is still to be read from the stream. */
  const open = async (
    headers: Record<string, string | string[]>,
    body: Buffer | undefined,
    signal: AbortSignal | undefined,
  ): Promise<{ stream: ClientHttp2Stream; head: IncomingHttpHeaders & IncomingHttpStatusHeader }> => {
    signal?.throwIfAborted();
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(headers, { endStream: body === undefined, ...(signal && { signal }) });
    } catch (error) {
      // The session went down between two requests: the next one makes a new one.
      session.reconnect();
      throw error instanceof StatusError ? error : unreachable(server, error);
    }
    return new Promise((resolve, reject) => {
      let answered = false;
      stream.once('response', (head) => {
        answered = true;
        resolve({ stream, head });
      });
      stream.on('error', (error) => reject(signal?.aborted ? (signal.reason as Error) : unreachable(server, error)));
      stream.once('close', () => {
        if (!answered) reject(unreachable(server, new Error('the connection was closed')));
      });
      if (body) stream.end(body);
    });
  };

  const readAll = (stream: ClientHttp2Stream, signal: AbortSignal | undefined): Promise<string> =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let ended = false;
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('end', () => {
        ended = true;
        resolve(Buffer.concat(chunks).toString('utf8'));
      });
      stream.once('error', (error) => reject(signal?.aborted ? (signal.reason as Error) : unreachable(server, error)));
      stream.once('close', () => {
        if (!ended) reject(unreachable(server, new Error('the answer ended early')));
      });
    });

  const exchange = async (method: string, path: string, accept: string, content?: { type: string; body: Buffer }, signal?: AbortSignal) => {
    for (let tries = 1; ; tries++) {
      const headers = await headersFor(method, path, accept);
      if (content) Object.assign(headers, { 'content-type': content.type, 'content-length': String(content.body.length) });
      const { stream, head } = await open(headers, content?.body, signal);
      const code = head[':status'] ?? 0;
      const text = await readAll(stream, signal);
      if (code >= 200 && code < 300) return text;
      const retryAfter = Number(head['retry-after']);
      if ((code === 429 || code >= 500) && retryAfter >= 0 && head['retry-after'] !== undefined && tries < maxTries) {
        await sleep(clock, retryAfter * 1000, signal);
        continue;
      }
      throw failureOf(code, text, path);
    }
  };

  const trimmed = (object: unknown): void => {
    const metadata = (object as { metadata?: { managedFields?: unknown } }).metadata;
    if (metadata?.managedFields !== undefined) delete metadata.managedFields;
  };

  return {
    async call(call: ApiCall) {
      const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
      const text = await exchange(
        methods[call.verb],
        pathOf(call),
        acceptOf(call.metadataOnly, call.verb === 'list'),
        body && { type: call.verb === 'patch' ? patchMediaTypes[call.patchType ?? 'merge'] : 'application/json', body },
        call.signal,
      );
      if (!text) return undefined;
      const answer = withoutNulls(text, call.kind, JSON.parse(text));
      if (options.withoutManagedFields && call.verb === 'list')
        for (const item of (answer as { items?: unknown[] }).items ?? []) trimmed(item);
      return answer;
    },

    async watch(call, sink): Promise<WatchHandle> {
      const cut = new AbortController();
      const signal = call.signal ? AbortSignal.any([call.signal, cut.signal]) : cut.signal;
      const path = pathOf(call, { watch: 'true' });
      const { stream, head } = await open(await headersFor('GET', path, acceptOf(call.metadataOnly, false)), undefined, signal);
      const code = head[':status'] ?? 0;
      if (code !== 200) throw failureOf(code, await readAll(stream, signal), path);
      const done = new Promise<void>((resolve, reject) => {
        let rest: Buffer[] = [];
        const line = (text: string): void => {
          const event = JSON.parse(text) as { type: string; object: unknown };
          if (event.type === 'ERROR') {
            const status = event.object as Status;
            reject(new StatusError({ ...status, code: status.code ?? 500 }));
            cut.abort();
          } else {
            withoutNulls(text, call.kind, event.object);
            if (options.withoutManagedFields) trimmed(event.object);
            sink(event as WatchEvent);
          }
        };
        stream.on('data', (chunk: Buffer) => {
          let from = 0;
          for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
            if (cut.signal.aborted) return;
            const piece = chunk.subarray(from, at);
            from = at + 1;
            const text = rest.length ? Buffer.concat([...rest, piece]).toString('utf8') : piece.toString('utf8');
            rest = [];
            try {
              if (text) line(text);
            } catch (error) {
              reject(unreachable(server, error));
              cut.abort();
            }
          }
          if (from < chunk.length) rest.push(chunk.subarray(from));
        });
        stream.once('end', resolve);
        stream.once('error', (error) => (signal.aborted ? resolve() : reject(unreachable(server, error))));
        stream.once('close', () => (signal.aborted ? resolve() : reject(unreachable(server, new Error('the watch was cut')))));
      });
      // Whoever holds the handle hears of a failure; whoever does not must not bring the process down.
      done.catch(() => undefined);
      return { done, stop: () => cut.abort() };
    },

    async raw(path, signal) {
      const text = await exchange('GET', path, 'application/json, */*', undefined, signal);
      return JSON.parse(text) as unknown;
    },
    reconnect: () => session.reconnect(),
    close: () => (options.session ? Promise.resolve() : session.close()),
  };
}
