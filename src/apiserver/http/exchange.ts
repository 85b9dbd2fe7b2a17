/** One request and its answer, the same over HTTP/1.1 and HTTP/2. */
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { errorCode } from '#machinery/http2';
import type { Stream } from '#machinery/http2';
import type { Exchange, Headers, Outgoing } from '../proxy/contract.ts';

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
  readonly #stream: Stream;
  #body: Readable | undefined;
  #out: Writable | undefined;

  constructor(stream: Stream) {
    super();
    this.#stream = stream;
    this.method = stream.head.method;
    this.url = stream.head.path;
    this.headers = stream.head.headers;
    stream.onClose = (complete) => {
      if (complete) return;
      this.leave();
      this.#body?.destroy(clientGone);
      this.#out?.destroy(clientGone);
    };
  }

  get remoteAddress(): string {
    return (this.#stream.connection.socket as Socket).remoteAddress ?? '';
  }

  get body(): Readable {
    return (this.#body ??= heard(readableOf(this.#stream)));
  }

  collect(limit: number): Promise<Uint8Array | undefined> {
    if (this.gone) return Promise.reject(clientGone);
    const stream = this.#stream;
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>();
    const chunks: Uint8Array[] = [];
    let size = 0;
    const before = stream.onClose;
    stream.onClose = (complete) => {
      before?.(complete);
      reject(clientGone);
    };
    stream.receive({
      data(chunk) {
        size += chunk.length;
        if (size <= limit) chunks.push(chunk);
        else resolve(undefined);
        stream.consumed(chunk.length);
      },
      end: () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)),
    });
    return promise;
  }

  open(status: number, headers: Headers): Outgoing {
    this.once();
    this.#stream.respond(status, withoutHopHeaders(headers));
    return this.#stream;
  }

  respond(status: number, headers: Headers): Writable {
    this.once();
    this.#stream.respond(status, withoutHopHeaders(headers));
    return (this.#out ??= heard(writableOf(this.#stream)));
  }

  end(status: number, headers: Headers, body?: string | Uint8Array): void {
    this.once();
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const all = withoutHopHeaders(headers);
    if (!bytes?.length || this.method === 'HEAD') {
      this.#stream.respond(status, all, true, bytes?.length ?? 0);
      return;
    }
    this.#stream.respond(status, all, false, bytes.length);
    this.#stream.end(bytes);
  }

  abort(): void {
    this.#stream.reset(errorCode.internalError);
  }
}

/** A client that goes is told by the exchange as well; an error without a listener would be thrown. */
function heard<T extends Readable | Writable>(stream: T): T {
  stream.on('error', () => undefined);
  return stream;
}

function readableOf(stream: Stream): Readable {
  let taken = 0;
  const more = (): void => {
    stream.consumed(taken);
    taken = 0;
  };
  const body = new Readable({ read: more });
  stream.receive({
    data(chunk) {
      taken += chunk.length;
      if (body.push(chunk)) more();
    },
    end: () => void body.push(null),
  });
  return body;
}

const writableOf = (stream: Stream): Writable =>
  new Writable({
    highWaterMark: 64 * 1024,
    write: (chunk: Uint8Array, _encoding, done) => stream.write(chunk, done),
    final(done) {
      stream.end();
      done();
    },
    destroy(error, done) {
      if (!stream.ended) stream.reset();
      done(error);
    },
  });

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

  collect(limit: number): Promise<Uint8Array | undefined> {
    return collected(this.#request, limit);
  }

  open(status: number, headers: Headers): Outgoing {
    return outgoing(this.respond(status, headers));
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

  collect(limit: number): Promise<Uint8Array | undefined> {
    return collected(this.#socket, limit);
  }

  open(status: number, headers: Headers): Outgoing {
    return outgoing(this.respond(status, headers));
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

function collected(body: Readable, limit: number): Promise<Uint8Array | undefined> {
  if (body.closed) return Promise.reject(clientGone);
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>();
  const chunks: Uint8Array[] = [];
  let size = 0;
  body.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else resolve(undefined);
  });
  body.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
  body.on('error', reject);
  body.on('close', () => reject(clientGone));
  return promise;
}

const outgoing = (out: Writable): Outgoing => ({
  get backlog() {
    return out.writableLength;
  },
  get closed() {
    return out.destroyed || out.writableEnded;
  },
  write: (bytes, done) => void out.write(bytes, done && (() => done())),
  end: () => void out.end(),
});
