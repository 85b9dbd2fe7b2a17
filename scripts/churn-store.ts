/**
 * A day's churn in minutes: node scripts/churn-store.ts [--writes 10000000] [--keys 10000] [--clients 64] [--path directory] [--beside].
 * Writes the same keys over and over, compacts as the API server does, and prints, for each tenth, the latency of writes, the size of
 * the file and the memory. All of them must be flat.
 * `--beside`: machines have good and bad minutes. From one compaction to the next the load goes to this store and to another that was made for
 * this tenth, in turn; what a tenth is to be compared with is what a young store could do in the same seconds.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/machinery/clock/mod.ts';
import { lmdbStore, verifyStore } from '../src/store/mod.ts';

const { values } = parseArgs({
  options: {
    writes: { type: 'string', default: '10000000' },
    keys: { type: 'string', default: '10000' },
    clients: { type: 'string', default: '64' },
    bytes: { type: 'string', default: '500' },
    period: { type: 'string', default: '100000' },
    path: { type: 'string' },
    beside: { type: 'boolean', default: false },
  },
});
const [writes, keys, clients, bytes] = [values.writes, values.keys, values.clients, values.bytes].map(Number) as [
  number,
  number,
  number,
  number,
];
/** As the API server: compacted to what was the newest one period ago. A period is so many writes. */
const period = Number(values.period);
const tenth = Math.ceil(writes / 10);
const value = Buffer.alloc(bytes, 'x');
type LmdbStore = Awaited<ReturnType<typeof lmdbStore>>;

const directory = mkdtempSync(join(values.path ?? tmpdir(), 'coxswain-churn-'));

/** The latencies of writes in milliseconds, the time that they took together and the processor time, in microseconds. */
class Times {
  readonly #times: number[] = [];
  #wall = 0;
  #processor = 0;

  get count(): number {
    return this.#times.length;
  }

  /** Runs writes that go to it. */
  async of(run: () => Promise<void>): Promise<void> {
    const began = systemClock.monotonic();
    const before = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(before);
    this.#processor += user + system;
    this.#wall += systemClock.monotonic() - began;
  }

  add(milliseconds: number): void {
    this.#times.push(milliseconds);
  }

  summary(): { rate: number; p50: number; p99: number; processor: number } {
    const sorted = Float64Array.from(this.#times).sort();
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
    return { rate: (this.count * 1000) / this.#wall, p50: at(0.5), p99: at(0.99), processor: this.#processor / this.count };
  }
}

/** A store under the load of all clients. */
class Churned {
  readonly store: LmdbStore;
  #started = 0;
  #done = 0;
  #tick = 0;

  constructor(store: LmdbStore) {
    this.store = store;
  }

  /** Goes on for so many writes. */
  async write(count: number, times?: Times): Promise<void> {
    const end = this.#started + count;
    await Promise.all(Array.from({ length: clients }, () => this.#client(end, times)));
  }

  async #client(end: number, times: Times | undefined): Promise<void> {
    while (this.#started < end) {
      const index = this.#started++;
      const begin = systemClock.monotonic();
      const { revision } = await this.store.txn({
        compare: [],
        // Scattered, so that a key's history lies all over the file.
        success: [{ type: 'put', key: `/registry/pods/ns/${(index * 7919) % keys}`, value }],
        failure: [],
      });
      times?.add(systemClock.monotonic() - begin);
      if (++this.#done % period > 0) continue;
      const compacted = this.#tick;
      this.#tick = revision;
      if (compacted > 0) await this.store.compact(compacted);
    }
  }
}

const open = async (name: string): Promise<Churned> => new Churned(await lmdbStore({ path: join(directory, name), clock: systemClock }));
const megabytes = (size: number): string => (size / 1024 / 1024).toFixed(1);
const rows: Record<string, string>[] = [];

function report(written: number, store: LmdbStore, times: Times, young: Times | undefined): void {
  global.gc?.();
  const { total, inUse } = store.size();
  const { heapUsed } = process.memoryUsage();
  // Without the file's own pages, which the kernel maps and takes back as it likes.
  const anonymous = Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024;
  const { rate, p50, p99, processor } = times.summary();
  const row: Record<string, string> = {
    writes: String(written),
    'writes/s': rate.toFixed(0),
    'p50 ms': p50.toFixed(2),
    'p99 ms': p99.toFixed(2),
    'CPU µs/write': processor.toFixed(1),
  };
  const other = young?.summary();
  if (other) {
    row['young p99 ms'] = other.p99.toFixed(2);
    row['p99 ratio'] = (p99 / other.p99).toFixed(2);
    row['CPU ratio'] = (processor / other.processor).toFixed(2);
  }
  Object.assign(row, {
    'file MB': megabytes(total),
    'in use MB': megabytes(inUse),
    'heap MB': megabytes(heapUsed),
    'memory MB': megabytes(anonymous),
  });
  rows.push(row);
  console.log(JSON.stringify(row));
}

try {
  const old = await open('store');
  for (let written = 0; written < writes;) {
    const until = Math.min(written + tenth, writes);
    const beside = `young-${written}`;
    const times = new Times();
    const young = values.beside ? { churned: await open(beside), times: new Times() } : undefined;
    // Until a whole history is there, nothing is compacted.
    await young?.churned.write(2 * period);
    while (written < until) {
      const count = Math.min(period, until - written);
      await times.of(() => old.write(count, times));
      written += count;
      if (young) await young.times.of(() => young.churned.write(count, young.times));
    }
    report(written, old.store, times, young?.times);
    await young?.churned.store.close();
    if (young) rmSync(join(directory, beside), { recursive: true });
  }
  await old.store.close();
  console.table(rows);
  console.log('verified', await verifyStore(join(directory, 'store')));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
