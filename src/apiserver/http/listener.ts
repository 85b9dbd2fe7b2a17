/**
 * One TLS port for HTTP/2 and HTTP/1.1 (ALPN decides), client certificates asked for but not required. Upgrades (WebSocket, SPDY) come over
 * HTTP/1.1.
 */
import { createServer as createHttp1 } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTls, DEFAULT_CIPHERS } from 'node:tls';
import type { TLSSocket, TlsOptions } from 'node:tls';
import type { Clock, Timer } from '#machinery/clock';
import { Connection } from '#machinery/http2';
import type { Log } from '#machinery/log';
import type { Exchange, Upgrade } from '../proxy/contract.ts';
import { Http1Exchange, Http2Exchange, UpgradeExchange } from './exchange.ts';
import type { Peer } from './handle.ts';

export interface TlsIdentity {
  /** PEM. */
  cert: string;
  key: string;
  /** PEM of the authorities whose client certificates are believed. */
  clientCA?: string;
}

export type ListenTarget = { fd: number } | { host: string; port: number };

export interface Listener {
  readonly port: number;
  readonly host: string;
  /** New connections are met with these. Throws where they do not fit together; then nothing changes. */
  renew(tls: TlsIdentity): void;
  /** Takes no new connections, lets requests finish for five seconds, then breaks what is left. */
  close(): Promise<void>;
}

type Serve = (exchange: Exchange, peer: Peer, upgrade?: Upgrade) => Promise<void>;

/** Node's, the cheaper first of those that are as good, as upstream's servers prefer it where the processor has AES. */
const ciphers = `TLS_AES_128_GCM_SHA256:${DEFAULT_CIPHERS}`;

const keepAlive = 90_000;

/** How long requests may go on after `close` was called. */
const grace = 5000;

export async function listen(tls: TlsIdentity, target: ListenTarget, handler: Serve, log: Log, clock: Clock): Promise<Listener> {
  const active = new Set<Promise<void>>();
  const serve: Serve = (exchange, peer, upgrade) => {
    const work = handler(exchange, peer, upgrade).finally(() => active.delete(work));
    active.add(work);
    return work;
  };
  const peers = new WeakMap<Socket, Peer>();
  const nobody: Peer = {};
  const sockets = new Set<Socket>();
  const connections = new Set<Connection>();
  const material = ({ cert, key, clientCA }: TlsIdentity): TlsOptions => ({
    cert,
    key,
    ...(clientCA && { ca: clientCA }),
    minVersion: 'TLSv1.2',
    ciphers,
    honorCipherOrder: true,
  });
  const options: TlsOptions = {
    ...material(tls),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2', 'http/1.1'],
  };
  const http1 = createHttp1({ keepAliveTimeout: keepAlive, requestTimeout: 0, headersTimeout: 32_000, maxHeaderSize: 1 << 20 });
  const secure = createTls(options);

  /** Read with the first request: Go's clients open more connections than they come to use. */
  const peerOf = (socket: TLSSocket): Peer => {
    let peer = peers.get(socket);
    if (peer) return peer;
    // Its chain is verified by who authenticates: one that is expired or of a foreign authority is a bad credential, not none.
    const certificate = socket.getPeerX509Certificate()?.raw;
    peers.set(socket, (peer = certificate ? { certificate } : nobody));
    return peer;
  };
  secure.on('secureConnection', (socket: TLSSocket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', (error) => log.debug('Connection broke', { peer: socket.remoteAddress, error }));
    if (socket.alpnProtocol === 'h2') speakHttp2(socket);
    else http1.emit('connection', socket);
  });
  secure.on('tlsClientError', (error) => log.debug('TLS handshake failed', { error }));

  const speakHttp2 = (socket: TLSSocket): void => {
    const connection = new Connection(socket, {
      clock,
      onRequest: (stream) => serve(new Http2Exchange(stream), peerOf(socket)),
      onClose(reason) {
        connections.delete(connection);
        log.debug('HTTP/2 connection ended', { peer: socket.remoteAddress, reason });
      },
    });
    connections.add(connection);
  };

  http1.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void serve(new Http1Exchange(request, response), peerOf(request.socket as TLSSocket));
  });
  http1.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    void serve(new UpgradeExchange(request, socket), peerOf(socket as TLSSocket), { request, socket, head });
  });

  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  secure.once('error', reject);
  secure.once('listening', () => resolve());
  if ('fd' in target) secure.listen({ fd: target.fd });
  else secure.listen(target.port, target.host);
  await listening;
  secure.off('error', reject);
  secure.on('error', (error) => log.error('Listener failed', { error }));
  const address = secure.address() as AddressInfo | null;
  return {
    port: address?.port ?? 0,
    host: address?.address ?? '',
    renew: (next) => secure.setSecureContext(material(next)),
    async close() {
      const closed = new Promise<void>((done) => secure.close(() => done()));
      for (const connection of connections) connection.leave();
      http1.closeIdleConnections();
      let timer: Timer | undefined;
      const late = new Promise<void>((done) => (timer = clock.setTimeout(done, grace)));
      await Promise.race([Promise.allSettled(active), late]);
      timer?.cancel();
      // One turn for what is being written, then the rest is broken.
      await new Promise((done) => setImmediate(done));
      for (const connection of connections) connection.destroy();
      for (const socket of sockets) socket.destroy();
      http1.closeAllConnections();
      http1.close();
      await closed;
    },
  };
}
