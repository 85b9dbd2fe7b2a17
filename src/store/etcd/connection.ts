/** gRPC connections to the members of an etcd cluster: calls go to one member, to the next when it does not answer. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type { ChannelCredentials, Client, ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import type { Clock } from '#machinery/clock';
import { fromGrpc, grpcCode } from './failures.ts';
import { codec, services } from './protocol.ts';
import type { Method, Wire } from './protocol.ts';

export interface EtcdTls {
  /** PEM files: the authority of the server's certificate; our own certificate and key, where etcd asks for them. */
  ca?: string;
  certificate?: string;
  key?: string;
}

export interface ConnectionOptions {
  /** "https://10.0.0.1:2379"; "http://…" speaks without TLS; "unix:///path". */
  endpoints: readonly string[];
  tls?: EtcdTls;
  clock: Clock;
  /** Milliseconds that one call may take. */
  callTimeout: number;
}

export type Stream = ClientDuplexStream<Wire, Wire>;

export class Connection {
  readonly #clients: Client[];
  readonly #clock: Clock;
  readonly #callTimeout: number;
  #current = 0;

  private constructor(clients: Client[], clock: Clock, callTimeout: number) {
    this.#clients = clients;
    this.#clock = clock;
    this.#callTimeout = callTimeout;
  }

  /** Loads gRPC when it is needed first; connects with the first call. */
  static async open({ endpoints, tls, clock, callTimeout }: ConnectionOptions): Promise<Connection> {
    if (endpoints.length === 0) throw new Error('Cannot connect to etcd: no endpoints are given');
    const grpc = await import('@grpc/grpc-js');
    const pem = (path: string | undefined): Buffer | null => (path ? readFileSync(path) : null);
    // An address is no server name: it is not sent, but the certificate must be for it all the same.
    const secure = (ip: string | undefined): ChannelCredentials =>
      grpc.credentials.createSsl(
        pem(tls?.ca),
        pem(tls?.key),
        pem(tls?.certificate),
        ip === undefined ? {} : { checkServerIdentity: (_name, certificate) => checkServerIdentity(ip, certificate) },
      );
    const clients = endpoints.map((endpoint) => {
      const [, scheme = 'http', address = endpoint] = /^(https?|unix):\/\/(.*)$/.exec(endpoint) ?? [];
      const host = scheme === 'https' ? new URL(endpoint).hostname.replace(/^\[|\]$/g, '') : '';
      const ip = isIP(host) ? host : undefined;
      const credentials = scheme === 'https' ? secure(ip) : grpc.credentials.createInsecure();
      return new grpc.Client(scheme === 'unix' ? `unix://${address}` : address.replace(/\/$/, ''), credentials, {
        'grpc.max_receive_message_length': -1,
        'grpc.max_send_message_length': -1,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 3000,
        'grpc.keepalive_time_ms': 30_000,
        'grpc.keepalive_timeout_ms': 10_000,
        'grpc.enable_retries': 0,
        ...(ip !== undefined && { 'grpc.ssl_target_name_override': 'etcd' }),
      });
    });
    return new Connection(clients, clock, callTimeout);
  }

  /**
   * One question, one answer. `idempotent` calls are repeated at every other member that may answer; the rest only where the call
   * surely did not get through. Rejects with StoreError.
   */
  async call(service: string, name: string, request: Wire, idempotent: boolean): Promise<Wire> {
    const method = services[service]![name]!;
    for (let tries = 1; ; tries++) {
      const member = this.#current;
      try {
        return await this.#once(this.#clients[member]!, method, request);
      } catch (error) {
        const { code, details } = error as ServiceError;
        // Cancelled: by ourselves, since no answer came in time.
        const unavailable = code === grpcCode.unavailable || code === grpcCode.cancelled;
        const unsent = /ECONNREFUSED|ENOENT|No connection established/.test(details);
        if (!unavailable || !(idempotent || unsent) || tries >= Math.max(2, this.#clients.length)) throw fromGrpc(error);
        this.rotate(member);
      }
    }
  }

  #once(client: Client, method: Method, request: Wire): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(
        method.path,
        (message: Wire) => codec.encode(method.request, message),
        (bytes: Buffer): Wire => codec.decode(method.response, bytes),
        request,
        (error, answer) => {
          timer.cancel();
          if (error) reject(error);
          else resolve(answer ?? {});
        },
      );
      const timer = this.#clock.setTimeout(() => call.cancel(), this.#callTimeout);
    });
  }

  stream(service: string, name: string): Stream {
    const method = services[service]![name]!;
    return this.#clients[this.#current]!.makeBidiStreamRequest(
      method.path,
      (message: Wire) => codec.encode(method.request, message),
      (bytes: Buffer): Wire => codec.decode(method.response, bytes),
    );
  }

  /** The member in use does not answer: the next one's turn. */
  rotate(from = this.#current): void {
    if (from === this.#current) this.#current = (this.#current + 1) % this.#clients.length;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}
