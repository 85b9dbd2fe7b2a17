/** A store made of what another had at one revision: every key with its own revisions and version, so that objects stay the very same. */
import { existsSync, rmSync } from 'node:fs';
import { StoreError } from '../contract.ts';
import type { KeyValue } from '../contract.ts';
import type { Record } from '../mvcc/record.ts';
import { LmdbBacking } from './backing.ts';
import { valueSum } from './format.ts';

export interface StoreContents {
  revision: number;
  keyValues: readonly KeyValue[];
  leases: readonly { id: number; ttl: number }[];
}

const batch = 1000;

/** Makes a store at `path`, where there must be none. Its history begins at the revision. */
export async function importStore(path: string, { revision, keyValues, leases }: StoreContents): Promise<void> {
  if (existsSync(path)) throw new StoreError('invalid', `Cannot make a store at ${path}: it exists`);
  const records = keyValues
    .map(({ key, value, createRevision, modRevision, version, lease }): Record => ({
      key,
      createRevision,
      modRevision,
      version,
      lease,
      size: value.length,
      value,
      sequence: 0,
      checksum: valueSum(value),
    }))
    .sort((a, b) => a.modRevision - b.modRevision);
  try {
    const backing = new LmdbBacking(path);
    await backing.recover();
    for (let at = 0; at < records.length || at === 0; at += batch)
      await backing.write({
        records: records.slice(at, at + batch),
        revision,
        leases: at === 0 ? leases : [],
        superfluous: [],
      });
    await backing.compact(revision);
    await backing.close(revision);
  } catch (error) {
    rmSync(path, { recursive: true, force: true });
    throw error;
  }
}
