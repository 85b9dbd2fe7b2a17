/** Our gRPC against node's HTTP/2 client. */
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import type { Socket } from 'node:net';
import type { Stream } from '#machinery/http2';
import { test } from 'node:test';
import { systemClock } from '#machinery/clock';
import { grpcServer } from './grpc.ts';
import type { Service } from './grpc.ts';

const framed = (message: Buffer): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

function ask(session: ClientHttp2Session, path: string, message: Buffer): Promise<{ body: Buffer; status: unknown; text: unknown }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
    const parts: Buffer[] = [];
    let outcome: Record<string, unknown> = {};
    stream.on('response', (headers) => (outcome = { ...outcome, ...headers }));
    stream.on('trailers', (headers) => (outcome = { ...outcome, ...headers }));
    stream.on('data', (chunk: Buffer) => parts.push(chunk));
    stream.on('error', reject);
    stream.on('end', () =>
      resolve({ body: Buffer.concat(parts).subarray(5), status: outcome['grpc-status'], text: outcome['grpc-message'] }),
    );
    stream.end(framed(message));
  });
}

const encode = (message: Buffer): Buffer => message;
const services = new Map<string, Service>([
  ['/echo', { answer: (message) => Promise.resolve(Buffer.from(message)), encode, failure: () => ({ code: 2, details: '' }) }],
  ['/echo-at-once', { answer: (message) => Buffer.from(message), encode, failure: () => ({ code: 2, details: '' }) }],
  [
    '/fail',
    {
      answer: () => Promise.reject(new Error('no')),
      encode,
      failure: (error) => ({ code: 9, details: `100 % ${(error as Error).message}` }),
    },
  ],
]);

const other = { connection: (socket: Socket): void => void socket.destroy(), request: async (stream: Stream) => stream.reset() };

test('many calls at once over small windows: every answer is whole', async () => {
  const server = await grpcServer({ clock: systemClock, address: '127.0.0.1:0', tls: 'insecure', other, services, maxMessage: 10_000_000 });
  const session = connect(`http://127.0.0.1:${server.port}`, { settings: { initialWindowSize: 1000, maxFrameSize: 16_384 } });
  try {
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const message = Buffer.alloc(index * 12_345, index);
        const { body, status } = await ask(session, index % 2 ? '/echo' : '/echo-at-once', message);
        assert.equal(status, '0');
        assert(body.equals(message), `answer ${index}`);
      }),
    );
    const failed = await ask(session, '/fail', Buffer.alloc(0));
    assert.deepEqual([failed.status, failed.text], ['9', '100%20%25%20no']);
    assert.equal((await ask(session, '/nothing', Buffer.alloc(0))).status, '12');
    const { status } = await ask(session, '/echo', Buffer.alloc(10_000_001));
    assert.equal(status, '8');
  } finally {
    session.destroy();
    await server.close();
  }
});

test('who speaks no HTTP/2 is let go', async () => {
  const server = await grpcServer({ clock: systemClock, address: '127.0.0.1:0', tls: 'insecure', other, services, maxMessage: 1000 });
  try {
    for (const bytes of [
      'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x00\x00\x00\x00\x00\x01',
    ])
      await new Promise<void>((resolve) => {
        const socket = connectSocket(server.port, '127.0.0.1', () => socket.end(bytes, 'latin1'));
        socket.on('data', () => undefined);
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
      });
  } finally {
    await server.close();
  }
});
