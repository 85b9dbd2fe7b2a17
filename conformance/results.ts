/** RESULTS.md and passing.txt, as the command keeps them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { TestResult } from './junit.ts';
import type { Options } from './options.ts';
import { failed, firstLines, ratio, rows } from './report.ts';
import type { Row } from './report.ts';
import { passing, passingFile } from './sets.ts';
import type { Target } from './target.ts';

const here = import.meta.dirname;
const kept = join(here, 'results');

interface Kept {
  target: string;
  set: string;
  date: string;
  commit: string;
  machine: string;
  store: string;
  contentType: string;
  procs: number;
  machines: number;
  wallSeconds: number;
  rows: Record<string, Row>;
  failures: { name: string; error: string }[];
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: here,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

const machine = (): string =>
  `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;

/** Keeps a run's results beside those of the other sets and writes RESULTS.md anew from all of them. */
export function keep(options: Options, target: Target, results: readonly TestResult[], wallSeconds: number): void {
  const set = options.focus === undefined ? options.set : 'focus';
  const run: Kept = {
    target: target.title,
    set,
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    machine: machine(),
    store: target.store,
    contentType: options.contentType,
    procs: options.procs,
    machines: options.machines,
    wallSeconds: Math.round(wallSeconds),
    rows: Object.fromEntries(rows(results)),
    failures: failed(results).map(({ name, error }) => ({ name, error: firstLines(error, 2).replaceAll(/\s+/g, ' ') })),
  };
  mkdirSync(kept, { recursive: true });
  const name = [target.title.toLowerCase(), set, ...(target.store === 'lmdb' || target.title !== 'Coxswain' ? [] : [target.store])].join(
    '-',
  );
  writeFileSync(join(kept, `${name}.json`), `${JSON.stringify(run, null, 2)}\n`);
  writeFileSync(join(here, 'RESULTS.md'), page());
}

function page(): string {
  const runs = readdirSync(kept)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => JSON.parse(readFileSync(join(kept, file), 'utf8')) as Kept);
  const summary = runs.map(
    ({ target, set, store, date, commit: at, rows: { all }, wallSeconds }) =>
      `| ${target} | ${set} | ${store} | ${all?.passed ?? 0} | ${(all?.passed ?? 0) + (all?.failed ?? 0)} | ${Math.round(wallSeconds / 60)} min | ${all ? ratio(all) : '–'} | ${date} | ${at} |`,
  );
  const parts = runs.map((run) => {
    const sigs = Object.entries(run.rows).map(
      ([sig, row]) => `| ${sig} | ${row.passed} | ${row.failed} | ${row.seconds.toFixed(0)} | ${row.upstream.toFixed(0)} | ${ratio(row)} |`,
    );
    const failures = run.failures.map(({ name, error }) => `- ${name}: ${error}`);
    return `## ${run.target}, ${run.set}

${run.date}, commit ${run.commit}; ${run.machine}. ${run.machines} machines, ${run.procs} tests side by side, store ${run.store}, clients speak ${run.contentType}.

| sig | passed | failed | seconds | upstream's seconds | ratio |
|---|---:|---:|---:|---:|---:|
${sigs.join('\n')}
${failures.length ? `\nFailed:\n\n${failures.join('\n')}\n` : ''}`;
  });
  return `# Conformance results

Upstream's e2e suite v1.35.4, its tests that carry [Conformance] (441: 412 that may run side by side, 29 [Serial]).
Made by \`npm run conformance -- --set <set> --update\`; \`passing.txt\` names every test that has passed. The ratio compares seconds of tests with
those of upstream's own components on a quiet machine of this kind (\`upstream.tsv\`); below 1 is faster.

| cluster | set | store | passed | of | took | ratio | date | commit |
|---|---|---|---:|---:|---:|---:|---|---|
${summary.join('\n')}

${parts.join('\n')}`;
}

/** Puts what passed into passing.txt and takes what failed out of it. */
export function keepPassing(results: readonly TestResult[]): void {
  const names = new Set(existsSync(passingFile) ? passing() : []);
  for (const { name, status, sig } of results)
    if (sig !== 'suite')
      if (status === 'passed') names.add(name);
      else names.delete(name);
  writeFileSync(passingFile, `${[...names].sort().join('\n')}\n`);
}
