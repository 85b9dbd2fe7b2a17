/** Remote command over SPDY/3.1: a stream a channel, named by its header. upstream: kubelet/pkg/cri/streaming/remotecommand. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpdyConnection } from '#machinery/spdy';
import type { SpdyStream } from '#machinery/spdy';
import type { ClientChannels } from './channels.ts';

/** Answers the upgrade. The protocol is the newest of `known` that the client offers. */
export function acceptSpdy(request: IncomingMessage, socket: Duplex, known: readonly string[]): string | undefined {
  const offered =
    request.headersDistinct['x-stream-protocol-version']?.flatMap((value) => value.split(',').map((name) => name.trim())) ?? [];
  const chosen = offered.length === 0 ? known.at(-1) : known.find((name) => offered.includes(name));
  if (chosen === undefined) {
    const text = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${known.join(' ')}]`;
    socket.end(
      `HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
    );
    return undefined;
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${chosen}\r\n\r\n`,
  );
  return chosen;
}

/** The client opens one stream a channel; resolves when all that were asked for are there. */
export function spdyChannels(
  socket: Duplex,
  head: Buffer,
  protocol: string,
  wanted: { stdin: boolean; stdout: boolean; stderr: boolean; tty: boolean },
): Promise<ClientChannels> {
  const structured = protocol === 'v4.channel.k8s.io' || protocol === 'v5.channel.k8s.io';
  const resizable = wanted.tty && (structured || protocol === 'v3.channel.k8s.io');
  const expected = new Set([
    'error',
    ...(wanted.stdin ? ['stdin'] : []),
    ...(wanted.stdout ? ['stdout'] : []),
    ...(wanted.stderr && !wanted.tty ? ['stderr'] : []),
    ...(resizable ? ['resize'] : []),
  ]);
  const streams = new Map<string, SpdyStream>();
  return new Promise((resolve, reject) => {
    const connection = new SpdyConnection(socket, head, {
      role: 'server',
      onStream(stream) {
        const type = stream.headers['streamtype'] ?? '';
        if (!expected.has(type) || streams.has(type)) return;
        streams.set(type, stream);
        if (streams.size === expected.size) resolve(channels());
      },
    });
    void connection.closed.then(() => reject(new Error('the client closed the connection before opening its streams')));
    const channels = (): ClientChannels => {
      // Nothing is read from the streams that only go to the client.
      for (const type of ['error', 'stdout', 'stderr']) streams.get(type)?.resume();
      const error = streams.get('error')!;
      const resize = streams.get('resize');
      return {
        stdin: streams.get('stdin'),
        stdout: streams.get('stdout'),
        stderr: streams.get('stderr'),
        onResize(listener) {
          let text = '';
          resize?.on('data', (chunk: Buffer) => {
            text += chunk.toString();
            // Objects follow each other without a separator, one a change.
            for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
              try {
                const size = JSON.parse(text.slice(0, end + 1)) as { Width: number; Height: number };
                listener(size.Width, size.Height);
              } catch {
                // A size that cannot be read changes nothing.
              }
              text = text.slice(end + 1);
            }
          });
        },
        async finish(status) {
          const text = structured ? JSON.stringify(status) : status['status'] === 'Success' ? '' : String(status['message'] ?? '');
          const flushed = (stream: SpdyStream | undefined, last?: string): Promise<void> =>
            stream && !stream.destroyed ? new Promise((done) => stream.end(last ?? '', done)) : Promise.resolve();
          await Promise.race([
            Promise.all([flushed(streams.get('stdout')), flushed(streams.get('stderr'))]).then(() => flushed(error, text)),
            connection.closed,
          ]);
          connection.close();
        },
        gone: connection.closed,
      };
    };
  });
}
