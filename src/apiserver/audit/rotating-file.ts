/** A file that lines are added to, put aside when it grows too long. upstream: gopkg.in/natefinch/lumberjack, as --audit-log-* sets it. */
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { createReadStream, createWriteStream } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Clock } from '#machinery/clock';

export interface RotatingFileOptions {
  path: string;
  /** Bytes; a longer file is put aside before the next line. 0: 100 MiB. */
  maxSize?: number;
  /** Milliseconds after which files that were put aside are removed; 0: never. */
  maxAge?: number;
  /** How many are kept; 0: all. */
  maxBackups?: number;
  compress?: boolean;
  clock: Clock;
}

const defaultSize = 100 * 1024 * 1024;

export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #descriptor: number;
  #size: number;
  /** Compressing and removing, one after the other. */
  #cleaning: Promise<void> = Promise.resolve();

  /** Throws where the file cannot be opened. */
  constructor(options: RotatingFileOptions) {
    this.#options = options;
    mkdirSync(dirname(options.path), { recursive: true, mode: 0o755 });
    this.#descriptor = openSync(options.path, 'a', 0o600);
    this.#size = fstatSync(this.#descriptor).size;
  }

  /** Returns when the kernel has it. Throws where it cannot be written. */
  write(text: string): void {
    const bytes = Buffer.from(text);
    const limit = this.#options.maxSize || defaultSize;
    if (this.#size > 0 && this.#size + bytes.length > limit) this.#rotate();
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written);
    this.#size += bytes.length;
  }

  async close(): Promise<void> {
    await this.#cleaning;
    closeSync(this.#descriptor);
  }

  #rotate(): void {
    const { path, clock } = this.#options;
    closeSync(this.#descriptor);
    const stamp = new Date(clock.now()).toISOString().replaceAll(':', '-').replace('Z', '');
    const extension = extname(path);
    renameSync(path, join(dirname(path), `${basename(path, extension)}-${stamp}${extension}`));
    this.#descriptor = openSync(path, 'a', 0o600);
    this.#size = 0;
    this.#cleaning = this.#cleaning.then(() => this.#clean()).catch(() => undefined);
  }

  async #clean(): Promise<void> {
    const { path, clock, maxAge = 0, maxBackups = 0, compress = false } = this.#options;
    const extension = extname(path);
    const prefix = `${basename(path, extension)}-`;
    const backups = readdirSync(dirname(path))
      .flatMap((name) => {
        if (!name.startsWith(prefix)) return [];
        const stamp = name
          .slice(prefix.length)
          .replace(/\.gz$/, '')
          .slice(0, -extension.length || undefined);
        const at = Date.parse(`${stamp.replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:')}Z`);
        return Number.isNaN(at) ? [] : [{ file: join(dirname(path), name), at }];
      })
      .sort((left, right) => right.at - left.at);
    for (const [index, { file, at }] of backups.entries()) {
      if ((maxBackups > 0 && index >= maxBackups) || (maxAge > 0 && clock.now() - at > maxAge)) rmSync(file, { force: true });
      else if (compress && !file.endsWith('.gz')) {
        await pipeline(createReadStream(file), createGzip(), createWriteStream(`${file}.gz`, { mode: 0o600 }));
        rmSync(file);
      }
    }
  }
}
