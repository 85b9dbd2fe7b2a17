import assert from 'node:assert/strict';
import { createConnection, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { SpdyConnection } from './mod.ts';
import type { SpdyStream } from './mod.ts';

/** Reads to the end without closing the other direction, as `for await` would. */
function text(stream: SpdyStream): Promise<string> {
  return new Promise((resolve) => {
    let all = '';
    stream.on('data', (chunk: Buffer) => (all += chunk.toString()));
    stream.once('end', () => resolve(all));
  });
}

test('streams carry headers and data both ways, and half-close', async () => {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const serverSide = new Promise<SpdyConnection>((resolve) =>
    server.once('connection', (socket) =>
      resolve(
        new SpdyConnection(socket, Buffer.alloc(0), {
          role: 'server',
          onStream: (stream: SpdyStream) => void text(stream).then((got) => stream.end(`${stream.headers['streamtype']}:${got.length}`)),
        }),
      ),
    ),
  );
  const client = new SpdyConnection(createConnection((server.address() as AddressInfo).port, '127.0.0.1'), Buffer.alloc(0), {
    role: 'client',
  });
  const [a, b] = await Promise.all([client.openStream({ streamType: 'stdin' }), client.openStream({ streamType: 'error' })]);
  a.end('x'.repeat(300_000));
  b.end('y');
  assert.deepEqual(await Promise.all([text(a), text(b)]), ['stdin:300000', 'error:1']);
  client.close();
  (await serverSide).close();
  await Promise.all([client.closed, (await serverSide).closed]);
  server.close();
});

test('what the peer said before it left can be read, though nothing can be written any more', async () => {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.once('connection', (socket) => {
    const connection: SpdyConnection = new SpdyConnection(socket, Buffer.alloc(0), {
      role: 'server',
      onStream(stream: SpdyStream) {
        stream.write('all there is');
        socket.end();
        connection.closed.catch(() => undefined);
      },
    });
  });
  // As node:http's own sockets are: the end of the one direction ends the other.
  const socket = createConnection((server.address() as AddressInfo).port, '127.0.0.1');
  const left = new Promise((resolve) => socket.once('end', resolve));
  const client = new SpdyConnection(socket, Buffer.alloc(0), { role: 'client' });
  const stream = await client.openStream({ streamType: 'error' });
  const chunks: Buffer[] = [];
  await left;
  stream.end('too late');
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  assert.equal(Buffer.concat(chunks).toString(), 'all there is');
  await client.closed;
  server.close();
});
