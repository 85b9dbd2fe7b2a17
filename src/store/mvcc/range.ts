/** Reading a range as of a revision. upstream: etcd server/etcdserver/txn/range.go (filters and sorting come before the limit). */
import type { KeyValue, RangeRequest, RangeResult } from '../contract.ts';
import { bounds } from '../key-range.ts';
import { emptyKey } from './errors.ts';
import type { KeyIndex } from './key-index.ts';
import type { Record } from './record.ts';

/** Makes the key-values a caller gets of records; `keysOnly`: with empty values. */
export interface View {
  one(record: Record, keysOnly: boolean): KeyValue;
  /** Reads what lies together once. */
  all(records: readonly Record[], keysOnly: boolean): KeyValue[];
}

export function readRange(index: KeyIndex, request: RangeRequest, revision: number, storeRevision: number, view: View): RangeResult {
  if (request.key === '') throw emptyKey();
  const keysOnly = request.keysOnly === true;
  const limit = request.limit ?? 0;
  let more = false;
  if (!request.end) {
    const record = index.at(request.key, revision);
    const wanted = record !== undefined && !request.countOnly && passes(record, request);
    return { revision: storeRevision, keyValues: wanted ? [view.one(record, keysOnly)] : [], more, count: record ? 1 : 0 };
  }
  const { from, to } = bounds(request);
  const all = filters(request) || request.sort !== undefined;
  let records: Record[] = [];
  let count = 0;
  index.visit(from, to, revision, (record) => {
    count++;
    if (request.countOnly) return;
    if (all || limit === 0 || records.length < limit) records.push(record);
    else more = true;
  });
  if (filters(request)) records = records.filter((record) => passes(record, request));
  if (request.sort) sort(records, request.sort, view);
  if (limit > 0 && records.length > limit) {
    records.length = limit;
    more = true;
  }
  return { revision: storeRevision, keyValues: view.all(records, keysOnly), more, count };
}

const filters = (request: RangeRequest): boolean =>
  Boolean(request.minModRevision || request.maxModRevision || request.minCreateRevision || request.maxCreateRevision);

function passes(record: Record, request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (minModRevision && record.modRevision < minModRevision) return false;
  if (maxModRevision && record.modRevision > maxModRevision) return false;
  if (minCreateRevision && record.createRevision < minCreateRevision) return false;
  if (maxCreateRevision && record.createRevision > maxCreateRevision) return false;
  return true;
}

function sort(records: Record[], { by, order }: NonNullable<RangeRequest['sort']>, view: View): void {
  const sign = order === 'descend' ? -1 : 1;
  const compare = {
    key: (a: Record, b: Record) => (a.key < b.key ? -1 : 1),
    version: (a: Record, b: Record) => a.version - b.version,
    create: (a: Record, b: Record) => a.createRevision - b.createRevision,
    mod: (a: Record, b: Record) => a.modRevision - b.modRevision,
    value: (a: Record, b: Record) => Buffer.compare(view.one(a, false).value, view.one(b, false).value),
  }[by];
  records.sort((a, b) => sign * compare(a, b));
}
