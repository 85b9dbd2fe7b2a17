/**
 * A day's churn in minutes: node scripts/churn-store.ts [--writes 10000000] [--keys 10000] [--clients 64] [--path directory].
 * Writes the same keys over and over, compacts as the API server does, and prints, for each tenth, the latency of writes, the size of
 * the file and the memory. All of them must be flat.
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
  },
});
const [writes, keys, clients, bytes] = [values.writes, values.keys, values.clients, values.bytes].map(Number) as [
  number,
  number,
  number,
  number,
];
const directory = mkdtempSync(join(values.path ?? tmpdir(), 'coxswain-churn-'));
const store = await lmdbStore({ path: join(directory, 'store'), clock: systemClock });
const value = Buffer.alloc(bytes, 'x');
const tenths = 10;
const rows: Record<string, string>[] = [];
let times = new Float64Array(Math.ceil(writes / tenths));
let count = 0;
let done = 0;
let began = systemClock.monotonic();
const cpu = { before: process.cpuUsage() };

const megabytes = (size: number): string => (size / 1024 / 1024).toFixed(1);
function report(): void {
  const sorted = times.subarray(0, count).sort();
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
  global.gc?.();
  const { total, inUse } = store.size();
  const { heapUsed } = process.memoryUsage();
  // Without the file's own pages, which the kernel maps and takes back as it likes.
  const anonymous = Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024;
  const used = process.cpuUsage(cpu.before);
  rows.push({
    writes: String(done),
    'writes/s': String(Math.round((count * 1000) / (systemClock.monotonic() - began))),
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
    'CPU µs/write': ((used.user + used.system) / count).toFixed(1),
    'file MB': megabytes(total),
    'in use MB': megabytes(inUse),
    'heap MB': megabytes(heapUsed),
    'memory MB': megabytes(anonymous),
  });
  console.log(JSON.stringify(rows.at(-1)));
  times = new Float64Array(times.length);
  count = 0;
  began = systemClock.monotonic();
  cpu.before = process.cpuUsage();
}

let started = 0;
let tick = 0;
/** As the API server: to what was the newest one period ago. A period is so many writes. */
const period = Number(values.period);
async function client(): Promise<void> {
  while (started < writes) {
    const index = started++;
    const begin = systemClock.monotonic();
    const { revision } = await store.txn({
      compare: [],
      // Scattered, so that a key's history lies all over the file.
      success: [{ type: 'put', key: `/registry/pods/ns/${(index * 7919) % keys}`, value }],
      failure: [],
    });
    times[count++] = systemClock.monotonic() - begin;
    done++;
    // Before anything is awaited: others go on meanwhile, and no count would be seen twice.
    const due = done % period === 0;
    if (done % Math.ceil(writes / tenths) === 0) report();
    if (due) {
      const compacted = tick;
      tick = revision;
      if (compacted > 0) await store.compact(compacted);
    }
  }
}
try {
  await Promise.all(Array.from({ length: clients }, client));
  await store.close();
  console.table(rows);
  console.log('verified', await verifyStore(join(directory, 'store')));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
