/** What the two protocols of remote command have in common: the streams between a client and a container's process. */
import type { Readable, Writable } from 'node:stream';
import type { RemoteCommand } from '#runtime';

export interface ClientChannels {
  stdin: Readable | undefined;
  stdout: Writable | undefined;
  stderr: Writable | undefined;
  /** The terminal's new size. */
  onResize(listener: (width: number, height: number) => void): void;
  /** Tells the client how it ended (a Status) and closes. */
  finish(status: Record<string, unknown>): Promise<void>;
  /** Resolves when the client is gone. */
  readonly gone: Promise<void>;
}

const ended = (stream: NodeJS.ReadableStream | undefined): Promise<void> =>
  stream ? new Promise((resolve) => stream.once('end', resolve).once('close', resolve)) : Promise.resolve();

/** Joins client and process until the process ends or the client goes away. */
export async function join(client: ClientChannels, command: RemoteCommand): Promise<void> {
  client.onResize((width, height) => command.resize(width, height));
  if (client.stdin && command.stdin) {
    client.stdin.pipe(command.stdin);
    // Writing to a process that has gone is not a failure of the session.
    command.stdin.on('error', () => client.stdin?.resume());
  } else client.stdin?.resume();
  const outputs = Promise.all([ended(command.stdout), ended(command.stderr)]);
  for (const [from, to] of [
    [command.stdout, client.stdout],
    [command.stderr, client.stderr],
  ] as const) {
    if (from && to) from.pipe(to, { end: false });
    else from?.resume();
  }
  try {
    const status = await Promise.race([command.done, client.gone.then(() => undefined)]);
    if (status === undefined) return;
    await Promise.race([outputs, client.gone]);
    await client.finish(status);
  } finally {
    command.close();
  }
}
