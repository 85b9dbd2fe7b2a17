/** One request and its answer, the same over HTTP/1.1 and HTTP/2. */
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { Exchange, Headers } from '../proxy/contract.ts';

const clientGone = new Error('the client went away');

abstract class BaseExchange {
  /** Made when somebody asks for the signal: most requests are over before that. */
  #abort: AbortController | undefined;
  responded = false;
  gone = false;

  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.gone) this.#abort.abort(clientGone);
    }
    return this.#abort.signal;
  }

  protected leave(): void {
    if (this.gone) return;
    this.gone = true;
    this.#abort?.abort(clientGone);
  }

  protected once(): void {
    if (this.responded) throw new Error('Cannot answer a request twice');
    this.responded = true;
  }
}

export class Http2Exchange extends BaseExchange implements Exchange {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly httpVersion = '2';
  readonly #stream: ServerHttp2Stream;
  #bodyTaken = false;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    super();
    this.#stream = stream;
    this.method = headers[':method'] as string;
    this.url = headers[':path'] as string;
    this.headers = headers as Headers;
    stream.on('close', () => {
      if (!stream.writableEnded) this.leave();
    });
    // Told by 'close' as well; without a listener it would be thrown.
    stream.on('error', () => this.leave());
  }

  get remoteAddress(): string {
    return this.#stream.session?.socket?.remoteAddress ?? '';
  }

  get body(): Readable {
    this.#bodyTaken = true;
    return this.#stream;
  }

  respond(status: number, headers: Headers): Writable {
    this.once();
    this.#discard();
    if (!this.#stream.destroyed && !this.#stream.closed) this.#stream.respond({ ':status': status, ...withoutHopHeaders(headers) });
    return this.#stream;
  }

  end(status: number, headers: Headers, body?: string | Uint8Array): void {
    this.once();
    if (this.#stream.destroyed || this.#stream.closed) return;
    this.#discard();
    const size = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    this.#stream.respond(
      { ':status': status, ...withoutHopHeaders(headers), 'content-length': size },
      { endStream: body === undefined || this.method === 'HEAD' },
    );
    // Ended after the write: a stream that closes with its write under way makes an error, with its stack, that nobody sees.
    if (body !== undefined && this.method !== 'HEAD') this.#stream.write(body, () => this.#stream.end());
  }

  abort(): void {
    this.#stream.close(2);
  }

  /** A body nobody reads would keep its share of the connection's window. */
  #discard(): void {
    if (!this.#bodyTaken) this.#stream.resume();
  }
}

/** HTTP/2 has no connections to speak of. */
function withoutHopHeaders(headers: Headers): Headers {
  if (!('connection' in headers) && !('transfer-encoding' in headers) && !('keep-alive' in headers)) return headers;
  const { connection: _, 'transfer-encoding': __, 'keep-alive': ___, ...rest } = headers;
  return rest;
}

export class Http1Exchange extends BaseExchange implements Exchange {
  readonly httpVersion = '1.1';
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    super();
    this.#request = request;
    this.#response = response;
    response.on('close', () => {
      if (!response.writableEnded) this.leave();
    });
    response.on('error', () => this.leave());
  }

  get method(): string {
    return this.#request.method ?? 'GET';
  }

  get url(): string {
    return this.#request.url ?? '/';
  }

  get headers(): Headers {
    return this.#request.headers;
  }

  get remoteAddress(): string {
    return this.#request.socket.remoteAddress ?? '';
  }

  get body(): Readable {
    return this.#request;
  }

  respond(status: number, headers: Headers): Writable {
    this.once();
    this.#response.writeHead(status, defined(headers));
    this.#response.flushHeaders();
    return this.#response;
  }

  end(status: number, headers: Headers, body?: string | Uint8Array): void {
    this.once();
    const size = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    this.#response.writeHead(status, { ...defined(headers), 'content-length': size });
    this.#response.end(body);
  }

  abort(error?: Error): void {
    this.#request.destroy(error);
  }
}

/** The answer to an upgrade that is refused: the connection is an ordinary one for one last time. */
export class UpgradeExchange extends BaseExchange implements Exchange {
  readonly httpVersion = '1.1';
  readonly #request: IncomingMessage;
  readonly #socket: Socket;

  constructor(request: IncomingMessage, socket: Socket) {
    super();
    this.#request = request;
    this.#socket = socket;
    socket.on('close', () => this.leave());
    socket.on('error', () => this.leave());
  }

  get method(): string {
    return this.#request.method ?? 'GET';
  }

  get url(): string {
    return this.#request.url ?? '/';
  }

  get headers(): Headers {
    return this.#request.headers;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get body(): Readable {
    return this.#socket;
  }

  respond(status: number, headers: Headers): Writable {
    this.once();
    const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`];
    for (const [name, value] of Object.entries({ ...defined(headers), connection: 'close' }))
      for (const item of Array.isArray(value) ? value : [value]) lines.push(`${name}: ${item}`);
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    return this.#socket;
  }

  end(status: number, headers: Headers, body: string | Uint8Array = ''): void {
    this.respond(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) }).end(body);
  }

  abort(error?: Error): void {
    this.#socket.destroy(error);
  }
}

const defined = (headers: Headers): Record<string, string | string[]> =>
  Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string | string[]] => entry[1] !== undefined));
