/** Sees to it that one process has a store open: the index is in memory, so two writers would each undo the other's. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../contract.ts';

/** Takes the directory; returns what gives it back. Throws StoreError 'invalid' where a living process has it. */
export function own(directory: string): () => void {
  const path = join(directory, 'owner');
  const mark = `${process.pid} ${startOf(process.pid)}`;
  for (;;) {
    try {
      writeFileSync(path, mark, { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const pid = ownerOf(directory);
      if (pid) throw new StoreError('invalid', `Cannot open store ${directory}: process ${pid} has it open`);
      // Its owner died without giving it back.
      rmSync(path, { force: true });
    }
  }
}

/** The living process that has a store open. */
export function ownerOf(directory: string): string | undefined {
  const [pid, start] = read(join(directory, 'owner')).split(' ');
  return pid && alive(Number(pid)) && startOf(Number(pid)) === start ? pid : undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process started, so that a pid used again is not taken for it. Empty where /proc does not say. */
function startOf(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has ended, and has nothing open any more; only its parent does not know yet.
  return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
}
