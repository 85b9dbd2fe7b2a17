/**
 * `npm run conformance`: upstream's own e2e suite against a cluster. Builds or finds the suite, starts the cluster with its images there,
 * runs, tears down, compares with what passed before and with upstream's own times, and leaves one folder of evidence a failed test.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.ts';
import { witness } from './evidence.ts';
import { runPart } from './ginkgo.ts';
import { readReport } from './junit.ts';
import type { TestResult } from './junit.ts';
import { readOptions, usage } from './options.ts';
import type { Options } from './options.ts';
import { writeProfiles } from './profile.ts';
import { failed, firstLines, lost, table } from './report.ts';
import { keep, keepPassing } from './results.ts';
import { partsOf, passing } from './sets.ts';
import { root, startTarget } from './target.ts';

async function run(options: Options): Promise<boolean> {
  const parts = partsOf(options);
  build(options.upstream || options.swap !== undefined || options.only !== undefined);
  const out = options.out ?? join(root, '.cache/conformance', new Date().toISOString().slice(0, 19).replaceAll(':', ''));
  mkdirSync(out, { recursive: true });
  const started = performance.now();
  const results: TestResult[] = [];
  let folders = new Map<TestResult, string>();
  const target = await startTarget(options, out);
  let pid: number | undefined;
  let testing = 0;
  try {
    pid = target.pid?.();
    const watching = witness(target, out);
    try {
      for (let round = 1; round <= options.repeat; round++)
        for (const [index, part] of parts.entries()) {
          const label = [...(options.repeat > 1 ? [`round${round}`] : []), String(index + 1)].join('-');
          const { report, seconds } = await runPart(part, label, options, target, out, () => watching.look());
          testing += seconds;
          results.push(...readReport(report));
        }
      folders = await watching.folders(failed(results), out);
    } finally {
      watching.stop();
    }
  } finally {
    await target.stop();
  }
  if (options.profile && pid !== undefined) console.log(writeProfiles(join(out, 'profile'), pid));
  writeFileSync(join(out, 'results.json'), JSON.stringify(results.map(({ output: _, ...rest }) => rest)));
  say(results, folders);
  console.log(
    `took ${((performance.now() - started) / 1000).toFixed(0)} s, ${testing.toFixed(0)} of them tests; reports and evidence are in ${out}`,
  );
  if (options.update) {
    if (target.title === 'Coxswain') keepPassing(results);
    keep(options, target, results, testing);
  }
  const failures = failed(results);
  console.log(`conformance: ${results.length - failures.length} passed, ${failures.length} failed`);
  return failures.length === 0 && results.length > 0;
}

function say(results: readonly TestResult[], folders: ReadonlyMap<TestResult, string>): void {
  const gone = lost(results, passing());
  if (gone.length) console.log(`\nLOST, passed before:\n${gone.map(({ name }) => `  ${name}`).join('\n')}`);
  console.log(`\n${table(results)}\n`);
  for (const failure of failed(results))
    console.log(`FAILED ${failure.name}\n    ${firstLines(failure.error)}\n    evidence: ${folders.get(failure) ?? 'none'}`);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (!options) console.log(usage);
  else if (!(await run(options))) process.exitCode = 1;
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
