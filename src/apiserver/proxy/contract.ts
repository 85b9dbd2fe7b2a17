/**
 * Subresources that are streams rather than objects: exec, attach, portforward, log and the proxies to pods, services and nodes.
 * When a handler is called the request has been authenticated, authorized and (for CONNECT verbs) admitted; it owns the exchange from
 * then on. upstream: apiserver/pkg/endpoints/handlers/rest.go ConnectResource, pkg/registry/core/pod/rest.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { RequestContext } from '../registry/contract.ts';

export type Headers = Record<string, string | string[] | undefined>;

/** An answer's body that is sent bit by bit, without the weight of a stream. */
export interface Outgoing {
  /** Bytes that were written and have not left. */
  readonly backlog: number;
  /** The client is gone, or all was sent. */
  readonly closed: boolean;
  /** `done` is called when they have left, or will not. */
  write(bytes: Uint8Array, done?: () => void): void;
  end(): void;
}

/** One request and its answer over HTTP/1.1 or HTTP/2, alike. */
export interface Exchange {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  /** Names in lower case; no HTTP/2 pseudo headers. */
  readonly headers: Headers;
  readonly httpVersion: '1.1' | '2';
  readonly remoteAddress: string;
  /** The request's body. */
  readonly body: Readable;
  /** The whole body, instead of `body`; undefined where it is longer than `limit`. Rejects when the client goes before its end. */
  collect(limit: number): Promise<Uint8Array | undefined>;
  /** The client went away before the answer was complete. */
  readonly gone: boolean;
  /** Aborts then. */
  readonly signal: AbortSignal;
  /** True once `respond` or `end` was called. */
  readonly responded: boolean;
  /** Sends the head; what it returns is the answer's body. Once only. */
  respond(status: number, headers: Headers): Writable;
  /** The same for a body of many small writes. Once only. */
  open(status: number, headers: Headers): Outgoing;
  /** Sends head and body at once. Once only. */
  end(status: number, headers: Headers, body?: string | Uint8Array): void;
  /** Breaks the connection (HTTP/1.1) or resets the stream (HTTP/2): for failures after the head was sent. */
  abort(error?: Error): void;
}

/** An HTTP/1.1 request with an Upgrade header: WebSocket or SPDY. The handler writes the answer's head to the socket itself. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** Bytes that came after the request's head. */
  readonly head: Buffer;
}

export interface ConnectRequest {
  context: RequestContext;
  /** What follows the subresource in the path, with its leading slash; "" when nothing does. For proxies. */
  rest: string;
  /** Set for requests without Upgrade. */
  exchange?: Exchange;
  /** Set for requests with Upgrade. */
  upgrade?: Upgrade;
}

/** Serves one streaming subresource. A StatusError thrown before anything was sent becomes the answer. */
export interface ConnectHandler {
  group: string;
  resource: string;
  subresource: string;
  /** Admission asks with operation CONNECT and an options object of this kind ("PodExecOptions"). Absent (log): no admission. */
  optionsKind?: string;
  connect(request: ConnectRequest): Promise<void>;
}
