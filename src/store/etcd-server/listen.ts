/** Sockets that are listened on, with TLS or without. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Clock } from '#machinery/clock';

/** PEM files. */
export interface ServerTls {
  certificate: string;
  key: string;
  /** Clients must show a certificate of this authority. */
  clientCa?: string;
}

export interface Listening {
  /** 0 for unix sockets. */
  port: number;
  /** Takes no more connections, and breaks those that there are. */
  close(): Promise<void>;
}

/** Where a server listens. */
export interface ListenTarget {
  /** "127.0.0.1:2379", with port 0 for any; "unix:///path". */
  address: string;
  /** 'insecure': without TLS, for sockets that only we can reach, or for what everybody may see. */
  tls: ServerTls | 'insecure';
}

/** `protocols`: what clients with TLS may choose from, by the names of ALPN. */
export async function listen(
  { address, tls }: ListenTarget,
  protocols: readonly string[],
  accept: (socket: Socket) => void,
): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = serverOf(tls, protocols, accept);
  // Those that are still about to agree on TLS as well.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
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
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function serverOf(tls: ServerTls | 'insecure', protocols: readonly string[], accept: (socket: Socket) => void): Server {
  if (tls === 'insecure') return createServer(accept);
  const server = createTlsServer(
    {
      cert: readFileSync(tls.certificate),
      key: readFileSync(tls.key),
      ALPNProtocols: [...protocols],
      minVersion: 'TLSv1.2',
      ...(tls.clientCa && { ca: readFileSync(tls.clientCa), requestCert: true, rejectUnauthorized: true }),
    },
    accept,
  );
  // Strangers, and who speaks no TLS.
  server.on('tlsClientError', () => undefined);
  return server;
}

/** How every HTTP/2 connection begins, and no request of HTTP/1. */
const preface = 'PRI';

/** Milliseconds that a connection has for it. */
const patience = 10_000;

/** Looks at the first bytes of a connection, and leaves them there. */
export function whenKnown(socket: Socket, clock: Clock, tell: (http2: boolean) => void): void {
  const timer = clock.setTimeout(() => socket.destroy(), patience);
  const ignore = (): void => undefined;
  const gone = (): void => timer.cancel();
  let seen = Buffer.alloc(0);
  const look = (bytes: Buffer): void => {
    seen = Buffer.concat([seen, bytes]);
    const begin = seen.toString('latin1', 0, preface.length);
    if (begin !== preface && preface.startsWith(begin)) return;
    socket.off('data', look);
    socket.off('error', ignore);
    socket.off('close', gone);
    timer.cancel();
    socket.pause();
    socket.unshift(seen);
    tell(begin === preface);
    socket.resume();
  };
  socket.on('error', ignore);
  socket.on('close', gone);
  socket.on('data', look);
}
