/**
 * Snapshots: a store as of one revision in one file, which is LMDB's own with nothing in it but what is in use. Taken while the
 * store is written to, by this process or another; verified when taken, when looked at and when restored. Who reads a store from outside reads
 * its log first, then LMDB: what is in the log no more is there.
 * upstream: etcdctl snapshot save, etcdutl snapshot status, restore.
 */
import { copyFileSync, cpSync, existsSync, linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { StoreError } from '../contract.ts';
import { noValue } from '../mvcc/record.ts';
import type { Record } from '../mvcc/record.ts';
import { LmdbBacking } from './backing.ts';
import { headerSum, plus } from './format.ts';
import { entriesAfter } from './log-format.ts';
import { readLog } from './log.ts';
import { merged, replay } from './logged-backing.ts';
import { checkMetaPages, markMade } from './meta-pages.ts';
import { ownerOf } from './owner.ts';
import { checkValue, readRecords, readState, readValues } from './reading.ts';
import { openTables } from './tables.ts';

export interface StoreSummary {
  revision: number;
  compactRevision: number;
  /** Keys that are there at the revision. */
  keys: number;
  /** Records, history included. */
  records: number;
  /** Bytes of all values. */
  bytes: number;
  /** Of everything there is: equal for equal stores. */
  checksum: number;
}

/** Values that are read at a time. */
const step = 1000;

/** Reads every value of a store, which a process may have open. Rejects with StoreError 'corrupt' at the first that is not what was written. */
export async function verifyStore(path: string): Promise<StoreSummary> {
  if (!existsSync(join(path, 'data.mdb'))) throw new StoreError('invalid', `Cannot read store ${path}: there is none`);
  checkMetaPages(path);
  const beside = ownerOf(path) !== undefined;
  const log = readLog(path);
  const tables = openTables(path, true);
  try {
    const transaction = tables.root.useReadTransaction();
    try {
      const state = readState(path, tables, transaction);
      const { records } = readRecords(path, tables, state, transaction);
      const logged = merged(entriesAfter(path, log, state.logged, state.salt, beside), state).logged;
      let bytes = 0;
      const live = new Set<string>();
      const check = (record: Record, value: Uint8Array | undefined): void => {
        checkValue(path, record, value);
        bytes += value.length;
        if (record.version > 0) live.add(record.key);
        else live.delete(record.key);
      };
      for (let at = 0; at < records.length; at += step) {
        const part = records.slice(at, at + step);
        const values = readValues(tables, state, part, transaction);
        for (const [place, record] of part.entries()) check(record, record.size === 0 ? noValue : values[place]);
      }
      for (const record of logged.records) check(record, record.value);
      const checksum = logged.records.reduce((sum, record) => plus(sum, headerSum(record)), state.checksum);
      const { revision, compactRevision } = logged;
      return { revision, compactRevision, keys: live.size, records: records.length + logged.records.length, bytes, checksum };
    } finally {
      transaction.done();
    }
  } finally {
    await tables.root.close();
  }
}

/** Copies the store at `path` into `file`, which must not exist, and checks the copy. */
export async function saveSnapshot(path: string, file: string): Promise<StoreSummary> {
  if (existsSync(file)) throw new StoreError('invalid', `Cannot save a snapshot to ${file}: it exists`);
  if (!existsSync(join(path, 'data.mdb'))) throw new StoreError('invalid', `Cannot read store ${path}: there is none`);
  const work = workBeside(file);
  try {
    checkMetaPages(path);
    const beside = ownerOf(path) !== undefined;
    const log = readLog(path);
    await copyTables(path, work);
    const summary = await verifyStore(await withLog(work, log, beside));
    renameSync(join(work, 'data.mdb'), file);
    return summary;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function copyTables(path: string, directory: string): Promise<void> {
  const tables = openTables(path, true);
  try {
    await tables.root.backup(directory, true);
  } finally {
    await tables.root.close();
  }
}

/** Puts what its log has beyond it into the copy of a store. */
async function withLog(copy: string, log: readonly Buffer[], beside: boolean): Promise<string> {
  const lmdb = new LmdbBacking(copy);
  const added = await replay(lmdb, log, beside).finally(() => lmdb.abandon());
  if (added === 0) return copy;
  // Once more, for nothing is to be in it but what is in use.
  const small = join(copy, 'small');
  mkdirSync(small, { mode: 0o700 });
  await copyTables(copy, small);
  renameSync(join(small, 'data.mdb'), join(copy, 'data.mdb'));
  return copy;
}

/** Reads all of a snapshot file, or of a directory that LmdbStore.snapshot made. */
export async function snapshotStatus(snapshot: string): Promise<StoreSummary & { size: number }> {
  if (!existsSync(snapshot)) throw new StoreError('invalid', `Cannot read snapshot ${snapshot}: there is no such file`);
  if (statSync(snapshot).isDirectory()) return { ...(await verifyStore(snapshot)), size: statSync(join(snapshot, 'data.mdb')).size };
  const work = workBeside(snapshot);
  const inside = join(work, 'data.mdb');
  try {
    try {
      linkSync(snapshot, inside);
    } catch {
      copyFileSync(snapshot, inside);
    }
    // A file that is no store's would be taken for one whose making was cut short.
    markMade(work);
    return { ...(await verifyStore(work)), size: statSync(snapshot).size };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreError(error.code, error.message.replace(`Store ${work}`, `Snapshot ${snapshot}`), { cause: error });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Makes a store at `path`, which must not exist, of a snapshot. Its revision is raised by `bump` and its history is compacted, so that
 * no client that saw more than the snapshot takes a new revision for one that it knows: all have to list again.
 */
export async function restoreSnapshot(snapshot: string, path: string, bump = 1_000_000): Promise<StoreSummary> {
  if (existsSync(path)) throw new StoreError('invalid', `Cannot restore to ${path}: it exists`);
  const summary = await snapshotStatus(snapshot);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  try {
    cpSync(statSync(snapshot).isDirectory() ? join(snapshot, 'data.mdb') : snapshot, join(path, 'data.mdb'));
    const backing = new LmdbBacking(path);
    const { revision } = await backing.recover();
    await backing.write({ records: [], revision: revision + bump, leases: [], superfluous: [] });
    await backing.compact(revision + bump);
    await backing.close(revision + bump);
    return { ...summary, revision: revision + bump, compactRevision: revision + bump };
  } catch (error) {
    rmSync(path, { recursive: true, force: true });
    throw error;
  }
}

function workBeside(file: string): string {
  const directory = dirname(resolve(file));
  if (!existsSync(directory)) throw new StoreError('invalid', `Cannot write ${file}: there is no directory ${directory}`);
  return mkdtempSync(join(directory, `.${basename(file)}-`));
}
