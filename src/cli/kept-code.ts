/**
 * A script whose compiled code is kept from one process to the next. Node's own compile cache takes a module's code before anything has run: the
 * functions inside are not in it, and every start compiles those that it calls anew. Here it is taken when a process has started.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { constants, Script } from 'node:vm';
import { crc32 } from 'node:zlib';
import type { Clock } from '#machinery/clock';

export interface KeptScriptOptions {
  /** Of characters below 256. A file of another text has another name: what is kept is told by names alone. */
  file: string;
  /** Where the compiled code is kept; undefined: nowhere. */
  kept?: string;
  clock: Clock;
  process: Pick<NodeJS.Process, 'once' | 'pid'>;
}

/** Until a start is over, in milliseconds. A process that ends before keeps what it has called by then. */
const start = 5000;

export function keptScript({ file, kept, clock, process }: KeptScriptOptions): Script {
  const cachedData = kept === undefined ? undefined : whole(kept);
  const script = new Script(readFileSync(file, 'latin1'), {
    filename: file,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData && { cachedData }),
  });
  // V8 refuses the code of another version of itself, or of other settings.
  if (kept === undefined || script.cachedDataRejected === false) return script;
  let done = false;
  const keep = (): void => {
    if (done) return;
    done = true;
    try {
      write(kept, script.createCachedData(), process.pid);
    } catch {
      // A place that cannot be written: the next start compiles again.
    }
  };
  clock.setTimeout(keep, start);
  process.once('exit', keep);
  return script;
}

/** V8 does not look whether its data are whole. */
function whole(path: string): Buffer | undefined {
  try {
    const bytes = readFileSync(path);
    const data = bytes.subarray(4);
    return crc32(data) === bytes.readUInt32LE(0) ? data : undefined;
  } catch {
    return undefined;
  }
}

function write(path: string, data: Buffer, pid: number): void {
  const sum = Buffer.allocUnsafe(4);
  sum.writeUInt32LE(crc32(data));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${pid}`, Buffer.concat([sum, data]), { mode: 0o600 });
  renameSync(`${path}.${pid}`, path);
}
