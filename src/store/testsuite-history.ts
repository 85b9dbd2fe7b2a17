/**
 * Histories of many clients at once, with compaction beside them. upstream: etcd tests/robustness/validate.
 * Every answer names a revision; put in that order, the answers must be those of the model (serializable), and none may name an older
 * revision than one that was answered before it was asked (linearizable). Watches must have seen what the model says.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { StoreError } from './contract.ts';
import type { RangeRequest, RangeResult, Store, StoreEvent, TxnRequest, TxnResult, WatchBatch, WatchRequest } from './contract.ts';
import { covers } from './key-range.ts';
import { Model, placed, plainEvent, plainRange, plainTxn, rangeArb, spanArb, txn, txnArb } from './testsuite-model.ts';
import type { Span } from './testsuite-model.ts';

type Step = { do: 'txn'; request: TxnRequest } | { do: 'range'; request: RangeRequest; back: number } | { do: 'watch'; watch: WatchPlan };

interface WatchPlan {
  span: Span;
  /** Revisions back from the newest that the client knows of. */
  back: number;
  previous: boolean;
  filter: WatchRequest['filter'];
}

const watchArb: fc.Arbitrary<WatchPlan> = fc.record({
  span: spanArb,
  back: fc.nat(20),
  previous: fc.boolean(),
  filter: fc.constantFrom(undefined, { noPut: true }, { noDelete: true }),
});
const stepArb: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: txnArb.map((request) => ({ do: 'txn' as const, request })) },
  { weight: 2, arbitrary: fc.tuple(rangeArb, fc.nat(12)).map(([request, back]) => ({ do: 'range' as const, request, back })) },
  { weight: 1, arbitrary: watchArb.map((watch) => ({ do: 'watch' as const, watch })) },
);
/** What each client does, one thing after the other. */
export const historyArb: fc.Arbitrary<Step[][]> = fc.array(fc.array(stepArb, { minLength: 5, maxLength: 20 }), {
  minLength: 2,
  maxLength: 8,
});

interface Asked {
  /** In the order in which questions were asked and answers came. */
  from: number;
  to: number;
  revision: number;
  txn?: { request: TxnRequest; result: TxnResult };
  range?: { request: RangeRequest; result: RangeResult };
}

interface Watched {
  request: WatchRequest & { startRevision: number };
  batches: WatchBatch[];
  /** Why it ended by itself. */
  failure?: unknown;
  cancel(): void;
}

export interface History {
  asked: Asked[];
  watched: Watched[];
  /** Reads that were refused, with the revision they asked for. */
  refused: number[];
  compacted: number;
}

/** Runs the clients at once. Compacts each time `turn` resolves. */
export async function runHistory(
  store: Store,
  prefix: string,
  base: number,
  clients: readonly Step[][],
  turn: () => Promise<void>,
): Promise<History> {
  const history: History = { asked: [], watched: [], refused: [], compacted: 0 };
  let order = 0;
  let newest = base;
  let running = true;
  const run = async (steps: readonly Step[]): Promise<void> => {
    for (const step of steps) {
      // A store in this process answers without a turn of the loop: compaction and watches that catch up would have no chance.
      if (store.embedded) await new Promise((resolve) => setImmediate(resolve));
      const from = order++;
      if (step.do === 'watch') {
        history.watched.push(open(store, prefix, Math.max(base, newest - step.watch.back) + 1, step.watch));
        continue;
      }
      if (step.do === 'txn') {
        const request = placed(step.request, prefix, base);
        const result = await store.txn(request);
        newest = Math.max(newest, result.revision);
        history.asked.push({ from, to: order++, revision: result.revision, txn: { request, result } });
        continue;
      }
      const [operation] = placed(txn({ type: 'range', request: step.request }), prefix, base).success;
      const revision = step.back === 0 ? 0 : Math.max(base, newest - step.back + 1);
      const request = { ...(operation as { request: RangeRequest }).request, revision };
      try {
        const result = await store.range(request);
        newest = Math.max(newest, result.revision);
        history.asked.push({ from, to: order++, revision: result.revision, range: { request, result } });
      } catch (error) {
        assert(error instanceof StoreError && error.code === 'compacted', String(error));
        history.refused.push(revision);
      }
    }
  };
  const compact = async (): Promise<void> => {
    for (; running; await turn()) {
      const revision = newest - 6;
      if (revision <= Math.max(base, history.compacted)) continue;
      history.compacted = revision;
      await store.compact(revision);
    }
  };
  // From before the first change: never behind a compaction.
  const whole: WatchPlan = { span: { key: '', end: '\u00ff\u00ff' }, back: 0, previous: false, filter: undefined };
  history.watched.push(open(store, prefix, base + 1, whole));
  const compaction = compact();
  await Promise.all(clients.map(run)).finally(() => (running = false));
  await compaction;
  return history;
}

function open(store: Store, prefix: string, startRevision: number, { span, previous, filter }: WatchPlan): Watched {
  const request: Watched['request'] = { key: prefix + span.key, startRevision, previous, ...(filter && { filter }) };
  if (span.end !== undefined) request.end = prefix + span.end;
  const batches: WatchBatch[] = [];
  const watch = store.watch(request, (batch) => void batches.push(batch));
  const watched: Watched = { request, batches, cancel: () => watch.cancel() };
  watch.done.catch((error: unknown) => (watched.failure = error));
  return watched;
}

/** Throws where the history is not one that the model allows. `until` waits for a condition. */
export async function checkHistory(
  history: History,
  base: number,
  until: (reached: () => boolean, what: string) => Promise<void>,
): Promise<void> {
  const { asked } = history;
  const model = new Model(base);
  // What changes something comes first in its revision: what only read there saw it.
  const changes = ({ txn: changed, revision }: Asked): boolean => changed !== undefined && revision > model.revision;
  const inOrder = Map.groupBy(asked, ({ revision }) => revision);
  for (const revision of [...inOrder.keys()].sort((a, b) => a - b)) {
    const group = inOrder.get(revision)!;
    const changing = revision > model.revision ? group.filter((each) => each.txn && isChange(model, each.txn.request)) : [];
    assert(revision <= model.revision + 1, `nobody was told of revision ${model.revision + 1}`);
    // Of several that would change something, one did; the others must have seen what it left.
    const first = changing.find((each) => matches(model, each));
    if (revision > model.revision) {
      assert(first, `no transaction explains revision ${revision}`);
      model.txn(first.txn!.request);
    }
    for (const each of group) {
      if (each === first) continue;
      assert(!changes(each));
      if (each.txn) assert.deepEqual(plainTxn(each.txn.result), plainTxn(model.txn(each.txn.request)));
      else assert.deepEqual(plainRange(each.range!.result), plainRange(model.range(each.range!.request)));
    }
  }
  // Linearizable: who asked after an answer had come sees at least what it showed.
  const byAnswer = asked.toSorted((a, b) => a.to - b.to);
  let seen = 0;
  let answered = 0;
  for (const question of asked.toSorted((a, b) => a.from - b.from)) {
    for (; byAnswer[answered] && byAnswer[answered]!.to < question.from; answered++) seen = Math.max(seen, byAnswer[answered]!.revision);
    assert(question.revision >= seen, `revision ${question.revision} was answered after ${seen} had been shown`);
  }
  for (const revision of history.refused)
    assert(revision < history.compacted, `revision ${revision} was refused, and only ${history.compacted} compacted`);
  for (const watched of history.watched) await checkWatch(watched, model, history.compacted, until);
}

const isChange = (model: Model, request: TxnRequest): boolean => {
  const copy = model.copy();
  copy.txn(request);
  return copy.revision > model.revision;
};

const matches = (model: Model, { txn: given }: Asked): boolean => {
  const wanted = model.copy().txn(given!.request);
  return JSON.stringify(plainTxn(given!.result)) === JSON.stringify(plainTxn(wanted));
};

async function checkWatch(
  watched: Watched,
  model: Model,
  compacted: number,
  until: (reached: () => boolean, what: string) => Promise<void>,
): Promise<void> {
  const { request, batches, cancel } = watched;
  const wanted = model.watched(request, request.startRevision);
  const got = (): StoreEvent[] => batches.flatMap((batch) => batch.events);
  await until(() => watched.failure !== undefined || got().length >= wanted.length, `${wanted.length} events`);
  cancel();
  if (watched.failure !== undefined) {
    const { failure } = watched;
    assert(failure instanceof StoreError && failure.code === 'compacted', String(failure));
    assert(request.startRevision < compacted, `a watch from ${request.startRevision} was refused, and only ${compacted} compacted`);
    assert.deepEqual(got(), [], 'a watch either starts or is refused');
    return;
  }
  // Reliable, unique, ordered: the very list. The previous value may have been compacted, and is right where it is there.
  const plain = (event: StoreEvent, like: StoreEvent | undefined): unknown => {
    const { previous, ...rest } = event;
    return plainEvent(like?.previous && previous ? { ...rest, previous } : rest);
  };
  assert.deepEqual(
    got().map((event) => plainEvent(event)),
    wanted.map((event, index) => plain(event, got()[index])),
  );
  let reached = 0;
  for (const { revision, events } of batches) {
    for (const { type, keyValue } of events) {
      assert(covers(request, keyValue.key), 'filtered by range');
      assert(keyValue.modRevision > reached && keyValue.modRevision <= revision, 'atomic, bookmarkable');
      if (type === 'put') assert.equal(keyValue.version === 1, keyValue.createRevision === keyValue.modRevision, 'is-create');
    }
    reached = revision;
  }
}
