/** The LMDB environment of a store, opened. */
import { open } from 'lmdb';
import type { Database, RootDatabase, Transaction } from 'lmdb';
import { Headers } from './headers.ts';

export interface Tables {
  root: RootDatabase<Buffer, string>;
  records: Database<Buffer, number>;
  headers: Headers;
  /** lmdb's types leave out that a read without a copy may be within a transaction, too. */
  values: Database<Buffer, number> & { getBinaryFast(key: number, options: { transaction?: Transaction }): Buffer | undefined };
  gone: Database<Buffer, number>;
  leases: Database<Buffer, number>;
  meta: Database<Buffer, string>;
}

/** `readOnly`: beside a process that writes; throws where there is no store. */
export function openTables(path: string, readOnly = false): Tables {
  const root = open<Buffer, string>({
    path,
    // Else a path with a dot in its last part would be a file's.
    noSubdir: false,
    encoding: 'binary',
    maxDbs: 8,
    readOnly,
    overlappingSync: false,
    // Batches are ours. Its own, of a turn of the loop, would be a second promise that nobody hears reject.
    eventTurnBatching: false,
    // Address space only. Where it is scarce, lmdb maps piece by piece.
    ...(process.arch.includes('64') && { mapSize: 64 * 1024 ** 3 }),
  });
  const gone = root.openDB<Buffer, number>({ name: 'gone', encoding: 'binary' });
  return {
    root,
    meta: root.openDB<Buffer, string>({ name: 'meta', encoding: 'binary' }),
    records: root.openDB<Buffer, number>({ name: 'records', encoding: 'binary' }),
    headers: new Headers(root, gone),
    values: root.openDB<Buffer, number>({ name: 'values', encoding: 'binary' }),
    gone,
    leases: root.openDB<Buffer, number>({ name: 'leases', encoding: 'binary' }),
  };
}

interface TreePages {
  entryCount: number;
  treeBranchPageCount: number;
  treeLeafPageCount: number;
  overflowPages: number;
}

/** The last page that was ever used, and how many up to it are free. */
export function pagesIn({ root, meta, records, values, gone, leases }: Tables): { last: number; free: number } {
  const stats = root.getStats() as TreePages & { lastPageNumber: number; free: TreePages };
  const trees = [stats, stats.free, ...[meta, records, values, gone, leases].map((table) => table.getStats() as TreePages)];
  // The first two hold the meta data.
  const used = trees.reduce((sum, tree) => sum + tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages, 2);
  return { last: stats.lastPageNumber, free: Math.max(0, stats.lastPageNumber + 1 - used) };
}

/** Something is in the list of free pages, be it free to be used already or not. */
export const listsFreePages = ({ root }: Tables): boolean => (root.getStats() as { free: TreePages }).free.entryCount > 0;
