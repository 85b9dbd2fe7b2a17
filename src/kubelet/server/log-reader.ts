/** Reads containers' log files as CRI runtimes write them: "<time> <stream> <P|F> <text>". upstream: cri-client/pkg/logs. */
import { open, watch } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { once } from 'node:events';
import { sleep } from '#machinery/clock';
import type { Clock } from '#machinery/clock';

export interface LogOptions {
  follow?: boolean;
  timestamps?: boolean;
  /** Only the last lines; undefined: all. */
  tailLines?: number;
  /** Milliseconds since 1970: only later lines. */
  since?: number;
  limitBytes?: number;
  /** Only one stream. */
  stream?: 'stdout' | 'stderr';
}

const blockSize = 64 * 1024;

/** Where the last `lines` lines begin. A line that its writer split (P) counts as the lines it was split into, as upstream's does. */
async function tailOffset(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines === 0) return size;
  const block = Buffer.alloc(blockSize);
  let found = 0;
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - blockSize);
    await file.read(block, 0, end - start, start);
    for (let at = end - start - 1; at >= 0; at--) {
      // The newline at the very end closes the last line, it does not begin one.
      if (block[at] === 10 && start + at !== size - 1 && ++found === lines) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

/** Waits for the file to change, or a second: a container's end leaves no trace in its log. */
async function changed(path: string, clock: Clock, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const ignoreAbort = (error: Error): void => {
    if (!stopped.aborted) throw error;
  };
  const event = (async () => {
    for await (const _ of watch(path, { signal: stopped })) return;
  })().catch(ignoreAbort);
  try {
    await Promise.race([event, sleep(clock, 1000, stopped).catch(ignoreAbort)]);
  } finally {
    stop.abort();
  }
}

/** Undefined where there is no file, and none to wait for. What has no file yet has nothing that tells of it, so it is looked for every second. */
async function openLog(
  path: string,
  follow: boolean,
  running: () => Promise<boolean>,
  clock: Clock,
  signal: AbortSignal,
): Promise<FileHandle | undefined> {
  for (let last = !follow; ;) {
    try {
      return await open(path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    if (last) return undefined;
    // Looked for once more after the container ended.
    last = !(await running());
    if (last) continue;
    try {
      await sleep(clock, 1000, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      return undefined;
    }
  }
}

/**
 * Writes the log to `output`, without ending it. With `follow`, goes on until `running` answers false and the file is read out, or the signal aborts.
 * A file that is not there is an empty log, to which something may yet be written.
 */
export async function readLog(
  path: string,
  options: LogOptions,
  output: Writable,
  running: () => Promise<boolean>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const file = await openLog(path, options.follow === true, running, clock, signal);
  if (!file) return;
  try {
    let left = options.limitBytes ?? Infinity;
    let at = options.tailLines === undefined ? 0 : await tailOffset(file, (await file.stat()).size, options.tailLines);
    let rest = Buffer.alloc(0) as Buffer;
    let partial = false;
    const block = Buffer.alloc(blockSize);

    const emit = async (line: Buffer): Promise<void> => {
      const first = line.indexOf(32);
      const second = line.indexOf(32, first + 1);
      const third = line.indexOf(32, second + 1);
      if (first < 0 || second < 0 || third < 0) return;
      const time = line.toString('latin1', 0, first);
      const stream = line.toString('latin1', first + 1, second);
      const full = line[second + 1] === 70; // F
      const begins = !partial;
      partial = !full;
      if (options.stream !== undefined && stream !== options.stream) return;
      if (options.since !== undefined && Date.parse(time) < options.since) return;
      const text = line.subarray(third + 1);
      const parts = [...(options.timestamps && begins ? [Buffer.from(`${time} `)] : []), text, ...(full ? [Buffer.from('\n')] : [])];
      let piece = Buffer.concat(parts);
      if (piece.length > left) piece = piece.subarray(0, left);
      left -= piece.length;
      if (!output.write(piece)) await once(output, 'drain', { signal });
    };

    let wasRunning = true;
    for (;;) {
      if (signal.aborted || left <= 0) return;
      const { bytesRead } = await file.read(block, 0, blockSize, at);
      if (bytesRead > 0) {
        at += bytesRead;
        let data = rest.length ? Buffer.concat([rest, block.subarray(0, bytesRead)]) : Buffer.from(block.subarray(0, bytesRead));
        for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10)) {
          await emit(data.subarray(0, end));
          if (left <= 0) return;
          data = data.subarray(end + 1);
        }
        rest = data;
        continue;
      }
      if (!options.follow || !wasRunning) return;
      // Read once more after the container ended: its last words may have come in between.
      wasRunning = await running();
      if (wasRunning) await changed(path, clock, signal);
    }
  } finally {
    await file.close();
  }
}
