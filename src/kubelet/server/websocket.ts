/** Kubernetes' channel protocols over WebSocket: one byte in front of each message names the channel. upstream: apimachinery/pkg/util/remotecommand, streaming/pkg/wsstream. */
import type { IncomingMessage } from 'node:http';
import { Duplex, PassThrough, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ClientChannels } from './channels.ts';

const streamProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];

/** Accepts an upgrade; the protocol is the client's first that is known, or "" when it asks for none. Refused where it asks for others only. */
export async function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  known: readonly string[],
): Promise<WebSocket | undefined> {
  const { WebSocketServer } = await import('ws');
  const asked = (request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  const chosen = asked.find((name) => known.includes(name));
  if (asked.length > 0 && chosen === undefined) {
    const text = `unable to upgrade: client supports ${asked.join(', ')}, server accepts ${known.join(', ')}`;
    socket.end(
      `HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
    );
    return undefined;
  }
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: 32 * 1024 * 1024,
    handleProtocols: () => chosen ?? false,
  });
  return new Promise((resolve) => server.handleUpgrade(request, socket, head, resolve));
}

export const remoteCommandProtocols = streamProtocols;

/** The channels of an exec or attach. Channel numbers: 0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize; in v5, 255 closes one. */
export function webSocketChannels(socket: WebSocket, wanted: { stdin: boolean; stdout: boolean; stderr: boolean }): ClientChannels {
  const base64 = socket.protocol.includes('base64');
  const structured = socket.protocol.startsWith('v');
  const stdin = wanted.stdin ? new PassThrough() : undefined;
  let onResize: ((width: number, height: number) => void) | undefined;
  const send = (channel: number, data: Buffer, done?: (error?: Error) => void): void => {
    if (socket.readyState !== socket.OPEN) {
      done?.();
      return;
    }
    if (base64) socket.send(`${channel}${data.toString('base64')}`, done);
    else socket.send(Buffer.concat([Buffer.from([channel]), data]), { binary: true }, done);
  };
  const writer = (channel: number): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) =>
        send(channel, chunk, (error) => done(socket.readyState === socket.OPEN ? error : undefined)),
    });
  socket.on('message', (raw: Buffer) => {
    if (raw.length === 0) return;
    const channel = base64 ? raw[0]! - 48 : raw[0]!;
    const data = base64 ? Buffer.from(raw.subarray(1).toString('latin1'), 'base64') : raw.subarray(1);
    if (channel === 255) {
      if (data[0] === 0) stdin?.end();
    } else if (channel === 0) {
      if (stdin && !stdin.writableEnded && !stdin.write(data)) {
        socket.pause();
        stdin.once('drain', () => socket.resume());
      }
    } else if (channel === 4) {
      try {
        const size = JSON.parse(data.toString()) as { Width?: number; Height?: number };
        if (size.Width && size.Height) onResize?.(size.Width, size.Height);
      } catch {
        // A size that cannot be read changes nothing.
      }
    }
  });
  const stdout = wanted.stdout ? writer(1) : undefined;
  const stderr = wanted.stderr ? writer(2) : undefined;
  const flushed = (stream: Writable | undefined): Promise<void> =>
    stream ? new Promise((resolve) => stream.end(resolve)) : Promise.resolve();
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.once('close', () => stdin?.end());
  socket.on('error', () => socket.terminate());
  // Older clients learn which channels are open from an empty message on each.
  for (const [channel, open] of [
    [1, wanted.stdout],
    [2, wanted.stderr],
    [3, true],
  ] as const)
    if (open) send(channel, Buffer.alloc(0));
  return {
    stdin,
    stdout,
    stderr,
    onResize: (listener) => (onResize = listener),
    async finish(status) {
      // The status is the last word: the output before it must be on its way.
      await Promise.race([Promise.all([flushed(stdout), flushed(stderr)]), gone]);
      const text = structured ? JSON.stringify(status) : status['status'] === 'Success' ? '' : String(status['message'] ?? '');
      await new Promise<void>((resolve) => send(3, Buffer.from(text), () => resolve()));
      socket.close(1000);
    },
    gone,
  };
}

/** A WebSocket as a byte stream: for SPDY tunnelled through it. Message boundaries carry no meaning. */
export async function webSocketStream(socket: WebSocket): Promise<Duplex> {
  const { createWebSocketStream } = await import('ws');
  return createWebSocketStream(socket);
}
