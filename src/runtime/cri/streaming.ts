/** The client of a CRI runtime's streaming server: remote command v4 and port-forward v1 over SPDY/3.1. upstream: cri-streaming, client-go tools/remotecommand. */
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { SpdyConnection } from '#machinery/spdy';
import type { SpdyStream } from '#machinery/spdy';
import { RuntimeError } from '../contract.ts';
import type { PortForwarder, RemoteChannels, RemoteCommand } from '../contract.ts';

function upgrade(url: string, protocol: string): Promise<SpdyConnection> {
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      method: 'POST',
      headers: { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol },
    });
    asked.once('upgrade', (_response, socket: Duplex, head: Buffer) => resolve(new SpdyConnection(socket, head, { role: 'client' })));
    asked.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.once('end', () =>
        reject(new RuntimeError('unknown', `the runtime's streaming server answered ${response.statusCode}: ${body.trim()}`)),
      );
    });
    asked.once('error', (error) =>
      reject(new RuntimeError('unavailable', `Cannot reach the runtime's streaming server: ${error.message}`, { cause: error })),
    );
    asked.end();
  });
}

async function textOf(stream: SpdyStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** In this version of the protocol the end is always told, the good one too. */
const cutOff = {
  metadata: {},
  status: 'Failure',
  message: 'Internal error occurred: the runtime closed the connection before it said how the command ended',
  reason: 'InternalError',
  code: 500,
};

/** Opens the streams of an exec or attach. */
export async function remoteCommand(url: string, channels: RemoteChannels): Promise<RemoteCommand> {
  const connection = await upgrade(url, 'v4.channel.k8s.io');
  const open = (streamType: string, readOnly = false): Promise<SpdyStream> => connection.openStream({ streamtype: streamType }, readOnly);
  try {
    const [error, stdin, stdout, stderr, resize] = await Promise.all([
      open('error', true),
      channels.stdin ? open('stdin') : undefined,
      channels.stdout ? open('stdout', true) : undefined,
      channels.stderr && !channels.tty ? open('stderr', true) : undefined,
      channels.tty ? open('resize') : undefined,
    ]);
    // What a container's input stream answers is of no use, but must be read for the stream to end.
    stdin?.resume();
    resize?.resume();
    const done = textOf(error).then((text) => (text ? (JSON.parse(text) as Record<string, unknown>) : cutOff));
    done.catch(() => undefined);
    return {
      stdin,
      stdout,
      stderr,
      resize: (width, height) => void resize?.write(JSON.stringify({ Width: width, Height: height })),
      done,
      close: () => connection.close(),
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Opens a port-forward; each connection is a pair of streams, one for data and one for an error text. */
export async function portForwarder(url: string): Promise<PortForwarder> {
  const connection = await upgrade(url, 'portforward.k8s.io');
  let requests = 0;
  return {
    async connect(port) {
      const requestid = String(requests++);
      const headers = { port: String(port), requestid };
      // The runtime pairs the two by their request id, the error stream first.
      const error = await connection.openStream({ streamtype: 'error', ...headers }, true);
      const stream = await connection.openStream({ streamtype: 'data', ...headers });
      return { stream, error: textOf(error) };
    },
    close: () => connection.close(),
  };
}
