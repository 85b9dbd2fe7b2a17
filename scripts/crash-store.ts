/**
 * `npm run crash -- [--rounds 500] [--seed 1] [--kinds moment,point,system call,power]`: kills a writing store again and again and
 * checks what is left. The small version runs with the tests. Without root: only the first two kinds.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../src/machinery/clock/mod.ts';
import { crashRounds } from '../src/store/lmdb/crash/mod.ts';
import type { Death } from '../src/store/lmdb/crash/mod.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' }, kinds: { type: 'string' } } });
const rounds = Number(values.rounds ?? 500);
const seed = Number(values.seed ?? Math.floor(performance.timeOrigin) % 2 ** 31);
const directory = mkdtempSync(join(tmpdir(), 'coxswain-crash-'));
console.log(`${rounds} rounds from seed ${seed}`);
const counts = new Map<string, number>();
try {
  const said = await crashRounds({
    directory,
    rounds,
    random: seededRandom(seed),
    ...(values.kinds && { kinds: values.kinds.split(',') as Death[] }),
    report(round, death, { transactions }) {
      const name = death.replace(/, time.*|after \d+ ms/, '').trim();
      counts.set(name, (counts.get(name) ?? 0) + 1);
      if ((round + 1) % 10 === 0)
        console.log(`${round + 1} of ${rounds}: ${transactions} acknowledged transactions, none lost; last ${death}`);
    },
  });
  console.table(Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))));
  console.log(`${rounds} rounds, ${said.transactions} acknowledged transactions: none lost, none in part, no revision used twice`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
