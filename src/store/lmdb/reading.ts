/** Reading a store's tables and checking them against their checksums. */
import type { Transaction } from 'lmdb';
import { StoreError } from '../contract.ts';
import type { Record } from '../mvcc/record.ts';
import { formatVersion, oldestFormat, valueSum } from './format.ts';
import type { State } from './format.ts';
import { corrupt } from './meta-pages.ts';
import type { Tables } from './tables.ts';

/** `transaction`: reads as of one commit, while another process goes on. */
export function readState(path: string, { meta }: Tables, transaction?: Transaction): State {
  const found = meta.get('state', { ...(transaction && { transaction }) });
  if (!found) return { format: formatVersion, revision: 1, compactRevision: 0, checksum: 0, clean: true, logged: 0, salt: 0 };
  const state = JSON.parse(found.toString()) as Partial<State> & Omit<State, 'logged' | 'salt'>;
  if (!(state.format >= oldestFormat && state.format <= formatVersion))
    throw new StoreError('invalid', `Cannot open store ${path}: its format is ${state.format}, this version knows ${formatVersion}`);
  const { revision, compactRevision, checksum, clean, logged = 0, salt = 0 } = state;
  return { format: formatVersion, revision, compactRevision, checksum, clean, logged, salt };
}

/** Throws StoreError 'corrupt' where the records are not those that `state` sums up. */
export function readRecords(
  path: string,
  tables: Tables,
  { revision, checksum: wanted }: State,
  transaction?: Transaction,
): { records: Record[]; leases: { id: number; ttl: number }[] } {
  const within = { ...(transaction && { transaction }) };
  const records: Record[] = [];
  const checksum = tables.headers.read(within, (record) => void records.push(record));
  if (checksum !== wanted) throw corrupt(path, `the records sum to ${checksum}, the state says ${wanted}`);
  const newest = records.at(-1)?.modRevision ?? 0;
  if (newest > revision) throw corrupt(path, `there is a record of revision ${newest}, the state says ${revision}`);
  const leases = [...tables.leases.getRange(within)].map(({ key, value }) => ({ id: key, ttl: value.readDoubleLE(0) }));
  return { records, leases };
}

/** Throws StoreError 'corrupt' where `value` is not the record's. */
export function checkValue(path: string, record: Record, value: Uint8Array | undefined): asserts value is Uint8Array {
  if (value === undefined || value.length !== record.size || valueSum(value) !== record.checksum)
    throw corrupt(path, `the value of ${record.key} at revision ${record.modRevision} is not what was written`);
}
