/** Keeps container logs from filling the disk: 10 MiB a file, five files a container. upstream: pkg/kubelet/logs/container_log_manager.go. */
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { Runtime } from '#runtime';

export interface LogRotationOptions {
  runtime: Runtime;
  clock: Clock;
  log: Log;
  /** Id and log of every running container. */
  running(): { id: string; logPath: string }[];
  maxBytes?: number;
  maxFiles?: number;
}

const period = 10_000;

const stampOf = (milliseconds: number): string =>
  new Date(milliseconds)
    .toISOString()
    .replace(/[-:]|\.\d+Z/g, '')
    .replace('T', '-');

export class LogRotation {
  readonly #options: LogRotationOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: LogRotationOptions) {
    this.#options = options;
  }

  /** There are containers: look from now on. */
  poke(): void {
    if (this.#stopped || this.#timer || this.#running) return;
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.rotate().finally(() => {
        this.#running = undefined;
        if (this.#options.running().length) this.poke();
      });
    }, period);
  }

  async rotate(): Promise<void> {
    const { log, maxBytes = 10 * 2 ** 20 } = this.#options;
    for (const { id, logPath } of this.#options.running()) {
      const size = await stat(logPath).then(
        (stats) => stats.size,
        () => 0,
      );
      if (size < maxBytes) continue;
      try {
        await this.#one(id, logPath);
      } catch (error) {
        log.warn('Cannot rotate a log', { container: id, path: logPath, error });
      }
    }
  }

  async #one(id: string, logPath: string): Promise<void> {
    const { clock, maxFiles = 5, runtime } = this.#options;
    const directory = path.dirname(logPath);
    const base = `${path.basename(logPath)}.`;
    const old = (await readdir(directory)).filter((name) => name.startsWith(base) && !name.endsWith('.tmp')).toSorted();
    for (const name of old.slice(0, Math.max(0, old.length - (maxFiles - 2)))) await rm(path.join(directory, name), { force: true });
    // The one rotated last is read by those who follow the log; older ones are packed.
    for (const name of old.slice(Math.max(0, old.length - (maxFiles - 2)))) {
      if (name.endsWith('.gz')) continue;
      const file = path.join(directory, name);
      await pipeline(createReadStream(file), createGzip(), createWriteStream(`${file}.tmp`));
      await rename(`${file}.tmp`, `${file}.gz`);
      await rm(file);
    }
    const rotated = `${logPath}.${stampOf(clock.now())}`;
    await rename(logPath, rotated);
    try {
      await runtime.runtime.reopenContainerLog({ containerId: id });
    } catch (error) {
      await rename(rotated, logPath);
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }
}
