/**
 * A gRPC server, as small as etcd's API needs it: five bytes before each message, the outcome in trailers, on our own HTTP/2.
 * grpc-js and node:http2 do the same for several times the work that the store behind it has with a call.
 * upstream: grpc doc/PROTOCOL-HTTP2.md.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Clock } from '#machinery/clock';
import { Connection } from '#machinery/http2';
import type { Stream } from '#machinery/http2';
import { grpcCode } from '../etcd/failures.ts';

/** PEM files. */
export interface ServerTls {
  certificate: string;
  key: string;
  /** Clients must show a certificate of this authority. */
  clientCa?: string;
}

/** How a call ended that did not succeed. */
export interface Failure {
  code: number;
  details: string;
}

/** A call of which more than one message may come or go. */
export interface StreamCall {
  /** Bytes that were sent and that the client has not taken. */
  readonly waiting: number;
  /** Called for each message, in order. Set at once. */
  onMessage: (message: Buffer) => void;
  /** The client will send nothing more. */
  onEnd: () => void;
  /** The call is over, however it ended. */
  onClose: () => void;
  /** `done` is called when it has left, or will not. */
  send(message: Uint8Array, done?: () => void): void;
  end(): void;
  fail(failure: Failure): void;
}

/** One message, one answer. */
export interface UnaryService {
  answer(message: Buffer): Promise<Uint8Array>;
  /** What a client is told of a failed answer. */
  failure(error: unknown): Failure;
}

export interface StreamService {
  serve(call: StreamCall): void;
}

export type Service = UnaryService | StreamService;

export interface GrpcServerOptions {
  /** "127.0.0.1:2379"; "unix:///path". */
  address: string;
  tls: ServerTls | 'insecure';
  /** Path → what answers it. */
  services: ReadonlyMap<string, Service>;
  /** Bytes of one message. */
  maxMessage: number;
  clock: Clock;
}

export interface GrpcServer {
  /** 0 for unix sockets. */
  port: number;
  /** Ends all calls. */
  close(): Promise<void>;
}

/** Calls at once on a connection: etcd sets no limit, and an API server has a watch a resource on one. */
const maxCalls = 10_000;
const streamWindow = 16 * 1024 * 1024;

export async function grpcServer({ address, tls, services, maxMessage, clock }: GrpcServerOptions): Promise<GrpcServer> {
  const connections = new Set<Connection>();
  const accept = (socket: Socket): void => {
    socket.setNoDelay(true);
    const connection = new Connection(socket, {
      clock,
      maxStreams: maxCalls,
      streamWindow,
      maxHeaderBytes: 64 * 1024,
      onRequest(stream) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const call = new Call(stream, maxMessage, resolve);
        const service = services.get(stream.head.path);
        if (!service) call.fail({ code: grpcCode.unimplemented, details: `unknown method ${stream.head.path}` });
        else if ('serve' in service) service.serve(call);
        else call.answer(service);
        stream.receive({ data: (chunk) => call.data(chunk), end: () => call.onEnd() });
        return promise;
      },
      onClose: () => void connections.delete(connection),
    });
    connections.add(connection);
  };
  const server = listenerOf(tls, accept);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const path = /^unix:(?:\/\/)?(.*)$/.exec(address)?.[1];
    if (path !== undefined) return void server.listen(path, resolve);
    const [, host = '127.0.0.1', port = '0'] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
    server.listen(Number(port), host, resolve);
  });
  const bound = server.address() as AddressInfo | string | null;
  return {
    port: bound === null || typeof bound === 'string' ? 0 : bound.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Watches would keep a graceful end waiting for ever: who watches comes back to another server.
        for (const connection of connections) connection.destroy();
      }),
  };
}

function listenerOf(tls: ServerTls | 'insecure', accept: (socket: Socket) => void): Server {
  if (tls === 'insecure') return createServer(accept);
  const server = createTlsServer(
    {
      cert: readFileSync(tls.certificate),
      key: readFileSync(tls.key),
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.2',
      ...(tls.clientCa && { ca: readFileSync(tls.clientCa), requestCert: true, rejectUnauthorized: true }),
    },
    accept,
  );
  // Strangers, and who speaks no TLS.
  server.on('tlsClientError', () => undefined);
  return server;
}

/** As etcd answers: without a date. */
const begin = { 'content-type': 'application/grpc', date: undefined };
const succeeded = { 'grpc-status': '0' };
const prefix = 5;
/** Shorter messages are copied behind their prefix, longer ones follow it. */
const copied = 16 * 1024;
const nothing = (): void => undefined;

class Call implements StreamCall {
  onMessage: (message: Buffer) => void = nothing;
  onEnd = nothing;
  onClose = nothing;
  readonly #stream: Stream;
  readonly #maxMessage: number;
  #received: Buffer[] = [];
  #size = 0;
  #wanted = prefix;
  #begun = false;

  constructor(stream: Stream, maxMessage: number, over: () => void) {
    this.#stream = stream;
    this.#maxMessage = maxMessage;
    stream.onClose = () => {
      over();
      this.onClose();
    };
  }

  get waiting(): number {
    return this.#stream.backlog;
  }

  answer({ answer, failure }: UnaryService): void {
    this.onMessage = (message) => {
      answer(message).then(
        (bytes) => {
          this.send(bytes);
          this.end();
        },
        (error: unknown) => this.fail(failure(error)),
      );
    };
  }

  send(message: Uint8Array, done?: () => void): void {
    this.#begin();
    const whole = message.length < copied;
    const framed = Buffer.allocUnsafe(prefix + (whole ? message.length : 0));
    framed[0] = 0;
    framed.writeUInt32BE(message.length, 1);
    if (whole) framed.set(message, prefix);
    this.#stream.write(framed, whole ? done : undefined);
    if (!whole) this.#stream.write(message, done);
  }

  end(): void {
    this.#begin();
    this.#stream.endWith(succeeded);
  }

  fail({ code, details }: Failure): void {
    const outcome = { 'grpc-status': String(code), 'grpc-message': encodeURIComponent(details) };
    if (this.#begun) this.#stream.endWith(outcome);
    else this.#stream.respond(200, { ...begin, ...outcome }, true);
  }

  /** A part of what the client sends. */
  data(chunk: Buffer): void {
    this.#stream.consumed(chunk.length);
    this.#received.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return;
    let bytes = this.#received.length === 1 ? chunk : Buffer.concat(this.#received);
    this.#wanted = prefix;
    while (bytes.length >= prefix) {
      const length = bytes.readUInt32BE(1);
      if (length > this.#maxMessage)
        return this.fail({
          code: grpcCode.resourceExhausted,
          details: `grpc: received message larger than max (${length} vs. ${this.#maxMessage})`,
        });
      if (bytes[0] !== 0) return this.fail({ code: grpcCode.unimplemented, details: 'compressed messages are not understood' });
      if (bytes.length < prefix + length) {
        this.#wanted = prefix + length;
        break;
      }
      this.onMessage(bytes.subarray(prefix, prefix + length));
      bytes = bytes.subarray(prefix + length);
    }
    this.#received = bytes.length > 0 ? [bytes] : [];
    this.#size = bytes.length;
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#stream.respond(200, begin);
  }
}
