/**
 * A gRPC server, as small as etcd's API needs it: five bytes before each message, the outcome in trailers, on our own HTTP/2.
 * grpc-js and node:http2 do the same for several times the work that the store behind it has with a call.
 * upstream: grpc doc/PROTOCOL-HTTP2.md.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '#machinery/clock';
import { Connection, headBlock, trailersBlock } from '#machinery/http2';
import type { BodySink, Stream } from '#machinery/http2';
import { grpcCode } from '../etcd/failures.ts';
import { listen, whenKnown } from './listen.ts';
import type { Listening, ListenTarget } from './listen.ts';

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
  /** Nothing waits any more. */
  onEmpty: () => void;
  /** `done` is called when it has left, or will not. */
  send(message: Uint8Array, done?: () => void): void;
  /** Sends a message of which only the head is made for it: that is taken when this returns, the other parts never change. */
  sendParts(head: Uint8Array, parts: readonly Uint8Array[]): void;
  /** All is answered. */
  finish(): void;
  fail(failure: Failure): void;
}

/** A long message that is made as it is sent. */
export interface MessageParts {
  /** Bytes in all. */
  size: number;
  /** The next part, never empty, good until the next call; undefined after the last. */
  next(): Uint8Array | undefined;
}

/** One message, one answer. */
export interface UnaryService<Answer> {
  /** May throw as well as reject. */
  answer(message: Buffer): Promise<Answer> | Answer;
  /** The answer's bytes, which are taken before the next is asked for. */
  encode(answer: Answer): Uint8Array | MessageParts;
  /** What a client is told of a failed answer. */
  failure(error: unknown): Failure;
}

export interface StreamService {
  serve(call: StreamCall): void;
}

export type Service = UnaryService<any> | StreamService;

export interface GrpcServerOptions extends ListenTarget {
  /** Path → what answers it. */
  services: ReadonlyMap<string, Service>;
  /** Bytes of one message. */
  maxMessage: number;
  clock: Clock;
  /** For what is no call of gRPC's. */
  other: {
    /** Who speaks something else than HTTP/2; nothing has been read of it. */
    connection(socket: Socket): void;
    request(stream: Stream): Promise<void>;
  };
}

/** Calls at once on a connection: etcd sets no limit, and an API server has a watch a resource on one. */
const maxCalls = 10_000;
const streamWindow = 16 * 1024 * 1024;

/** Answers when it listens. `close` ends all calls. */
export function grpcServer({ address, tls, services, maxMessage, clock, other }: GrpcServerOptions): Promise<Listening> {
  const accept = (socket: Socket): void => {
    socket.setNoDelay(true);
    void new Connection(socket, {
      clock,
      maxStreams: maxCalls,
      streamWindow,
      maxHeaderBytes: 64 * 1024,
      onRequest(stream) {
        if (!stream.head.headers['content-type']?.startsWith('application/grpc')) return other.request(stream);
        const service = services.get(stream.head.path);
        const call = new Call(stream, maxMessage, service);
        if (!service) call.fail({ code: grpcCode.unimplemented, details: `unknown method ${stream.head.path}` });
        else if ('serve' in service) service.serve(call);
        stream.receive(call);
        return undefined;
      },
      sharedHeads: true,
    });
  };
  // Its end breaks watches: they would keep a graceful one waiting for ever, and who watches comes back to another server.
  return listen({ address, tls }, ['h2', 'http/1.1'], (socket) => {
    if ((socket as TLSSocket).alpnProtocol === 'h2') accept(socket);
    else whenKnown(socket, clock, (http2) => (http2 ? accept(socket) : other.connection(socket)));
  });
}

/** As etcd answers: without a date. */
const begin = { 'content-type': 'application/grpc', date: undefined };
const begun = headBlock(200, begin);
const succeeded = trailersBlock({ 'grpc-status': '0' });
const prefix = 5;
/** That of the message that is sent now. */
const prefixBytes = Buffer.alloc(prefix);
/** Shorter messages leave in one frame with their prefix, longer ones follow it. */
const whole = 16 * 1024 - prefix;
const nothing = (): void => undefined;

class Call implements StreamCall, BodySink {
  onMessage: (message: Buffer) => void = nothing;
  onEnd = nothing;
  onClose = nothing;
  onEmpty = nothing;
  readonly #stream: Stream;
  readonly #maxMessage: number;
  readonly #service: Service | undefined;
  #received: Buffer[] | undefined;
  #size = 0;
  #wanted = prefix;
  #begun = false;

  constructor(stream: Stream, maxMessage: number, service: Service | undefined) {
    this.#stream = stream;
    this.#maxMessage = maxMessage;
    this.#service = service;
    if (!service || !('serve' in service)) return;
    stream.onClose = () => this.onClose();
    stream.onEmpty = () => this.onEmpty();
  }

  get waiting(): number {
    return this.#stream.backlog;
  }

  #message(service: Service | undefined, message: Buffer): void {
    if (!service || 'serve' in service) return this.onMessage(message);
    try {
      const answer: unknown = service.answer(message);
      if (!(answer instanceof Promise)) return this.#answer(service, answer);
      answer.then(
        (made) => this.#answer(service, made),
        (error: unknown) => this.fail(service.failure(error)),
      );
    } catch (error) {
      this.fail(service.failure(error));
    }
  }

  #answer(service: UnaryService<unknown>, answer: unknown): void {
    const message = service.encode(answer);
    if (message instanceof Uint8Array) this.send(message);
    else this.#sendLong(message);
    this.finish();
  }

  send(message: Uint8Array, done?: () => void): void {
    this.#begin();
    prefixBytes.writeUInt32BE(message.length, 1);
    if (message.length <= whole && !done) return this.#stream.writeParts([prefixBytes, message]);
    this.#stream.write(Buffer.from(prefixBytes));
    this.#stream.write(message, done);
  }

  #sendLong({ size, next }: MessageParts): void {
    this.#begin();
    const first = Buffer.alloc(prefix);
    first.writeUInt32BE(size, 1);
    this.#stream.write(first);
    this.#stream.writeAll(size, next);
  }

  sendParts(head: Uint8Array, parts: readonly Uint8Array[]): void {
    this.#begin();
    let size = head.length;
    for (const part of parts) size += part.length;
    prefixBytes.writeUInt32BE(size, 1);
    if (size <= whole) return this.#stream.writeParts([prefixBytes, head, ...parts]);
    this.#stream.write(Buffer.concat([prefixBytes, head]));
    for (const part of parts) this.#stream.write(part);
  }

  finish(): void {
    this.#begin();
    this.#stream.endWith(succeeded);
  }

  fail({ code, details }: Failure): void {
    const outcome = { 'grpc-status': String(code), 'grpc-message': encodeURIComponent(details) };
    if (this.#begun) this.#stream.endWith(outcome);
    else this.#stream.respond(200, { ...begin, ...outcome }, true);
  }

  // ---- what the client sends ----

  end(): void {
    this.onEnd();
  }

  data(chunk: Buffer): void {
    this.#stream.consumed(chunk.length);
    this.#size += chunk.length;
    let bytes = chunk;
    if (this.#received) {
      this.#received.push(chunk);
      if (this.#size < this.#wanted) return;
      bytes = Buffer.concat(this.#received);
    }
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
      this.#message(this.#service, bytes.subarray(prefix, prefix + length));
      bytes = bytes.subarray(prefix + length);
    }
    this.#received = bytes.length > 0 ? [bytes] : undefined;
    this.#size = bytes.length;
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#stream.respondWith(begun);
  }
}
