/**
 * Kills a writing store for as long as it is told: node scripts/crash-store.ts [rounds] [longest life in milliseconds].
 * The small version runs with the tests.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashRounds } from '../src/store/lmdb/crash.ts';

const rounds = Number(process.argv[2] ?? 200);
const milliseconds = Number(process.argv[3] ?? 1000);
const path = mkdtempSync(join(tmpdir(), 'coxswain-crash-'));
try {
  await crashRounds({
    path: join(path, 'store'),
    rounds,
    milliseconds,
    report: (round, acknowledged) => console.log(`round ${round + 1} of ${rounds}: ${acknowledged} acknowledged transactions, none lost`),
  });
} finally {
  rmSync(path, { recursive: true, force: true });
}
