/** Port-forward: SPDY streams in pairs (directly, or tunnelled through a WebSocket), or WebSocket channels in pairs. upstream: kubelet/pkg/cri/streaming/portforward. */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { SpdyConnection } from '#machinery/spdy';
import type { SpdyStream } from '#machinery/spdy';
import type { PortForwarder } from '#runtime';

export const portForwardProtocol = 'portforward.k8s.io';
export const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';

async function serve(data: Duplex, error: { end(text: string): void }, port: number, forwarder: PortForwarder): Promise<void> {
  try {
    const connection = await forwarder.connect(port);
    const problem = connection.error.then((text) => {
      if (text) error.end(text);
    });
    const { stream } = connection;
    data.pipe(stream).pipe(data);
    const close = (): void => {
      data.unpipe();
      stream.end();
    };
    data.once('error', close).once('close', close);
    stream.on('error', () => data.end());
    await new Promise<void>((resolve) => stream.once('end', resolve).once('close', resolve));
    await problem;
    error.end('');
  } catch (failure) {
    error.end(`error forwarding port ${port} to pod: ${(failure as Error).message}`);
    data.end();
  }
}

/** Serves until the client closes. The error stream of a connection comes first, then its data stream with the same request id. */
export async function spdyPortForward(socket: Duplex, head: Buffer, forwarder: PortForwarder): Promise<void> {
  const waiting = new Map<string, { error?: SpdyStream; data?: SpdyStream }>();
  const connection = new SpdyConnection(socket, head, {
    role: 'server',
    onStream(stream) {
      // Clients of before 1.8 send no request id: a pair is then two streams with ids that follow each other.
      const type = stream.headers['streamtype'];
      const id = stream.headers['requestid'] ?? String(type === 'data' ? stream.id - 2 : stream.id);
      const pair = waiting.get(id) ?? {};
      waiting.set(id, pair);
      if (type === 'error') {
        pair.error = stream;
        stream.resume();
      } else if (type === 'data') pair.data = stream;
      if (pair.error && pair.data) {
        waiting.delete(id);
        void serve(pair.data, pair.error, Number(pair.data.headers['port']), forwarder);
      }
    },
  });
  await connection.closed;
  forwarder.close();
}

/** WebSocket v4 channels: for the n-th port, 2n is data and 2n+1 errors; each begins with the port as two bytes, lower first. */
export async function webSocketPortForward(socket: WebSocket, ports: number[], forwarder: PortForwarder): Promise<void> {
  const base64 = socket.protocol.includes('base64');
  const { Duplex: DuplexStream } = await import('node:stream');
  const send = (channel: number, data: Buffer, done?: () => void): void => {
    if (socket.readyState !== socket.OPEN) done?.();
    else
      socket.send(
        base64 ? `${String.fromCharCode(48 + channel)}${data.toString('base64')}` : Buffer.concat([Buffer.from([channel]), data]),
        () => done?.(),
      );
  };
  const streams = ports.map((port, index) => {
    const header = Buffer.alloc(2);
    header.writeUInt16LE(port);
    send(index * 2, header);
    send(index * 2 + 1, header);
    const data = new DuplexStream({ read: () => undefined, write: (chunk: Buffer, _encoding, done) => send(index * 2, chunk, done) });
    void serve(data, { end: (text) => text && send(index * 2 + 1, Buffer.from(text)) }, port, forwarder);
    return data;
  });
  socket.on('message', (raw: Buffer) => {
    const channel = base64 ? raw[0]! - 48 : raw[0]!;
    if (channel % 2 === 0) streams[channel / 2]?.push(base64 ? Buffer.from(raw.subarray(1).toString('latin1'), 'base64') : raw.subarray(1));
  });
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  for (const stream of streams) stream.push(null);
  forwarder.close();
}
