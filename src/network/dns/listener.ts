/** Sockets that questions come in by: UDP, and TCP with its two-byte lengths. */
import { createSocket } from 'node:dgram';
import type { RemoteInfo } from 'node:dgram';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import type { Clock } from '#machinery/clock';
import { framed } from './forwarder.ts';

/** Answers a message, at once where it can; undefined when it deserves no answer. Must neither throw nor reject. */
export type Handler = (bytes: Buffer, transport: 'udp' | 'tcp') => Buffer | undefined | Promise<Buffer | undefined>;

export interface ListenAddress {
  address: string;
  /** 0: any free one, the same for UDP and TCP. */
  port: number;
}

export interface Listener {
  address: string;
  port: number;
  close(): Promise<void>;
}

/** A TCP connection that says nothing for so long is closed. Milliseconds. */
const idle = 10_000;

export async function listen({ address, port }: ListenAddress, handler: Handler, clock: Clock): Promise<Listener> {
  const tcp = await listenTcp(address, port, handler, clock);
  try {
    const udp = await listenUdp(address, tcp.port, handler);
    return { address, port: tcp.port, close: async () => void (await Promise.all([udp.close(), tcp.close()])) };
  } catch (error) {
    await tcp.close();
    throw error;
  }
}

function listenUdp(address: string, port: number, handler: Handler): Promise<{ close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const family = address.includes(':') ? 6 : 4;
    const socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      // Askers and listeners are addresses already: nothing to look up, and no turn of the event loop to lose by it.
      lookup: (host, _options, found) => found(null, host, family),
    });
    let closed = false;
    // Without a callback a failure to send goes to the socket's 'error': who does not hear the answer asks again.
    const send = (answer: Buffer | undefined, from: RemoteInfo): void => {
      if (answer && !closed) socket.send(answer, from.port, from.address);
    };
    socket.once('error', reject);
    socket.on('message', (bytes, from) => {
      const answer = handler(bytes, 'udp');
      if (answer instanceof Promise) void answer.then((bytes) => send(bytes, from));
      else send(answer, from);
    });
    socket.bind(port, address, () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve({
        close() {
          closed = true;
          return new Promise((done) => socket.close(() => done()));
        },
      });
    });
  });
}

function listenTcp(address: string, port: number, handler: Handler, clock: Clock): Promise<{ port: number; close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    let buffer = Buffer.alloc(0);
    let timer = clock.setTimeout(() => socket.destroy(), idle);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      timer.cancel();
      open.delete(socket);
    });
    socket.on('data', (chunk: Buffer) => {
      timer.cancel();
      timer = clock.setTimeout(() => socket.destroy(), idle);
      buffer = Buffer.concat([buffer, chunk]);
      while (buffer.length >= 2 && buffer.length >= 2 + buffer.readUInt16BE(0)) {
        const length = buffer.readUInt16BE(0);
        const message = buffer.subarray(2, 2 + length);
        buffer = buffer.subarray(2 + length);
        void Promise.resolve(handler(message, 'tcp')).then((answer) => {
          if (answer && !socket.destroyed) socket.write(framed(answer));
        });
      }
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve({
        port: (server.address() as { port: number }).port,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            for (const socket of open) socket.destroy();
          }),
      });
    });
  });
}
