import { readFileSync } from 'node:fs';
import type {
  handleBidiStreamingCall,
  handleUnaryCall,
  Server,
  ServerCredentials,
  ServerDuplexStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Store } from '../contract.ts';
import { codec, services } from '../etcd/protocol.ts';
import type { Method, Wire } from '../etcd/protocol.ts';
import { tooLarge } from '../mvcc/errors.ts';
import { toGrpc } from '../etcd/failures.ts';
import { keyValueMethods } from './kv.ts';
import { leaseMethods, serveKeepAlive } from './lease.ts';
import { maintenanceMethods } from './maintenance.ts';
import { serveWatch } from './watch.ts';

/** PEM files. */
export interface ServerTls {
  certificate: string;
  key: string;
  /** Clients must show a certificate of this authority. */
  clientCa?: string;
}

export interface EtcdServerOptions {
  store: Store;
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
}

/** Answers one call. Rejects with StoreError, or with gRPC's code and details. */
export type Handler = (facade: Facade, request: Wire) => Promise<Wire>;

export async function etcdServer({
  store,
  address,
  tls,
  advertise,
  maxRequestBytes = 1.5 * 1024 * 1024,
}: EtcdServerOptions): Promise<EtcdServer> {
  const grpc = await import('@grpc/grpc-js');
  const server: Server = new grpc.Server({
    // As etcd: the request's own limit is looked at when it has come in, with etcd's text.
    'grpc.max_receive_message_length': maxRequestBytes + 512 * 1024,
    'grpc.max_send_message_length': -1,
  });
  const memberId = 0xc0c5;
  const facade: Facade = {
    store,
    header: (revision) => ({ clusterId: 0xc0c5, memberId, revision, raftTerm: 1 }),
    advertise: advertise ?? `${tls === 'insecure' ? 'http' : 'https'}://${address}`,
    memberId,
  };
  const unary: Record<string, Record<string, Handler>> = {
    KV: keyValueMethods,
    Lease: leaseMethods,
    ...maintenanceMethods,
  };
  const streams: Record<string, (facade: Facade, call: ServerDuplexStream<Wire, Wire>) => void> = {
    Watch: serveWatch,
    LeaseKeepAlive: serveKeepAlive,
  };

  for (const [service, methods] of Object.entries(services)) {
    const definition: Record<string, ServiceDefinition[string]> = {};
    const implementation: UntypedServiceImplementation = {};
    for (const [name, method] of Object.entries(methods)) {
      const handler = unary[service]?.[name];
      const stream = streams[name];
      if (!handler && !stream) continue;
      definition[name] = definitionOf(method);
      const answer: handleUnaryCall<Wire, Wire> = ({ request }, callback) => {
        const refused = (sizes.get(request) ?? 0) > maxRequestBytes;
        (refused ? Promise.reject(tooLarge()) : handler!(facade, request)).then(
          (value) => callback(null, value),
          (error: unknown) => callback(failureOf(error)),
        );
      };
      const serve: handleBidiStreamingCall<Wire, Wire> = (call) => stream!(facade, call);
      implementation[name] = stream ? serve : answer;
    }
    server.addService(definition, implementation);
  }

  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials(grpc.ServerCredentials, tls), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= new Promise((resolve) => {
      // Watches would keep a graceful shutdown waiting for ever: who watches comes back to another server.
      server.forceShutdown();
      resolve();
    }));
  return { port, close, [Symbol.asyncDispose]: close };
}

/** How long each request was, for the limit. */
const sizes = new WeakMap<Wire, number>();

function definitionOf(method: Method): ServiceDefinition[string] {
  return {
    path: method.path,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    requestSerialize: (message: Wire) => codec.encode(method.request, message),
    requestDeserialize: (bytes: Buffer) => {
      const message: Wire = codec.decode(method.request, bytes);
      sizes.set(message, bytes.length);
      return message;
    },
    responseSerialize: (message: Wire) => codec.encode(method.response, message),
    responseDeserialize: (bytes: Buffer) => codec.decode(method.response, bytes),
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

function credentials(make: typeof ServerCredentials, tls: ServerTls | 'insecure'): ServerCredentials {
  if (tls === 'insecure') return make.createInsecure();
  const pair = { cert_chain: readFileSync(tls.certificate), private_key: readFileSync(tls.key) };
  return make.createSsl(tls.clientCa ? readFileSync(tls.clientCa) : null, [pair], tls.clientCa !== undefined);
}
