/**
 * Both of LMDB's meta pages must be LMDB's before it may see them: it takes what they say for addresses, and a process that follows bad
 * ones is killed. While a store is made they may be torn; until it is marked as made, nothing in it was ever acknowledged.
 */
import { closeSync, existsSync, fsyncSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../contract.ts';

export const corrupt = (path: string, what: string): StoreError => new StoreError('corrupt', `Store ${path} is corrupt: ${what}`);

const mark = (path: string): string => join(path, 'made');

/** Throws StoreError 'corrupt'. Removes what is left of a store whose making was cut short. */
export function checkMetaPages(path: string): void {
  const file = join(path, 'data.mdb');
  if (!existsSync(file) || areSound(file)) return;
  if (existsSync(mark(path))) throw corrupt(path, `data.mdb does not begin as LMDB's files do`);
  rmSync(file);
}

/** The store has been committed to once. */
export function markMade(path: string): void {
  if (existsSync(mark(path))) return;
  const descriptor = openSync(mark(path), 'w', 0o600);
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function areSound(file: string): boolean {
  const [pageSize, offset, magic, version] = [4096, 24, 0xbeefc0de, 2];
  const head = Buffer.alloc(2 * pageSize);
  const descriptor = openSync(file, 'r');
  try {
    const length = readSync(descriptor, head, 0, head.length, 0);
    return (
      length === head.length &&
      [offset, pageSize + offset].every((at) => head.readUInt32LE(at) === magic && head.readUInt32LE(at + 4) === version)
    );
  } finally {
    closeSync(descriptor);
  }
}
