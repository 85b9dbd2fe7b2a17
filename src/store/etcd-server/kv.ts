/** upstream: etcd server/etcdserver/api/v3rpc/key.go. */
import type { Operation, RangeResult, TxnRequest, TxnResult } from '../contract.ts';
import { deleteFromWire, putFromWire, rangeFromWire, resultToWire, txnFromWire, txnResultToWire } from '../etcd/protocol.ts';
import { emptyKey, tooManyOperations } from '../mvcc/errors.ts';
import { hasPuts } from './alarms.ts';
import { HeaderAnswer, RangeAnswer } from './encoding.ts';
import type { Facade, Handler } from './server.ts';

/** Of one list of a transaction. Ours may take more, etcd's clients know this limit. */
const maxOperations = 128;

function single(facade: Facade, operation: Operation & { key: string }): Promise<TxnResult> {
  if (operation.key === '') throw emptyKey();
  const run = () => facade.store.txn({ compare: [], success: [operation], failure: [] });
  return operation.type === 'put' ? facade.alarms.watched(true, run) : run();
}

function check({ compare, success, failure }: TxnRequest): void {
  if (Math.max(compare.length, success.length, failure.length) > maxOperations) throw tooManyOperations();
  for (const operation of [...success, ...failure]) if (operation.type === 'txn') check(operation.request);
}

export const keyValueMethods: Record<string, Handler> = {
  Range(facade, wire) {
    const { store } = facade;
    const request = rangeFromWire(wire);
    const answer = (result: RangeResult): RangeAnswer => new RangeAnswer(result, facade.header(result.revision));
    return store.read ? answer(store.read(request)) : store.range(request).then(answer);
  },
  Put: (facade, wire) =>
    single(facade, putFromWire(wire) as Operation & { key: string }).then(({ revision, results: [result] }) => {
      const header = facade.header(revision);
      return result?.type === 'put' && !result.previous ? new HeaderAnswer(header) : resultToWire(result!, header)['responsePut'];
    }),
  DeleteRange: (facade, wire) =>
    single(facade, deleteFromWire(wire) as Operation & { key: string }).then(
      ({ revision, results: [result] }) => resultToWire(result!, facade.header(revision))['responseDeleteRange'],
    ),
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
