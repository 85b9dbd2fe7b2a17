/**
 * What the suite (testsuite.ts) holds a store against: a store that keeps every state there ever was, whole, and random requests for both.
 */
import fc from 'fast-check';
import type {
  Compare,
  KeyValue,
  Operation,
  OperationResult,
  RangeRequest,
  RangeResult,
  StoreEvent,
  TxnRequest,
  TxnResult,
  WatchRequest,
} from './contract.ts';
import { bounds, covers } from './key-range.ts';

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const text = (value: Uint8Array): string => Buffer.from(value).toString();
export const put = (key: string, value = '', lease = 0): Operation => ({ type: 'put', key, value: bytes(value), ...(lease && { lease }) });
export const remove = (key: string, end?: string): Operation => ({ type: 'delete', key, ...(end !== undefined && { end }) });
export const txn = (...success: Operation[]): TxnRequest => ({ compare: [], success, failure: [] });
/** Plain shapes, so that Buffers and Uint8Arrays compare equal. */
type Plain = { key: string; value: string; create: number; mod: number; version: number; lease: number };
export const plain = (kv: KeyValue): Plain => ({
  key: kv.key,
  value: text(kv.value),
  create: kv.createRevision,
  mod: kv.modRevision,
  version: kv.version,
  lease: kv.lease,
});
export const plainRange = ({ revision, keyValues, more, count }: RangeResult) => ({
  revision,
  keyValues: keyValues.map(plain),
  more,
  count,
});
const plainResult = (result: OperationResult): unknown => {
  switch (result.type) {
    case 'range':
      return plainRange(result.result);
    case 'put':
      return { put: result.previous && plain(result.previous) };
    case 'delete':
      return { deleted: result.deleted, previous: result.previous.map(plain) };
    case 'txn':
      return plainTxn(result.result);
  }
};
export const plainTxn = ({ revision, succeeded, results }: TxnResult): unknown => ({
  revision,
  succeeded,
  results: results.map(plainResult),
});
export const plainEvent = ({ type, keyValue, previous }: StoreEvent): unknown => ({
  type,
  keyValue: plain(keyValue),
  previous: previous && plain(previous),
});

/** Every state there ever was, whole. */
export class Model {
  readonly states = new Map<number, ReadonlyMap<string, KeyValue>>();
  readonly events: StoreEvent[] = [];
  revision: number;

  constructor(revision: number) {
    this.revision = revision;
    this.states.set(revision, new Map());
  }

  /** The same state, to try something on. */
  copy(): Model {
    const copy = new Model(this.revision);
    copy.states.set(this.revision, this.state);
    return copy;
  }

  get state(): ReadonlyMap<string, KeyValue> {
    return this.states.get(this.revision)!;
  }

  txn(request: TxnRequest): TxnResult {
    const before = this.state;
    const work = new Map(before);
    const events: StoreEvent[] = [];
    const result = this.#run(request, before, work, events);
    if (events.length > 0) {
      this.revision++;
      this.states.set(this.revision, work);
      this.events.push(...events);
    }
    const settle = (inner: TxnResult): void => {
      inner.revision = this.revision;
      for (const each of inner.results) if (each.type === 'txn') settle(each.result);
    };
    settle(result);
    return result;
  }

  #run(request: TxnRequest, before: ReadonlyMap<string, KeyValue>, work: Map<string, KeyValue>, events: StoreEvent[]): TxnResult {
    const succeeded = request.compare.every((compare) => this.#holds(compare, before));
    const results = (succeeded ? request.success : request.failure).map((operation): OperationResult => {
      if (operation.type === 'range') {
        const revision = this.revision + (events.length > 0 ? 1 : 0);
        return { type: 'range', result: rangeOf(work, operation.request, revision) };
      }
      if (operation.type === 'txn') return { type: 'txn', result: this.#run(operation.request, before, work, events) };
      if (operation.type === 'put') {
        const old = work.get(operation.key);
        const revision = this.revision + 1;
        const keyValue: KeyValue = {
          key: operation.key,
          value: operation.value,
          createRevision: old?.createRevision ?? revision,
          modRevision: revision,
          version: (old?.version ?? 0) + 1,
          lease: 0,
        };
        work.set(operation.key, keyValue);
        events.push({ type: 'put', keyValue, ...(old && { previous: old }) });
        return { type: 'put', ...(operation.previous && old && { previous: old }) };
      }
      const found = [...work.keys()].filter((key) => covers(operation, key)).sort();
      const previous = found.map((key) => work.get(key)!);
      for (const old of previous) {
        work.delete(old.key);
        const keyValue = { key: old.key, value: bytes(''), createRevision: 0, modRevision: this.revision + 1, version: 0, lease: 0 };
        events.push({ type: 'delete', keyValue, previous: old });
      }
      return { type: 'delete', deleted: found.length, previous: operation.previous ? previous : [] };
    });
    return { revision: 0, succeeded, results };
  }

  #holds(compare: Compare, state: ReadonlyMap<string, KeyValue>): boolean {
    const found = [...state.values()].filter((kv) => covers(compare, kv.key));
    const order = (kv: KeyValue): number => {
      if (compare.target === 'value') return Buffer.compare(kv.value, compare.operand as Uint8Array);
      const field = { create: kv.createRevision, mod: kv.modRevision, version: kv.version, lease: kv.lease }[compare.target];
      return field - (compare.operand as number);
    };
    const test = (n: number): boolean => ({ equal: n === 0, 'not-equal': n !== 0, greater: n > 0, less: n < 0 })[compare.result];
    if (found.length > 0) return found.every((kv) => test(order(kv)));
    return compare.target !== 'value' && test(0 - (compare.operand as number));
  }

  range(request: RangeRequest): RangeResult {
    return rangeOf(this.states.get(request.revision || this.revision)!, request, this.revision);
  }

  /** What a watch must have been given in the end. */
  watched(request: WatchRequest, start: number): StoreEvent[] {
    return this.events
      .filter(({ keyValue }) => keyValue.modRevision >= start && covers(request, keyValue.key))
      .filter(({ type }) => !(type === 'put' ? request.filter?.noPut : request.filter?.noDelete))
      .map(({ previous, ...event }) => (request.previous && previous ? { ...event, previous } : event));
  }
}

function rangeOf(state: ReadonlyMap<string, KeyValue>, request: RangeRequest, revision: number): RangeResult {
  const { from, to } = bounds(request);
  const inside = [...state.values()].filter(({ key }) => key >= from && (to === undefined || key < to));
  inside.sort((a, b) => (a.key < b.key ? -1 : 1));
  let found = inside.filter(
    (kv) =>
      kv.modRevision >= (request.minModRevision || 0) &&
      kv.modRevision <= (request.maxModRevision || Infinity) &&
      kv.createRevision >= (request.minCreateRevision || 0) &&
      kv.createRevision <= (request.maxCreateRevision || Infinity),
  );
  if (request.sort) {
    const { by, order } = request.sort;
    const field = { key: 'key', version: 'version', create: 'createRevision', mod: 'modRevision', value: 'value' } as const;
    const compare = (a: KeyValue, b: KeyValue): number => {
      const [x, y] = [a[field[by]], b[field[by]]];
      if (x instanceof Uint8Array) return Buffer.compare(x, y as Uint8Array);
      return x < y ? -1 : x > y ? 1 : 0;
    };
    found.sort((a, b) => (order === 'descend' ? -compare(a, b) : compare(a, b)));
  }
  if (request.countOnly) return { revision, keyValues: [], more: false, count: inside.length };
  const more = Boolean(request.limit && found.length > request.limit);
  if (more) found = found.slice(0, request.limit);
  if (request.keysOnly) found = found.map((kv) => ({ ...kv, value: bytes('') }));
  return { revision, keyValues: found, more, count: inside.length };
}

const names = ['a', 'a/1', 'a/2', 'b', 'b/1', 'c/1', 'ÿ'];
const nameArb = fc.constantFrom(...names);
const valueArb = fc.constantFrom('', 'x', 'y', 'zz');
export type Span = { key: string; end?: string };
export const spanArb: fc.Arbitrary<Span> = fc.oneof(
  nameArb.map((key) => ({ key })),
  fc.tuple(nameArb, nameArb).map(([a, b]) => (a < b ? { key: a, end: b } : { key: b, end: `${a}0` })),
  fc.constant({ key: 'a', end: 'b' }),
);
export const rangeArb: fc.Arbitrary<RangeRequest> = fc
  .tuple(
    spanArb,
    fc.record(
      {
        limit: fc.nat(3),
        countOnly: fc.boolean(),
        keysOnly: fc.boolean(),
        sort: fc.record({
          by: fc.constantFrom('key' as const, 'mod' as const, 'create' as const, 'version' as const, 'value' as const),
          order: fc.constantFrom('ascend' as const, 'descend' as const),
        }),
      },
      { requiredKeys: [] },
    ),
  )
  // What is equal keeps its order by key (Go's sort does so up to a dozen); enough to try two ways of sorting here.
  .map(([span, rest]) => ({ ...span, ...rest }))
  .filter(({ sort }) => sort === undefined || sort.by === 'key' || sort.by === 'mod');
/** Numbers in compares are counted from the revision at which the test began (`delta`), versions from 0. */
const compareArb: fc.Arbitrary<Compare & { delta: number }> = fc
  .tuple(
    spanArb,
    fc.constantFrom('version' as const, 'create' as const, 'mod' as const, 'value' as const, 'lease' as const),
    fc.constantFrom('equal' as const, 'greater' as const, 'less' as const, 'not-equal' as const),
    fc.nat(6),
    valueArb,
  )
  .map(([span, target, result, delta, value]) => ({ ...span, target, result, operand: target === 'value' ? bytes(value) : 0, delta }));

/** Operations that touch each name at most once, so that a transaction of them is a valid one. */
function operationsArb(depth: number): fc.Arbitrary<Operation[]> {
  return fc
    .tuple(
      fc.subarray(names, { maxLength: 4 }),
      fc.infiniteStream(fc.nat(5)),
      fc.infiniteStream(valueArb),
      rangeArb,
      fc.array(compareArb, { maxLength: 1 }),
    )
    .map(([keys, kinds, values, range, compare]) => {
      const next = (): number => kinds.next().value as number;
      const operations = keys.map((key): Operation => {
        switch (next()) {
          case 0:
            return { type: 'delete', key, previous: true };
          case 1:
            return { type: 'range', request: range };
          default:
            return { type: 'put', key, value: bytes(values.next().value as string), previous: next() > 2 };
        }
      });
      if (depth === 0 || operations.length < 2) return operations;
      const inner: TxnRequest = { compare, success: operations.slice(1), failure: operations.slice(1).toReversed() };
      return [operations[0]!, { type: 'txn', request: inner }];
    });
}
export const txnArb: fc.Arbitrary<TxnRequest> = fc.oneof(
  fc.tuple(nameArb, valueArb).map(([key, value]) => txn(put(key, value))),
  nameArb.map((key) => txn(remove(key))),
  spanArb.map((span) => txn({ type: 'delete', ...span, previous: true })),
  fc
    .tuple(fc.array(compareArb, { maxLength: 2 }), operationsArb(1), operationsArb(0))
    .map(([compare, success, failure]) => ({ compare, success, failure })),
);

/** A request on bare names, moved under the test's prefix and to its revisions. */
export function placed(request: TxnRequest, prefix: string, base: number): TxnRequest {
  const under = <T extends Span>(span: T): T => ({
    ...span,
    key: prefix + span.key,
    ...(span.end !== undefined && { end: prefix + span.end }),
  });
  const operation = (each: Operation): Operation => {
    if (each.type === 'txn') return { type: 'txn', request: placed(each.request, prefix, base) };
    if (each.type === 'range') return { type: 'range', request: under(each.request) };
    return under(each);
  };
  return {
    compare: request.compare.map((each) => {
      const { delta = 0, ...compare } = under(each as Compare & { delta?: number });
      const revisions = compare.target === 'create' || compare.target === 'mod';
      return compare.target === 'value' ? compare : { ...compare, operand: delta === 0 ? 0 : revisions ? base + delta : delta };
    }),
    success: request.success.map(operation),
    failure: request.failure.map(operation),
  };
}
