/** A faulty disk in a process of its own, so that the process that uses it may wait for it. Told what to do by messages. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '#machinery/clock';
import { FaultyDisk } from './disk.ts';
import { mount } from './fuse.ts';

export interface DiskFaults {
  /** Bytes that all files together may have. */
  capacity?: number;
  /** Only what is asked of files of this name fails or is slow. */
  file?: string;
  /** Errno of writes, of syncs. */
  write?: number;
  sync?: number;
  /** So many syncs succeed before the one that fails. */
  syncsBefore?: number;
  /** Milliseconds that a sync takes. */
  syncDelay?: number;
}

export interface DiskProcess extends AsyncDisposable {
  /** Resolves when the faults are those. */
  set(faults: DiskFaults): Promise<void>;
}

/** Mounts an empty disk at `directory`, which exists. */
export async function diskProcess(directory: string): Promise<DiskProcess> {
  const child = fork(fileURLToPath(import.meta.url), [directory], { execArgv: ['--no-warnings'] });
  const ended = once(child, 'exit');
  await Promise.race([once(child, 'message'), ended.then(() => Promise.reject(new Error('the disk could not be mounted')))]);
  return {
    async set(faults) {
      child.send(faults);
      await once(child, 'message');
    },
    async [Symbol.asyncDispose]() {
      child.disconnect();
      await ended;
    },
  };
}

async function serve(directory: string): Promise<void> {
  let faults: DiskFaults = {};
  const disk = new FaultyDisk(() => faults.capacity ?? Infinity);
  const mounted = await mount(disk, directory);
  process.on('message', (message: DiskFaults) => {
    faults = message;
    let syncs = faults.syncsBefore ?? 0;
    disk.faults = {
      ...(faults.file && { file: faults.file }),
      ...(faults.write && { write: faults.write }),
      async beforeSync() {
        if (faults.syncDelay) await sleep(systemClock, faults.syncDelay);
        if (faults.sync && syncs-- <= 0) disk.faults.sync = faults.sync;
      },
    };
    process.send!('set');
  });
  process.on('disconnect', () => void mounted.unmount());
  process.send!('mounted');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(process.argv[2]!);
