/** Checking a store at rest, and making one of a snapshot. upstream: etcdutl snapshot restore. */
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../contract.ts';
import { LmdbBacking } from './backing.ts';

export interface StoreSummary {
  revision: number;
  compactRevision: number;
  /** Records, history included. */
  records: number;
  bytes: number;
}

/** Reads every value of a store that nobody has open. Rejects with StoreError 'corrupt' at the first that is not what was written. */
export async function verifyStore(path: string): Promise<StoreSummary> {
  const backing = new LmdbBacking(path);
  try {
    const { seen, compactRevision, records } = backing.inspect();
    let count = 0;
    let bytes = 0;
    for (const record of records) {
      count++;
      bytes += backing.load(record).length;
    }
    return { revision: seen, compactRevision, records: count, bytes };
  } finally {
    await backing.abandon();
  }
}

/**
 * Makes a store at `path`, which must not exist, of a snapshot. Its revision is raised by `bump` and its history is compacted, so that
 * no client that saw more than the snapshot takes a new revision for one that it knows: all have to list again.
 */
export async function restoreSnapshot(snapshot: string, path: string, bump = 1_000_000): Promise<StoreSummary> {
  if (existsSync(path)) throw new StoreError('invalid', `Cannot restore to ${path}: it exists`);
  cpSync(snapshot, path, { recursive: true });
  rmSync(join(path, 'owner'), { force: true });
  const summary = await verifyStore(path);
  const backing = new LmdbBacking(path);
  const { revision } = await backing.recover();
  await backing.write({ records: [], revision: revision + bump, granted: [], revoked: [] });
  await backing.compact(revision + bump);
  await backing.close(revision + bump);
  return { ...summary, revision: revision + bump, compactRevision: revision + bump };
}
