import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { sleep, systemClock } from '#machinery/clock';
import type { Clock } from '#machinery/clock';
import { RuntimeError } from '../contract.ts';
import type { Runtime, RuntimeService } from '../contract.ts';
import { connectCri } from './connection.ts';
import { ShimGroups } from './shim-groups.ts';

const run = promisify(execFile);

export interface CriOptions {
  clock?: Clock;
  /** How many pods may share one of containerd's shims, where that is one that `startContainerd` started. Default: each has its own. */
  podsPerShim?: number;
}

/** A CRI runtime behind a unix socket: containerd, or CRI-O. `name` is what container ids are prefixed with ("containerd"). */
export async function criRuntime(socketPath: string, { clock = systemClock, podsPerShim = 1 }: CriOptions = {}): Promise<Runtime> {
  const connection = await connectCri(socketPath);
  try {
    await initialized(connection.runtime, clock);
  } catch (error) {
    connection.close();
    throw error;
  }
  const version = await connection.runtime.version({});
  const name = version.runtimeName ?? 'cri';
  const close = (): Promise<void> => {
    connection.close();
    return Promise.resolve();
  };
  return {
    name,
    runtime: podsPerShim > 1 ? new ShimGroups(podsPerShim).watch(connection.runtime) : connection.runtime,
    images: connection.images,
    async stream(url, channels) {
      const { remoteCommand } = await import('./streaming.ts');
      return remoteCommand(url, channels);
    },
    async forward(url) {
      const { portForwarder } = await import('./streaming.ts');
      return portForwarder(url);
    },
    async load(archivePath) {
      if (name !== 'containerd')
        throw new RuntimeError('unimplemented', `Cannot load an archive into ${name}: only containerd is supported`);
      try {
        const { stdout } = await run('ctr', ['--address', socketPath, '--namespace', 'k8s.io', 'images', 'import', archivePath], {
          maxBuffer: 16 * 1024 * 1024,
        });
        return [...stdout.matchAll(/unpacking (\S+)/g)].map((match) => match[1]!);
      } catch (error) {
        throw new RuntimeError(
          'unknown',
          `Cannot load ${archivePath}: ${((error as { stderr?: string }).stderr ?? (error as Error).message).trim()}`,
          { cause: error },
        );
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

const patience = 60_000;

/** containerd listens before its CRI plugin has read what is there, and then refuses; it tells nobody when it is done. */
async function initialized(runtime: RuntimeService, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + patience;
  for (;;)
    try {
      await runtime.status({});
      return;
    } catch (error) {
      if (!/server is not initialized yet/.test((error as Error).message) || clock.monotonic() > deadline) throw error;
      await sleep(clock, 50);
    }
}
