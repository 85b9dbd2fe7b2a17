/**
 * `npm test`: the one gate. Format, lint, types, then unit tests and the layer table, then whole-cluster tests.
 * Ends at the first step that fails; a skipped test prints its reason.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const unit = globSync(['src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/*.test.ts', 'bench/*.test.ts', 'conformance/**/*.test.ts'], {
  cwd: root,
}).filter((path) => !path.startsWith('src/runtime/cri/'));
// Those that take long, one after the other.
const cluster = globSync(['src/runtime/cri/*.test.ts', 'test/cluster/*.test.ts'], { cwd: root });

const steps: [name: string, command: string, ...parameters: string[]][] = [
  ['format', 'oxfmt', '--check', '.'],
  ['lint', 'oxlint', '--type-aware', '.'],
  ['types', 'tsc', '-p', '.'],
  ['unit tests', 'node', '--no-warnings', '--test', '--test-timeout=60000', '--test-reporter=dot', ...unit],
  ...(cluster.length
    ? ([
        [
          'cluster tests',
          'node',
          '--no-warnings',
          '--test',
          '--test-timeout=180000',
          '--test-concurrency=1',
          '--test-reporter=spec',
          ...cluster,
        ],
      ] as [string, string, ...string[]][])
    : []),
];

const wanted = process.argv.slice(2);
for (const [name, command, ...parameters] of steps) {
  if (wanted.length && !wanted.includes(name.split(' ')[0]!)) continue;
  const started = performance.now();
  console.log(`── ${name}`);
  const { status, signal } = spawnSync(join(root, 'node_modules/.bin', command), parameters, { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`── ${name} failed (${signal ?? `exit ${status}`})`);
    process.exit(1);
  }
  console.log(`── ${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
