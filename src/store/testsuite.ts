/**
 * What every store must do: run on memory, lmdb, etcd through our client, and our stores through etcd's API.
 * Histories are made at random and compared, step by step, with a model that is too simple to be wrong (testsuite-model.ts).
 * The nine watch properties are those of upstream's etcd tests/robustness/validate/watch.go.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StoreError } from './contract.ts';
import type { Operation, RangeRequest, Store, StoreErrorCode, StoreEvent, TxnRequest, WatchBatch, WatchRequest } from './contract.ts';
import { covers } from './key-range.ts';
import { checkHistory, historyArb, runHistory } from './testsuite-history.ts';
import {
  bytes,
  Model,
  placed,
  plainEvent,
  plainRange,
  plainTxn,
  put,
  rangeArb,
  remove,
  spanArb,
  text,
  txn,
  txnArb,
} from './testsuite-model.ts';

export interface StoreBackend {
  name: string;
  /** A store to work on. It may hold keys of others: those of the suite begin with `prefix`, and no other test's do. */
  open(): Promise<{ store: Store; prefix: string; advance(milliseconds: number): Promise<void>; close(): Promise<void> }>;
  /** How many random histories; a back end with sockets between takes fewer. */
  runs: number;
  /** Seconds that the shortest lease lives. */
  shortestLease: number;
  /** Why nothing can be tested here. */
  skip?: string;
}

const failsWith = (code: StoreErrorCode) => (error: unknown) => {
  assert(error instanceof StoreError, `not a StoreError: ${String(error)}`);
  assert.equal(error.code, code);
  return true;
};

async function until(reached: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !reached(); tries++) {
    assert(tries < 1000, `waited in vain: ${what}`);
    // Events of a store in this process are there at once; those of a server take their way through a socket.
    await new Promise((resolve) => (tries < 20 ? setImmediate(resolve) : setTimeout(resolve, 5)));
  }
}

export function storeSuite(backend: StoreBackend): void {
  describe(`store: ${backend.name}`, { skip: backend.skip ?? false }, () => {
    const withStore =
      (run: (at: { store: Store; prefix: string; base: number; advance(ms: number): Promise<void> }) => Promise<void>) => async () => {
        const { store, prefix, advance, close } = await backend.open();
        try {
          await run({ store, prefix, base: await store.revision(), advance });
        } finally {
          await close();
        }
      };
    /** The same, once for each random history. */
    const histories = async <T>(arb: fc.Arbitrary<T>, run: (store: Store, prefix: string, base: number, value: T) => Promise<void>) => {
      const { store, prefix, close } = await backend.open();
      let round = 0;
      try {
        await fc.assert(
          fc.asyncProperty(arb, async (value) => run(store, `${prefix}${round++}/`, await store.revision(), value)),
          { numRuns: backend.runs },
        );
      } finally {
        await close();
      }
    };

    test('transactions answer as the model does, and every past revision stays readable', async () => {
      await histories(
        fc.tuple(fc.array(txnArb, { maxLength: 25 }), fc.array(rangeArb, { maxLength: 5 })),
        async (store, prefix, base, [requests, ranges]) => {
          const model = new Model(base);
          for (const each of requests) {
            const request = placed(each, prefix, base);
            assert.deepEqual(plainTxn(await store.txn(request)), plainTxn(model.txn(request)));
          }
          assert.equal(await store.revision(), model.revision);
          for (const each of ranges)
            for (const revision of [0, ...model.states.keys()]) {
              const [{ request }] = placed(txn({ type: 'range', request: each }), prefix, base).success as [Operation & { type: 'range' }];
              assert.deepEqual(plainRange(await store.range({ ...request, revision })), plainRange(model.range({ ...request, revision })));
            }
        },
      );
    });

    test('watches keep the nine properties', async () => {
      const watchArb = fc.record({
        span: spanArb,
        openAt: fc.nat(12),
        start: fc.nat(14),
        previous: fc.boolean(),
        filter: fc.constantFrom(undefined, { noPut: true }, { noDelete: true }),
      });
      const arb = fc.tuple(fc.array(txnArb, { minLength: 1, maxLength: 12 }), fc.array(watchArb, { minLength: 1, maxLength: 4 }));
      await histories(arb, async (store, prefix, base, [requests, watches]) => {
        const model = new Model(base);
        const opened: { request: WatchRequest; start: number; batches: WatchBatch[]; cancel(): void }[] = [];
        const open = ({ span, start: offset, previous, filter }: (typeof watches)[number]): void => {
          const startRevision = offset === 0 ? 0 : base + offset;
          const request: WatchRequest = { key: prefix + span.key, startRevision, previous, ...(filter && { filter }) };
          if (span.end !== undefined) request.end = prefix + span.end;
          const batches: WatchBatch[] = [];
          // A watch from "now" on a server begins when the server hears of it: give the revision, which is what is meant.
          if (startRevision === 0 && !store.embedded) request.startRevision = model.revision + 1;
          const watch = store.watch(request, (batch) => void batches.push(batch));
          opened.push({ request, start: startRevision || model.revision + 1, batches, cancel: () => watch.cancel() });
        };
        for (const [index, each] of requests.entries()) {
          for (const watch of watches) if (watch.openAt === index) open(watch);
          const request = placed(each, prefix, base);
          await store.txn(request);
          model.txn(request);
        }
        for (const watch of watches) if (watch.openAt >= requests.length) open(watch);
        for (const { request, start, batches, cancel } of opened) {
          const wanted = model.watched(request, start);
          const got = (): StoreEvent[] => batches.flatMap((batch) => batch.events);
          await until(() => got().length >= wanted.length, `${wanted.length} events`);
          // Reliable, unique, ordered, with the right previous states and create revisions: the very list.
          assert.deepEqual(got().map(plainEvent), wanted.map(plainEvent));
          let reached = 0;
          for (const { revision, events } of batches) {
            for (const { type, keyValue } of events) {
              assert(covers(request, keyValue.key), 'filtered by range');
              assert(keyValue.modRevision > reached, 'atomic, bookmarkable: nothing comes for a revision that a batch said was done');
              assert(keyValue.modRevision <= revision);
              if (type === 'put') assert.equal(keyValue.version === 1, keyValue.createRevision === keyValue.modRevision, 'is-create');
            }
            reached = revision;
          }
          // Resumable: from any event on, another watch gives the rest.
          const middle = wanted[wanted.length >> 1]?.keyValue.modRevision;
          if (middle !== undefined) {
            const again: StoreEvent[] = [];
            const rest = wanted.filter(({ keyValue }) => keyValue.modRevision >= middle);
            const watch = store.watch({ ...request, startRevision: middle }, (batch) => void again.push(...batch.events));
            await until(() => again.length >= rest.length, 'a resumed watch');
            assert.deepEqual(again.map(plainEvent), rest.map(plainEvent));
            watch.cancel();
          }
          cancel();
        }
      });
    });

    test('clients at once, with compaction beside them: one order explains all answers and all watches', async () => {
      await histories(historyArb, async (store, prefix, base, clients) => {
        const turn = (): Promise<void> => new Promise((resolve) => (store.embedded ? setImmediate(resolve) : setTimeout(resolve, 5)));
        const history = await runHistory(store, prefix, base, clients, turn);
        await checkHistory(history, base, until);
      });
    });

    test(
      'a transaction has reached every watcher when its promise resolves (embedded stores)',
      withStore(async ({ store, prefix }) => {
        if (!store.embedded) return;
        const seen: number[] = [];
        store.watch({ key: prefix, end: `${prefix}~` }, ({ revision }) => void seen.push(revision));
        for (let index = 0; index < 20; index++) {
          const { revision } = await store.txn(txn(put(`${prefix}${index % 3}`, 'x')));
          assert.equal(seen.at(-1), revision);
        }
        // Many at once: the same.
        await Promise.all(
          Array.from({ length: 50 }, async (_, index) => {
            const { revision } = await store.txn(txn(put(`${prefix}${index}`, 'y')));
            assert((seen.at(-1) ?? 0) >= revision);
          }),
        );
      }),
    );

    test(
      'concurrent read-modify-writes lose nothing',
      withStore(async ({ store, prefix }) => {
        const key = `${prefix}counter`;
        await store.txn(txn(put(key, '0')));
        const increment = async (): Promise<void> => {
          for (;;) {
            const { keyValues } = await store.range({ key });
            const { value, modRevision } = keyValues[0]!;
            const { succeeded } = await store.txn({
              compare: [{ key, target: 'mod', result: 'equal', operand: modRevision }],
              success: [put(key, String(Number(text(value)) + 1))],
              failure: [],
            });
            if (succeeded) return;
          }
        };
        await Promise.all(Array.from({ length: 20 }, increment));
        assert.equal(text((await store.range({ key })).keyValues[0]!.value), '20');
      }),
    );

    test(
      'ranges: limit, more, count, filters by revision, sorting, all keys',
      withStore(async ({ store, prefix, base }) => {
        for (const name of ['b', 'a', 'c', 'a']) await store.txn(txn(put(prefix + name, name)));
        const span = { key: prefix, end: `${prefix}~` };
        const keys = async (request: Partial<RangeRequest>): Promise<[string[], boolean, number]> => {
          const { keyValues, more, count } = await store.range({ ...span, ...request });
          return [keyValues.map((kv) => kv.key.slice(prefix.length)), more, count];
        };
        const table: [Partial<RangeRequest>, [string[], boolean, number]][] = [
          [{}, [['a', 'b', 'c'], false, 3]],
          [{ limit: 2 }, [['a', 'b'], true, 3]],
          [{ limit: 3 }, [['a', 'b', 'c'], false, 3]],
          [{ countOnly: true }, [[], false, 3]],
          [{ key: `${prefix}b` }, [['b', 'c'], false, 2]],
          [{ minModRevision: base + 3 }, [['a', 'c'], false, 3]],
          [{ maxModRevision: base + 3 }, [['b', 'c'], false, 3]],
          [{ minCreateRevision: base + 2 }, [['a', 'c'], false, 3]],
          [{ maxCreateRevision: base + 2, limit: 1 }, [['a'], true, 3]],
          [{ sort: { by: 'mod', order: 'ascend' } }, [['b', 'c', 'a'], false, 3]],
          [{ sort: { by: 'create', order: 'descend' }, limit: 2 }, [['c', 'a'], true, 3]],
          [{ sort: { by: 'value', order: 'descend' } }, [['c', 'b', 'a'], false, 3]],
          [{ sort: { by: 'version', order: 'descend' }, limit: 1 }, [['a'], true, 3]],
          [{ revision: base + 2 }, [['a', 'b'], false, 2]],
        ];
        for (const [request, wanted] of table) assert.deepEqual(await keys(request), wanted, JSON.stringify(request));
        const everything = await store.range({ key: '\0', end: '\0', countOnly: true });
        assert(everything.count >= 3);
        assert.equal((await store.range({ key: prefix, end: '\0', limit: 1 })).keyValues[0]!.key, `${prefix}a`);
      }),
    );

    test(
      'failures have their codes and change nothing',
      withStore(async ({ store, prefix }) => {
        const a = `${prefix}a`;
        await store.txn(txn(put(a, 'x')));
        const before = await store.revision();
        const table: [StoreErrorCode, TxnRequest][] = [
          ['duplicate-key', txn(put(a, '1'), put(a, '2'))],
          ['duplicate-key', txn(put(a, '1'), remove(prefix, `${prefix}~`))],
          ['duplicate-key', txn(put(a, '1'), { type: 'txn', request: txn(put(a, '2')) })],
          ['invalid', txn(put('', '1'))],
          ['invalid', txn({ type: 'range', request: { key: '' } })],
          ['key-not-found', txn(put(`${prefix}c`, '1'), { type: 'put', key: `${prefix}b`, value: bytes(''), ignoreValue: true })],
          ['lease-not-found', txn(put(`${prefix}c`, '1'), put(`${prefix}b`, '1', 4711))],
          ['invalid', txn({ type: 'put', key: a, value: bytes('1'), ignoreValue: true })],
          ['future-revision', txn({ type: 'range', request: { key: a, revision: before + 5 } })],
          ['too-large', txn(put(a, 'x'.repeat(4 * 1024 * 1024)))],
          ['too-many-operations', txn(...Array.from({ length: 20_000 }, (_, index) => put(`${prefix}${index}`)))],
        ];
        for (const [code, request] of table) await assert.rejects(store.txn(request), failsWith(code), code);
        await assert.rejects(store.range({ key: a, revision: before + 1 }), failsWith('future-revision'));
        await assert.rejects(store.leases.revoke(4711), failsWith('lease-not-found'));
        await assert.rejects(store.leases.keepAlive(4711), failsWith('lease-not-found'));
        await assert.rejects(store.leases.timeToLive(4711), failsWith('lease-not-found'));
        await assert.rejects(store.compact(before + 1), failsWith('future-revision'));
        assert.equal(await store.revision(), before);
        assert.deepEqual(
          (await store.range({ key: prefix, end: `${prefix}~` })).keyValues.map((kv) => text(kv.value)),
          ['x'],
        );
        // Both branches may put the same key, and what is not put may be deleted.
        await store.txn({ compare: [], success: [put(a, '1')], failure: [put(a, '2'), remove(`${prefix}b`)] });
      }),
    );

    test(
      'ignoreValue and ignoreLease keep what was there',
      withStore(async ({ store, prefix }) => {
        const key = `${prefix}a`;
        const { id } = await store.leases.grant(60);
        await store.txn(txn(put(key, 'kept', id)));
        await store.txn(txn({ type: 'put', key, value: bytes('new'), ignoreLease: true }));
        await store.txn(txn({ type: 'put', key, value: bytes(''), ignoreValue: true, lease: id }));
        const [found] = (await store.range({ key })).keyValues;
        assert.deepEqual([text(found!.value), found!.lease, found!.version], ['new', id, 3]);
        await store.leases.revoke(id);
      }),
    );

    test(
      'compact() refuses reads and watches of before, keeps the rest',
      withStore(async ({ store, prefix, base }) => {
        const [a, b] = [`${prefix}a`, `${prefix}b`];
        await store.txn(txn(put(a, '1'), put(b, '1'))); // base + 1
        await store.txn(txn(put(a, '2'))); // base + 2
        await store.txn(txn(remove(b))); // base + 3
        await store.txn(txn(put(a, '3'))); // base + 4
        await store.compact(base + 3);
        assert.equal(store.compactRevision(), base + 3);
        await assert.rejects(store.range({ key: a, revision: base + 2 }), failsWith('compacted'));
        await assert.rejects(store.txn(txn({ type: 'range', request: { key: a, revision: base + 2 } })), failsWith('compacted'));
        await assert.rejects(store.compact(base + 3), failsWith('compacted'));
        const at = async (revision: number): Promise<string[]> =>
          (await store.range({ key: prefix, end: `${prefix}~`, revision })).keyValues.map((kv) => text(kv.value));
        assert.deepEqual([await at(base + 3), await at(0)], [['2'], ['3']]);
        const old = store.watch({ key: a, startRevision: base + 2 }, () => assert.fail('compacted'));
        await assert.rejects(old.done, failsWith('compacted'));
        const events: string[] = [];
        const watch = store.watch({ key: prefix, end: `${prefix}~`, startRevision: base + 4 }, (batch) =>
          events.push(...batch.events.map((event) => text(event.keyValue.value))),
        );
        await until(() => events.length > 0, 'events after the compaction');
        assert.deepEqual(events, ['3']);
        await store.txn(txn(put(b, 'again')));
        await until(() => events.length > 1, 'a live event');
        const [found] = (await store.range({ key: b })).keyValues;
        assert.deepEqual([found!.version, found!.createRevision], [1, base + 5]);
        await store.compact(base + 5);
        assert.deepEqual(await at(0), ['3', 'again']);
        watch.cancel();
        await watch.done;
      }),
    );

    test(
      'a watch can be asked for its progress, and a cancelled one is silent',
      withStore(async ({ store, prefix }) => {
        const batches: WatchBatch[] = [];
        const watch = store.watch({ key: `${prefix}a`, progress: true }, (batch) => void batches.push(batch));
        await store.txn(txn(put(`${prefix}other`, 'x')));
        const { revision } = await store.txn(txn(put(`${prefix}a`, 'x')));
        await until(() => batches.length > 0, 'the event');
        const other = await store.txn(txn(put(`${prefix}other`, 'y')));
        for (let tries = 0; batches.at(-1)!.revision < other.revision; tries++) {
          assert(tries < 50, 'no progress');
          watch.progress();
          const count = batches.length;
          await until(() => batches.length > count, 'progress');
        }
        assert.equal(batches[0]!.revision >= revision, true);
        assert.deepEqual(batches.at(-1)!.events, []);
        watch.cancel();
        watch.cancel();
        await watch.done;
        const count = batches.length;
        await store.txn(txn(put(`${prefix}a`, 'z')));
        await new Promise((resolve) => setImmediate(resolve));
        assert.equal(batches.length, count);
      }),
    );

    test(
      'a watch that was paused gets what it missed, in order and once, or ends where that is gone',
      withStore(async ({ store, prefix }) => {
        const seen: string[] = [];
        const startRevision = (await store.revision()) + 1;
        const watch = store.watch({ key: prefix, end: `${prefix}~`, startRevision }, ({ events }) => {
          seen.push(...events.map(({ keyValue }) => text(keyValue.value)));
          if (seen.length === 3) watch.pause();
        });
        const write = async (from: number, to: number): Promise<void> => {
          for (let index = from; index < to; index++) await store.txn(txn(put(`${prefix}a`, String(index))));
        };
        await write(0, 3);
        await until(() => seen.length === 3, 'the first events');
        watch.pause();
        await write(3, 10);
        if (store.embedded) assert.equal(seen.length, 3);
        watch.resume();
        watch.resume();
        await until(() => seen.length === 10, 'what was missed');
        await write(10, 12);
        await until(() => seen.length === 12, 'live events');
        assert.deepEqual(seen, [...Array(12).keys()].map(String));
        if (store.embedded) {
          watch.pause();
          await write(12, 14);
          await store.compact(await store.revision());
          watch.resume();
          await assert.rejects(watch.done, failsWith('compacted'));
        }
        watch.pause();
        watch.cancel();
        watch.resume();
      }),
    );

    test(
      'leases: granted, kept alive, listed, revoked with their keys',
      withStore(async ({ store, prefix }) => {
        const { leases } = store;
        const lease = await leases.grant(100);
        assert.equal(lease.ttl, 100);
        await assert.rejects(leases.grant(100, lease.id), failsWith('lease-exists'));
        const chosen = await leases.grant(50, 12_345_678);
        assert.equal(chosen.id, 12_345_678);
        assert((await leases.list()).includes(lease.id));
        const [a, b, c] = [`${prefix}a`, `${prefix}b`, `${prefix}c`];
        await store.txn(txn(put(a, '1', lease.id), put(b, '1', lease.id), put(c, '1', lease.id)));
        await store.txn(txn(put(c, 'moved', chosen.id)));
        assert.deepEqual((await leases.timeToLive(lease.id, true)).keys, [a, b]);
        assert.equal((await leases.keepAlive(lease.id)).ttl, 100);
        const events: StoreEvent[] = [];
        const startRevision = (await store.revision()) + 1;
        store.watch({ key: prefix, end: `${prefix}~`, startRevision }, (batch) => void events.push(...batch.events));
        await store.txn(txn(put(`${prefix}mark`, '')));
        await until(() => events.length > 0, 'the watch');
        const before = await store.revision();
        await leases.revoke(lease.id);
        assert.equal(await store.revision(), before + 1, 'all keys go in one revision');
        await until(() => events.length >= 3, 'deletions');
        assert.deepEqual(
          events.slice(1).map(({ type, keyValue }) => [type, keyValue.key, keyValue.modRevision]),
          [
            ['delete', a, before + 1],
            ['delete', b, before + 1],
          ],
        );
        await assert.rejects(leases.timeToLive(lease.id), failsWith('lease-not-found'));
        await assert.rejects(store.txn(txn(put(a, '1', lease.id))), failsWith('lease-not-found'));
        await store.txn(txn(remove(c)));
        assert.deepEqual((await leases.timeToLive(chosen.id, true)).keys, []);
        await leases.revoke(chosen.id);
      }),
    );

    test(
      'a lease that is not kept alive expires and takes its keys with it',
      withStore(async ({ store, prefix, advance }) => {
        const seconds = backend.shortestLease;
        const lost = await store.leases.grant(seconds);
        const kept = await store.leases.grant(seconds * 2);
        await store.txn(txn(put(`${prefix}lost`, '', lost.id), put(`${prefix}kept`, '', kept.id)));
        const keys = async (): Promise<string[]> =>
          (await store.range({ key: prefix, end: `${prefix}~` })).keyValues.map((kv) => kv.key.slice(prefix.length));
        await advance(seconds * 500);
        assert.deepEqual(await keys(), ['kept', 'lost']);
        await store.leases.keepAlive(kept.id);
        let left = await keys();
        for (let tries = 0; left.length > 1; tries++) {
          assert(tries < 40, 'the lease did not expire');
          await advance(250);
          left = await keys();
        }
        assert.deepEqual(left, ['kept']);
        await store.leases.revoke(kept.id);
      }),
    );

    test('a closed store refuses, and its watches end', async () => {
      const { store, prefix, close } = await backend.open();
      const watch = store.watch({ key: prefix, end: `${prefix}~` }, () => undefined);
      await store.txn(txn(put(`${prefix}a`, '')));
      await close();
      await watch.done;
      await assert.rejects(store.txn(txn(put(`${prefix}a`, ''))), failsWith('closed'));
      await assert.rejects(store.range({ key: prefix }), failsWith('closed'));
      assert.throws(() => store.watch({ key: prefix }, () => undefined), failsWith('closed'));
    });
  });
}
