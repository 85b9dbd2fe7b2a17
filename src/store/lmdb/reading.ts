/** Reading a store's tables and checking them against their checksums. */
import type { Transaction } from 'lmdb';
import { StoreError } from '../contract.ts';
import type { Record } from '../mvcc/record.ts';
import { formatVersion, oldestFormat, valueSum } from './format.ts';
import type { State } from './format.ts';
import { packAfter, packOf, Packs, valueIn } from './packs.ts';
import { corrupt } from './meta-pages.ts';
import type { Tables } from './tables.ts';

/** `transaction`: reads as of one commit, while another process goes on. */
export function readState(path: string, tables: Tables, transaction?: Transaction): State {
  const found = tables.meta.get('state', { ...(transaction && { transaction }) });
  if (!found) return { format: formatVersion, revision: 1, compactRevision: 0, checksum: 0, clean: true, logged: 0, salt: 0, packed: 0 };
  const state = JSON.parse(found.toString()) as Partial<State> & Omit<State, 'logged' | 'salt' | 'packed'>;
  if (!(state.format >= oldestFormat && state.format <= formatVersion))
    throw new StoreError('invalid', `Cannot open store ${path}: its format is ${state.format}, this version knows ${formatVersion}`);
  const { revision, compactRevision, checksum, clean, logged = 0, salt = 0, packed = packAfter(newestSequence(tables)) } = state;
  return { format: formatVersion, revision, compactRevision, checksum, clean, logged, salt, packed };
}

export const newestSequence = ({ records }: Tables): number => [...records.getKeys({ reverse: true, limit: 1 })][0] ?? 0;

/** The values of records, in their order; undefined where there is none. What lies together is read once. */
export function readValues(
  { values }: Tables,
  { packed }: State,
  records: readonly Record[],
  transaction?: Transaction,
): (Buffer | undefined)[] {
  const found: (Buffer | undefined)[] = records.map(() => undefined);
  const within = { ...(transaction && { transaction }) };
  const places = new Map<number, number[]>();
  for (const [place, { sequence }] of records.entries()) {
    const key = packOf(sequence, packed);
    const same = places.get(key);
    if (same) same.push(place);
    else places.set(key, [place]);
  }
  for (const [key, same] of places) {
    // Bytes of lmdb's own, there until its next read.
    const bytes = values.getBinaryFast(key, within);
    for (const place of same) {
      const part = bytes && valueIn(bytes, records[place]!.sequence, packed);
      if (!part) continue;
      // A small value comes out of Node's pool: memory of its own is most of what reading it would cost.
      found[place] = Buffer.allocUnsafe(part.length);
      found[place].set(part);
    }
  }
  return found;
}

/** Throws StoreError 'corrupt' where the records are not those that `state` sums up. */
export function readRecords(
  path: string,
  tables: Tables,
  { revision, checksum: wanted, packed }: State,
  transaction?: Transaction,
): { records: Record[]; leases: { id: number; ttl: number }[]; packs: Packs } {
  const within = { ...(transaction && { transaction }) };
  const packs = new Packs(packed);
  const { records, checksum } = soundly(path, () => tables.headers.read(within, packs));
  if (checksum !== wanted) throw corrupt(path, `the records sum to ${checksum}, the state says ${wanted}`);
  const newest = records.at(-1)?.modRevision ?? 0;
  if (newest > revision) throw corrupt(path, `there is a record of revision ${newest}, the state says ${revision}`);
  const leases = [...tables.leases.getRange(within)].map(({ key, value }) => ({ id: key, ttl: value.readDoubleLE(0) }));
  return { records, leases, packs };
}

/** Throws StoreError 'corrupt' where `value` is not the record's. */
export function checkValue(path: string, record: Record, value: Uint8Array | undefined): asserts value is Uint8Array {
  if (value === undefined || value.length !== record.size || valueSum(value) !== record.checksum)
    throw corrupt(path, `the value of ${record.key} at revision ${record.modRevision} is not what was written`);
}

/** Lengths that are not what was written lead beyond what there is. */
function soundly<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw corrupt(path, 'there is a header that is not what was written');
  }
}
