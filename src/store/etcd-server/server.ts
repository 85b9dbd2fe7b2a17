import type { Clock } from '#machinery/clock';
import type { Store } from '../contract.ts';
import { codec, services } from '../etcd/protocol.ts';
import type { Method, Wire } from '../etcd/protocol.ts';
import { tooLarge } from '../mvcc/errors.ts';
import { toGrpc } from '../etcd/failures.ts';
import { alarmsOf } from './alarms.ts';
import type { Alarms } from './alarms.ts';
import { encodeAnswer } from './encoding.ts';
import type { Answer } from './encoding.ts';
import { grpcServer } from './grpc.ts';
import type { Failure, GrpcServer, ServerTls, Service, StreamCall } from './grpc.ts';
import { keyValueMethods } from './kv.ts';
import { leaseMethods, serveKeepAlive } from './lease.ts';
import { maintenanceMethods, serveSnapshot } from './maintenance.ts';
import { serveWatch } from './watch.ts';

export type { ServerTls } from './grpc.ts';

export interface EtcdServerOptions {
  store: Store;
  clock: Clock;
  /** "127.0.0.1:2379", with port 0 for any; "unix:///path". */
  address: string;
  /** 'insecure': without TLS, for sockets that only we can reach. */
  tls: ServerTls | 'insecure';
  /** Where clients reach us, for the member list. Default: the address. */
  advertise?: string;
  /** Bytes of one request. Default 1.5 MiB, as etcd. */
  maxRequestBytes?: number;
}

export interface EtcdServer extends AsyncDisposable {
  /** The port it listens on; 0 for unix sockets. */
  port: number;
  close(): Promise<void>;
}

/** What the handlers share. */
export interface Facade {
  store: Store;
  /** The header of an answer. */
  header(revision: number): Wire;
  advertise: string;
  memberId: number;
  alarms: Alarms;
}

/** Answers one call. Rejects with StoreError, or with gRPC's code and details. */
export type Handler = (facade: Facade, request: Wire) => Promise<Answer> | Answer;

export async function etcdServer({
  store,
  clock,
  address,
  tls,
  advertise,
  maxRequestBytes = 1.5 * 1024 * 1024,
}: EtcdServerOptions): Promise<EtcdServer> {
  const memberId = 0xc0c5;
  const facade: Facade = {
    store,
    header: (revision) => ({ clusterId: 0xc0c5, memberId, revision, raftTerm: 1 }),
    advertise: advertise ?? `${tls === 'insecure' ? 'http' : 'https'}://${address}`,
    memberId,
    alarms: alarmsOf(store),
  };
  const unary: Record<string, Record<string, Handler>> = {
    KV: keyValueMethods,
    Lease: leaseMethods,
    ...maintenanceMethods,
  };
  const streams: Record<string, (facade: Facade, call: MessageCall) => void> = {
    Watch: serveWatch,
    LeaseKeepAlive: serveKeepAlive,
    Snapshot: serveSnapshot,
  };
  const paths = new Map<string, Service>();
  for (const [service, methods] of Object.entries(services))
    for (const [name, method] of Object.entries(methods)) {
      const handler = unary[service]?.[name];
      const stream = streams[name];
      if (handler)
        paths.set(method.path, {
          answer(message) {
            if (message.length > maxRequestBytes) throw tooLarge();
            return handler(facade, codec.decode(method.request, message));
          },
          encode: (answer: Answer) => encodeAnswer(method.response, answer),
          failure: failureOf,
        });
      else if (stream) paths.set(method.path, { serve: (call) => stream(facade, messagesOf(method, call)) });
    }
  // As etcd: the request's own limit is looked at when it has come in, with etcd's text.
  const server: GrpcServer = await grpcServer({ clock, address, tls, services: paths, maxMessage: maxRequestBytes + 512 * 1024 });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= server.close());
  return { port: server.port, close, [Symbol.asyncDispose]: close };
}

/** A call whose messages are decoded. */
export interface MessageCall {
  readonly waiting: number;
  onMessage(take: (message: Wire) => void): void;
  onEnd(run: () => void): void;
  onClose(run: () => void): void;
  /** `done` is called when it has left, or will not. */
  send(message: Wire, done?: () => void): void;
  /** A message that is encoded already; `head` is taken when this returns, `parts` never change. */
  sendParts(head: Uint8Array, parts: readonly Uint8Array[]): void;
  end(): void;
  fail(failure: Failure): void;
}

function messagesOf(method: Method, call: StreamCall): MessageCall {
  return {
    get waiting() {
      return call.waiting;
    },
    onMessage(take) {
      call.onMessage = (bytes) => take(codec.decode(method.request, bytes));
    },
    onEnd(run) {
      call.onEnd = run;
    },
    onClose(run) {
      call.onClose = run;
    },
    send: (message, done) => call.send(codec.encode(method.response, message), done),
    sendParts: (head, parts) => call.sendParts(head, parts),
    end: () => call.finish(),
    fail: (failure) => call.fail(failure),
  };
}

/** A refusal that no store made: gRPC's code and a text. */
export class Refusal extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export const failureOf = (error: unknown): { code: number; details: string } =>
  error instanceof Refusal ? { code: error.code, details: error.message } : toGrpc(error);
