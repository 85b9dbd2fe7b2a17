/** upstream: etcd server/etcdserver/api/v3rpc/key.go. */
import type { Operation, TxnRequest } from '../contract.ts';
import { deleteFromWire, putFromWire, rangeFromWire, resultToWire, txnFromWire, txnResultToWire } from '../etcd/protocol.ts';
import { emptyKey, tooManyOperations } from '../mvcc/errors.ts';
import { hasPuts } from './alarms.ts';
import { RangeAnswer } from './encoding.ts';
import type { Facade, Handler } from './server.ts';

/** Of one list of a transaction. Ours may take more, etcd's clients know this limit. */
const maxOperations = 128;

async function single(facade: Facade, operation: Operation & { key: string }) {
  if (operation.key === '') throw emptyKey();
  const run = () => facade.store.txn({ compare: [], success: [operation], failure: [] });
  const { revision, results } = await facade.alarms.watched(operation.type === 'put', run);
  return resultToWire(results[0]!, facade.header(revision));
}

function check({ compare, success, failure }: TxnRequest): void {
  if (Math.max(compare.length, success.length, failure.length) > maxOperations) throw tooManyOperations();
  for (const operation of [...success, ...failure]) if (operation.type === 'txn') check(operation.request);
}

export const keyValueMethods: Record<string, Handler> = {
  async Range(facade, request) {
    const result = await facade.store.range(rangeFromWire(request));
    return new RangeAnswer(result, facade.header(result.revision));
  },
  Put: async (facade, request) => (await single(facade, putFromWire(request) as Operation & { key: string }))['responsePut'],
  DeleteRange: async (facade, request) =>
    (await single(facade, deleteFromWire(request) as Operation & { key: string }))['responseDeleteRange'],
  async Txn(facade, wire) {
    const request = txnFromWire(wire);
    check(request);
    const result = await facade.alarms.watched(hasPuts(request), () => facade.store.txn(request));
    return txnResultToWire(result, facade.header(result.revision));
  },
  async Compact(facade, { revision = 0 }) {
    await facade.store.compact(revision);
    return { header: facade.header(await facade.store.revision()) };
  },
};
