/**
 * Makes a store's file as short as what is in it: LMDB uses free pages again, but never gives them back. A compact copy takes the file's
 * place while reads go on; nobody may write meanwhile. upstream: etcd server/storage/backend (defrag).
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openTables } from './tables.ts';
import type { Tables } from './tables.ts';

const workOf = (path: string): string => join(path, 'defragment');

/** Removes what an end in the middle of it left. The store's own file is whole then, the old or the new one. */
export function clearDefragment(path: string): void {
  if (existsSync(workOf(path))) rmSync(workOf(path), { recursive: true });
}

/** `use` is told which tables to read from; the others are closed then. On rejection the file is what it was. */
export async function defragment(path: string, tables: Tables, use: (tables: Tables) => void): Promise<void> {
  const work = workOf(path);
  clearDefragment(path);
  mkdirSync(work, { mode: 0o700 });
  try {
    await tables.root.backup(work, true);
    sync(join(work, 'data.mdb'));
  } catch (error) {
    clearDefragment(path);
    throw error;
  }
  // Opened where it lies, so that there is always something to read from: a path is open only once in a process.
  const copy = openTables(work);
  use(copy);
  await tables.root.close();
  try {
    renameSync(join(work, 'data.mdb'), join(path, 'data.mdb'));
    // It names transactions of the old file. Other processes that read that one keep both.
    rmSync(join(path, 'lock.mdb'), { force: true });
    sync(path);
  } finally {
    use(openTables(path));
    await copy.root.close();
    clearDefragment(path);
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
