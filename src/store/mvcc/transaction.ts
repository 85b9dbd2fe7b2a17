/**
 * Evaluates one transaction against the newest state, durable or not.
 * upstream: etcd server/etcdserver/txn/txn.go (all compares, nested ones too, look at the state before the transaction),
 * server/etcdserver/api/v3rpc/key.go (what a request may not contain).
 */
import type { Compare, Operation, OperationResult, TxnRequest, TxnResult } from '../contract.ts';
import { bounds, covers } from '../key-range.ts';
import * as errors from './errors.ts';
import type { KeyIndex } from './key-index.ts';
import type { LeaseTable } from './leases.ts';
import { readRange } from './range.ts';
import type { View } from './range.ts';
import { noValue } from './record.ts';
import type { Record } from './record.ts';

export interface Limits {
  /** Compares or operations of one (nested) list. etcd: 128. */
  maxOperations: number;
  /** Bytes of one key and its value. etcd: 1.5 MiB for a whole request. */
  maxRequestBytes: number;
}

export interface TransactionState {
  index: KeyIndex;
  leases: LeaseTable;
  view: View;
  limits: Limits;
  /** The revision of the newest transaction. */
  revision: number;
  compactRevision: number;
}

export interface Evaluated {
  result: TxnResult;
  /** In the order they happened; already in the index. */
  changes: Record[];
}

/** Applies `request` to index and leases. Where it throws, nothing has changed. */
export function evaluate(state: TransactionState, request: TxnRequest): Evaluated {
  check(request, state.limits);
  const decisions = decide(state, request);
  const changes: Record[] = [];
  try {
    const result = run(state, request, decisions, changes);
    const revision = changes.length > 0 ? state.revision + 1 : state.revision;
    setRevision(result, revision);
    return { result, changes };
  } catch (error) {
    undo(state, changes);
    throw error;
  }
}

/** Takes changes back, newest first, from index and leases. */
export function undo(state: Pick<TransactionState, 'index' | 'leases'>, changes: readonly Record[]): void {
  for (const record of changes.toReversed()) {
    state.index.remove(record);
    state.leases.detach(record.lease, record.key);
    const previous = state.index.at(record.key, Infinity);
    if (previous) state.leases.attach(previous.lease, record.key);
  }
}

function setRevision(result: TxnResult, revision: number): void {
  result.revision = revision;
  for (const inner of result.results) if (inner.type === 'txn') setRevision(inner.result, revision);
}

interface Decisions {
  succeeded: boolean;
  inner: Decisions[];
}

function decide(state: TransactionState, request: TxnRequest): Decisions {
  const succeeded = request.compare.every((compare) => holds(state, compare));
  const operations = succeeded ? request.success : request.failure;
  return { succeeded, inner: operations.flatMap((operation) => (operation.type === 'txn' ? [decide(state, operation.request)] : [])) };
}

function run(state: TransactionState, request: TxnRequest, decisions: Decisions, changes: Record[]): TxnResult {
  const { succeeded } = decisions;
  let inner = 0;
  const results = (succeeded ? request.success : request.failure).map((operation): OperationResult => {
    switch (operation.type) {
      case 'range':
        return { type: 'range', result: range(state, operation, changes) };
      case 'put':
        return put(state, operation, changes);
      case 'delete':
        return remove(state, operation, changes);
      case 'txn':
        return { type: 'txn', result: run(state, operation.request, decisions.inner[inner++]!, changes) };
    }
  });
  return { revision: 0, succeeded, results };
}

function range(state: TransactionState, { request }: Operation & { type: 'range' }, changes: Record[]) {
  const newest = changes.length > 0 ? state.revision + 1 : state.revision;
  const revision = request.revision || newest;
  if (revision > newest) throw errors.futureRevision();
  if (revision < state.compactRevision) throw errors.compacted();
  return readRange(state.index, request, revision, newest, state.view);
}

function put(state: TransactionState, operation: Operation & { type: 'put' }, changes: Record[]): OperationResult {
  const { key } = operation;
  const previous = state.index.at(key, Infinity);
  if ((operation.ignoreValue || operation.ignoreLease) && !previous) throw errors.keyNotFound();
  const lease = operation.ignoreLease ? previous!.lease : (operation.lease ?? 0);
  if (lease !== 0 && !state.leases.has(lease)) throw errors.leaseNotFound();
  const old = previous && (operation.previous || operation.ignoreValue) ? state.view.one(previous, false) : undefined;
  const revision = state.revision + 1;
  const value = operation.ignoreValue ? old!.value : operation.value;
  change(state, changes, previous, {
    key,
    createRevision: previous?.createRevision ?? revision,
    modRevision: revision,
    version: (previous?.version ?? 0) + 1,
    lease,
    size: value.length,
    value,
    sequence: 0,
    checksum: 0,
  });
  return operation.previous && old ? { type: 'put', previous: old } : { type: 'put' };
}

function remove(state: TransactionState, operation: Operation & { type: 'delete' }, changes: Record[]): OperationResult {
  const { from, to } = bounds(operation);
  const found: Record[] = [];
  if (operation.end) state.index.visit(from, to, Infinity, (record) => void found.push(record));
  else {
    const record = state.index.at(operation.key, Infinity);
    if (record) found.push(record);
  }
  const previous = operation.previous ? state.view.all(found, false) : [];
  for (const record of found)
    change(state, changes, record, {
      key: record.key,
      createRevision: 0,
      modRevision: state.revision + 1,
      version: 0,
      lease: 0,
      size: 0,
      value: noValue,
      sequence: 0,
      checksum: 0,
    });
  return { type: 'delete', deleted: found.length, previous };
}

function change(state: TransactionState, changes: Record[], previous: Record | undefined, record: Record): void {
  state.index.append(record);
  if (previous) state.leases.detach(previous.lease, record.key);
  state.leases.attach(record.lease, record.key);
  changes.push(record);
}

const zero = { createRevision: 0, modRevision: 0, version: 0, lease: 0 };

const fields = { version: 'version', create: 'createRevision', mod: 'modRevision', lease: 'lease' } as const;
const outcomes = {
  equal: (n: number) => n === 0,
  'not-equal': (n: number) => n !== 0,
  greater: (n: number) => n > 0,
  less: (n: number) => n < 0,
};

function holds(state: TransactionState, compare: Compare): boolean {
  const test = (record: Pick<Record, 'createRevision' | 'modRevision' | 'version' | 'lease'>, whole?: Record): boolean => {
    if (compare.target === 'value')
      // An absent key has no value, not an empty one: nothing holds for it.
      return (
        whole !== undefined && outcomes[compare.result](Buffer.compare(state.view.one(whole, false).value, compare.operand as Uint8Array))
      );
    return outcomes[compare.result](record[fields[compare.target]] - (compare.operand as number));
  };
  if (!compare.end) {
    const record = state.index.at(compare.key, Infinity);
    return test(record ?? zero, record);
  }
  const { from, to } = bounds(compare);
  let found = false;
  let all = true;
  state.index.visit(from, to, Infinity, (record) => {
    found = true;
    return (all = test(record, record));
  });
  return found ? all : test(zero);
}

function check(request: TxnRequest, limits: Limits): void {
  checkOperations(request, limits);
  for (const branch of [request.success, request.failure]) if (branch.length > 1 || branch[0]?.type === 'txn') checkOverlaps(branch);
}

function checkOperations(request: TxnRequest, limits: Limits): void {
  const { compare, success, failure } = request;
  if (Math.max(compare.length, success.length, failure.length) > limits.maxOperations) throw errors.tooManyOperations();
  for (const { key } of compare) if (key === '') throw errors.emptyKey();
  for (const branch of [success, failure])
    for (const operation of branch) {
      if (operation.type === 'txn') checkOperations(operation.request, limits);
      else if ((operation.type === 'range' ? operation.request.key : operation.key) === '') throw errors.emptyKey();
      if (operation.type !== 'put') continue;
      if (operation.ignoreValue && operation.value.length > 0) throw errors.valueProvided();
      if (operation.ignoreLease && operation.lease) throw errors.leaseProvided();
      if (operation.key.length + operation.value.length > limits.maxRequestBytes) throw errors.tooLarge();
    }
}

type Deletion = { key: string; end?: string };
interface Touched {
  puts: Set<string>;
  deletions: Deletion[];
}

/** No key may be put twice, or put and deleted, on one way through the transaction. */
function checkOverlaps(operations: readonly Operation[]): Touched {
  const puts = new Set<string>();
  const deletions: Deletion[] = [];
  for (const operation of operations) if (operation.type === 'delete') deletions.push(operation);
  for (const operation of operations) {
    if (operation.type !== 'txn') continue;
    const success = checkOverlaps(operation.request.success);
    const failure = checkOverlaps(operation.request.failure);
    // Only one of the branches runs, so they may touch the same keys; what stands beside them may not.
    for (const key of new Set([...success.puts, ...failure.puts])) {
      if (puts.has(key) || deletions.some((deletion) => covers(deletion, key))) throw errors.duplicateKey();
      puts.add(key);
    }
    const inner = [...success.deletions, ...failure.deletions];
    if (inner.length === 0) continue;
    const own = new Set([...success.puts, ...failure.puts]);
    for (const key of puts) if (!own.has(key) && inner.some((deletion) => covers(deletion, key))) throw errors.duplicateKey();
    deletions.push(...inner);
  }
  for (const operation of operations) {
    if (operation.type !== 'put') continue;
    if (puts.has(operation.key) || deletions.some((deletion) => covers(deletion, operation.key))) throw errors.duplicateKey();
    puts.add(operation.key);
  }
  return { puts, deletions };
}
