/** What must be true of a store after its process, or its machine, has died. */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { systemClock } from '#machinery/clock';
import type { StoreEvent } from '../../contract.ts';
import { lmdbStore, verifyStore } from '../mod.ts';

/** All that the writing processes ever said. */
export class Said {
  /** Writer → its last acknowledged number. */
  readonly acknowledged = new Map<string, number>();
  /** Revision → the key that it changed. */
  readonly seen = new Map<number, string>();
  snapshots: { directory: string; revision: number }[] = [];
  newest = 0;
  transactions = 0;

  hear(output: string): void {
    // The last line may be cut: it was not said.
    for (const line of output.split('\n').slice(0, -1)) {
      const [kind, one = '', two = ''] = line.split(' ');
      if (kind === 'ack') {
        this.acknowledged.set(one, Number(two));
        this.transactions++;
      } else if (kind === 'snapshot') this.snapshots.push({ directory: one, revision: Number(two) });
      else {
        const revision = Number(one);
        const before = this.seen.get(revision);
        assert(before === undefined || before === two, `revision ${revision} was shown as a change of ${before}, then of ${two}`);
        this.seen.set(revision, two);
        this.newest = Math.max(this.newest, revision);
      }
    }
    // Compaction leaves none of the early ones to compare with.
    if (this.seen.size > 100_000) for (const revision of [...this.seen.keys()].slice(0, 50_000)) this.seen.delete(revision);
  }
}

/** Rejects where the store at `path` is not what `said` allows. Looks at a copy: the next process shall find what the dead one left. */
export async function check(path: string, said: Said): Promise<void> {
  const copy = `${path}-copy`;
  cpSync(path, copy, { recursive: true });
  try {
    await verifyStore(copy);
    const store = await lmdbStore({ path: copy, clock: systemClock });
    try {
      assert((await store.revision()) >= said.newest, `the store is at ${await store.revision()}, ${said.newest} was shown`);
      const all = await store.range({ key: '\0', end: '\0' });
      const found = new Map(all.keyValues.map((kv) => [kv.key, kv]));
      for (const [writer, value] of said.acknowledged) {
        const [one, two] = ['one', 'two'].map((name) => {
          const kv = found.get(`${writer}/${name}`);
          assert(kv, `${writer}/${name} is lost, ${value} was acknowledged`);
          return [Number(Buffer.from(kv.value).toString()), kv.modRevision];
        }) as [[number, number], [number, number]];
        assert.deepEqual(one, two, `half of a transaction of ${writer} is there`);
        assert(one[0] >= value, `${writer} has ${one[0]}, ${value} was acknowledged`);
      }
      for (const { key, lease } of all.keyValues)
        if (lease !== 0) await store.leases.timeToLive(lease).catch(() => assert.fail(`the lease of ${key} is lost`));
      await checkHistory(store, said);
    } finally {
      await store.close();
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  for (const { directory, revision } of said.snapshots.splice(0)) {
    const found = await verifyStore(directory);
    assert(found.revision >= revision, `the snapshot of revision ${revision} is of ${found.revision}`);
    rmSync(directory, { recursive: true });
  }
}

/** Every revision that is still there is whole, and is what was shown under its number. */
async function checkHistory(store: Awaited<ReturnType<typeof lmdbStore>>, said: Said): Promise<void> {
  const events: StoreEvent[] = [];
  const start = Math.max(1, store.compactRevision());
  const { promise, resolve } = Promise.withResolvers<void>();
  const watch = store.watch({ key: '\0', end: '\0', startRevision: start }, (batch) => {
    events.push(...batch.events);
    if (batch.events.length === 0) resolve();
  });
  watch.progress();
  await Promise.race([promise, watch.done]);
  watch.cancel();
  const changes = Map.groupBy(events, (event) => event.keyValue.modRevision);
  for (const [revision, list] of changes) {
    const keys = list.map((event) => event.keyValue.key);
    const shown = said.seen.get(revision);
    assert(
      shown === undefined || keys.includes(shown),
      `revision ${revision} changes ${keys.join(', ')}, and was shown as a change of ${shown}`,
    );
    const pair = keys.filter((key) => key.startsWith('writer-'));
    assert(pair.length === 0 || pair.length === 2, `revision ${revision} has half of a transaction: ${keys.join(', ')}`);
  }
}
