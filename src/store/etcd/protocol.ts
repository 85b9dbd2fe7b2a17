/** etcd's API as data: its messages through the table-driven codec, and between them and the store's contract. Client and facade share it. */
import { messageCodec } from '#machinery/codec';
import type { MessageTable } from '#machinery/codec';
import type { Compare, KeyValue, Operation, OperationResult, RangeRequest, RangeResult, TxnRequest, TxnResult } from '../contract.ts';
import { LeaseIds } from './lease-ids.ts';
import rpc from './rpc.json' with { type: 'json' };

export interface Method {
  path: string;
  request: string;
  response: string;
  requestStream: boolean;
  responseStream: boolean;
}

export const services = rpc.services as Record<string, Record<string, Method>>;
/** The numbers that stand for those of etcd's leases which are too long. */
export const leaseIds = new LeaseIds();
export const codec = messageCodec(rpc as unknown as MessageTable, leaseIds);

/** A message: zero values are absent. */
export type Wire = Record<string, any>;

export const toBytes = (key: string): Buffer => Buffer.from(key, 'latin1');
export const toKey = (bytes: Uint8Array | undefined): string =>
  bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') : '';
const empty = new Uint8Array(0);

export const keyValueToWire = (kv: KeyValue): Wire => ({
  key: toBytes(kv.key),
  createRevision: kv.createRevision,
  modRevision: kv.modRevision,
  version: kv.version,
  value: kv.value,
  lease: kv.lease,
});
export const keyValueFromWire = (wire: Wire): KeyValue => ({
  key: toKey(wire['key']),
  value: wire['value'] ?? empty,
  createRevision: wire['createRevision'] ?? 0,
  modRevision: wire['modRevision'] ?? 0,
  version: wire['version'] ?? 0,
  lease: wire['lease'] ?? 0,
});

const span = (request: { key: string; end?: string | undefined }): Wire => ({
  key: toBytes(request.key),
  ...(request.end !== undefined && { rangeEnd: toBytes(request.end) }),
});
const spanFrom = (wire: Wire): { key: string; end?: string } => ({
  key: toKey(wire['key']),
  ...(wire['rangeEnd']?.length && { end: toKey(wire['rangeEnd']) }),
});

const targets = { key: 'KEY', version: 'VERSION', create: 'CREATE', mod: 'MOD', value: 'VALUE' } as const;
const targetOf = Object.fromEntries(Object.entries(targets).map(([ours, theirs]) => [theirs, ours]));

export function rangeToWire({ key, end, sort, ...rest }: RangeRequest): Wire {
  return {
    ...span({ key, end }),
    ...rest,
    ...(sort && { sortTarget: targets[sort.by], sortOrder: sort.order === 'descend' ? 'DESCEND' : 'ASCEND' }),
  };
}
export function rangeFromWire(wire: Wire): RangeRequest {
  const { sortOrder = 'NONE', sortTarget = 'KEY' } = wire;
  const sorted = sortOrder !== 'NONE' || sortTarget !== 'KEY';
  const request: RangeRequest = { ...spanFrom(wire) };
  if (sorted) request.sort = { by: targetOf[sortTarget] as 'key', order: sortOrder === 'DESCEND' ? 'descend' : 'ascend' };
  for (const field of ['limit', 'revision', 'minModRevision', 'maxModRevision', 'minCreateRevision', 'maxCreateRevision'] as const)
    if (wire[field]) request[field] = wire[field];
  // As etcd has it, that is none.
  if (request.limit! < 0) delete request.limit;
  if (wire['keysOnly']) request.keysOnly = true;
  if (wire['countOnly']) request.countOnly = true;
  return request;
}
export const rangeResultToWire = (result: RangeResult, header: Wire): Wire => ({
  header,
  kvs: result.keyValues.map(keyValueToWire),
  more: result.more,
  count: result.count,
});
export const rangeResultFromWire = (wire: Wire): RangeResult => ({
  revision: wire['header']?.revision ?? 0,
  keyValues: (wire['kvs'] ?? []).map(keyValueFromWire),
  more: wire['more'] ?? false,
  count: wire['count'] ?? 0,
});

const comparisons = {
  version: ['VERSION', 'version'],
  create: ['CREATE', 'createRevision'],
  mod: ['MOD', 'modRevision'],
  value: ['VALUE', 'value'],
  lease: ['LEASE', 'lease'],
} as const;
const results = { equal: 'EQUAL', greater: 'GREATER', less: 'LESS', 'not-equal': 'NOT_EQUAL' } as const;
const resultOf = Object.fromEntries(Object.entries(results).map(([ours, theirs]) => [theirs, ours]));

function compareToWire(compare: Compare): Wire {
  const [target, field] = comparisons[compare.target];
  return { ...span(compare), target, result: results[compare.result], [field]: compare.operand };
}
function compareFromWire(wire: Wire): Compare {
  const [target, [, field]] = Object.entries(comparisons).find(([, [name]]) => name === (wire['target'] ?? 'VERSION')) as [
    Compare['target'],
    readonly [string, string],
  ];
  return {
    ...spanFrom(wire),
    target,
    result: resultOf[wire['result'] ?? 'EQUAL'] as Compare['result'],
    operand: wire[field] ?? (target === 'value' ? empty : 0),
  };
}

export function txnToWire(request: TxnRequest): Wire {
  return {
    compare: request.compare.map(compareToWire),
    success: request.success.map(operationToWire),
    failure: request.failure.map(operationToWire),
  };
}
export function txnFromWire(wire: Wire): TxnRequest {
  const operations = (list: Wire[] = []): Operation[] => list.map(operationFromWire);
  return {
    compare: (wire['compare'] ?? []).map(compareFromWire),
    success: operations(wire['success']),
    failure: operations(wire['failure']),
  };
}

function operationToWire(operation: Operation): Wire {
  switch (operation.type) {
    case 'range':
      return { requestRange: rangeToWire(operation.request) };
    case 'txn':
      return { requestTxn: txnToWire(operation.request) };
    case 'delete':
      return { requestDeleteRange: { ...span(operation), prevKv: operation.previous ?? false } };
    case 'put': {
      const { key, value, lease = 0, previous = false, ignoreValue = false, ignoreLease = false } = operation;
      return { requestPut: { key: toBytes(key), value, lease, prevKv: previous, ignoreValue, ignoreLease } };
    }
  }
}
export const putFromWire = (wire: Wire): Operation => ({
  type: 'put',
  key: toKey(wire['key']),
  value: wire['value'] ?? empty,
  ...(wire['lease'] && { lease: wire['lease'] as number }),
  ...(wire['prevKv'] && { previous: true }),
  ...(wire['ignoreValue'] && { ignoreValue: true }),
  ...(wire['ignoreLease'] && { ignoreLease: true }),
});
export const deleteFromWire = (wire: Wire): Operation => ({ type: 'delete', ...spanFrom(wire), ...(wire['prevKv'] && { previous: true }) });

function operationFromWire(wire: Wire): Operation {
  if (wire['requestRange']) return { type: 'range', request: rangeFromWire(wire['requestRange']) };
  if (wire['requestTxn']) return { type: 'txn', request: txnFromWire(wire['requestTxn']) };
  if (wire['requestDeleteRange']) return deleteFromWire(wire['requestDeleteRange']);
  return putFromWire(wire['requestPut'] ?? {});
}

export function resultToWire(result: OperationResult, header: Wire): Wire {
  switch (result.type) {
    case 'range':
      return { responseRange: rangeResultToWire(result.result, { revision: result.result.revision }) };
    case 'put':
      return { responsePut: { header, ...(result.previous && { prevKv: keyValueToWire(result.previous) }) } };
    case 'delete':
      return { responseDeleteRange: { header, deleted: result.deleted, prevKvs: result.previous.map(keyValueToWire) } };
    case 'txn':
      return { responseTxn: txnResultToWire(result.result, { revision: result.result.revision }) };
  }
}
export const txnResultToWire = ({ succeeded, results: list, revision }: TxnResult, header: Wire): Wire => ({
  header,
  succeeded,
  responses: list.map((result) => resultToWire(result, { revision })),
});

export function txnResultFromWire(wire: Wire, request: TxnRequest): TxnResult {
  const succeeded = wire['succeeded'] ?? false;
  const revision = wire['header']?.revision ?? 0;
  const operations = succeeded ? request.success : request.failure;
  const list = ((wire['responses'] ?? []) as Wire[]).map((response, index): OperationResult => {
    const operation = operations[index]!;
    switch (operation.type) {
      case 'range':
        return { type: 'range', result: rangeResultFromWire(response['responseRange'] ?? {}) };
      case 'put': {
        const previous = response['responsePut']?.prevKv;
        return previous ? { type: 'put', previous: keyValueFromWire(previous) } : { type: 'put' };
      }
      case 'delete': {
        const { deleted = 0, prevKvs = [] } = response['responseDeleteRange'] ?? {};
        return { type: 'delete', deleted, previous: prevKvs.map(keyValueFromWire) };
      }
      case 'txn':
        return { type: 'txn', result: txnResultFromWire(response['responseTxn'] ?? {}, operation.request) };
    }
  });
  // A nested answer carries no header of its own in etcd: all of a transaction is one revision.
  const settle = (result: TxnResult): TxnResult => {
    result.revision = revision;
    for (const inner of result.results) {
      if (inner.type === 'txn') settle(inner.result);
    }
    return result;
  };
  return settle({ revision, succeeded, results: list });
}
