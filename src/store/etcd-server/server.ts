import type { Socket } from 'node:net';
import type { Clock } from '#machinery/clock';
import type { Stream } from '#machinery/http2';
import { Disposables, running } from '#machinery/lifecycle';
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
import { answerStream, httpServer } from './http.ts';
import type { Failure, Service, StreamCall } from './grpc.ts';
import { keyValueMethods } from './kv.ts';
import { leaseMethods, serveKeepAlive } from './lease.ts';
import { listen } from './listen.ts';
import type { ListenTarget } from './listen.ts';
import { maintenanceMethods, serveSnapshot } from './maintenance.ts';
import { callsOf, ended } from './metrics.ts';
import type { CallMetrics } from './metrics.ts';
import { serveWatch } from './watch.ts';

export type { ListenTarget, ServerTls } from './listen.ts';

export interface EtcdServerOptions extends ListenTarget {
  store: Store;
  clock: Clock;
  /** Where health and metrics are told as well, and nothing else. */
  metrics?: readonly ListenTarget[];
  /** Where clients reach us, for the member list. Default: the address. */
  advertise?: string;
  /** Its name in the member list. Default: as etcd's. */
  name?: string;
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
  /** Of the one member. */
  name: string;
  memberId: number;
  alarms: Alarms;
  /** Milliseconds since 1970. */
  startedAt: number;
  calls: CallMetrics;
}

/** Answers one call. Rejects with StoreError, or with gRPC's code and details. */
export type Handler = (facade: Facade, request: Wire) => Promise<Answer> | Answer;

export async function etcdServer({
  store,
  clock,
  address,
  tls,
  advertise,
  name = 'default',
  maxRequestBytes = 1.5 * 1024 * 1024,
  metrics = [],
}: EtcdServerOptions): Promise<EtcdServer> {
  const memberId = 0xc0c5;
  const facade: Facade = {
    store,
    header: (revision) => ({ clusterId: 0xc0c5, memberId, revision, raftTerm: 1 }),
    advertise: advertise ?? `${tls === 'insecure' ? 'http' : 'https'}://${address}`,
    name,
    memberId,
    alarms: alarmsOf(store),
    startedAt: clock.now(),
    calls: callsOf(store),
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
    for (const [call, method] of Object.entries(methods)) {
      const handler = unary[service]?.[call];
      const stream = streams[call];
      const calls = facade.calls.of(method.path, stream !== undefined);
      if (handler)
        paths.set(method.path, {
          answer(message) {
            calls.started++;
            if (message.length > maxRequestBytes) throw tooLarge();
            return handler(facade, codec.decode(method.request, message));
          },
          encode(answer: Answer) {
            ended(calls, 0);
            return encodeAnswer(method.response, answer);
          },
          failure(error) {
            const failure = failureOf(error);
            ended(calls, failure.code);
            return failure;
          },
        });
      else if (stream)
        paths.set(method.path, {
          serve(open) {
            calls.started++;
            stream(facade, messagesOf(method, open));
          },
        });
    }
  const http = httpServer(facade, true);
  const other = {
    connection: (socket: Socket): void => void http.emit('connection', socket),
    request: (stream: Stream) => answerStream(facade, stream),
  };
  // As etcd: the request's own limit is looked at when it has come in, with etcd's text.
  const server = await grpcServer({ clock, address, tls, services: paths, maxMessage: maxRequestBytes + 512 * 1024, other });
  const held = new Disposables();
  held.add(() => server.close());
  try {
    const looked = httpServer(facade, false);
    for (const target of metrics) {
      const listening = await listen(target, ['http/1.1'], (socket) => void looked.emit('connection', socket));
      held.add(() => listening.close());
    }
  } catch (error) {
    await held.dispose();
    throw error;
  }
  const { stop: close } = running(() => held.dispose());
  return { port: server.port, close, [Symbol.asyncDispose]: close };
}

/** A call whose messages are decoded. */
export interface MessageCall {
  readonly waiting: number;
  onMessage(take: (message: Wire) => void): void;
  onEnd(run: () => void): void;
  onClose(run: () => void): void;
  /** `run` is called whenever nothing waits any more. */
  onEmpty(run: () => void): void;
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
    onEmpty(run) {
      call.onEmpty = run;
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
