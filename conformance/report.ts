/** What a run prints: a table by sig with the ratio to upstream's time, what was lost, and each failure with its first error. */
import type { TestResult } from './junit.ts';
import { upstreamSeconds } from './sets.ts';

export interface Row {
  passed: number;
  failed: number;
  seconds: number;
  /** Upstream's seconds for the same tests, those of them that passed. */
  upstream: number;
  /** Our seconds of those for which upstream's are known. */
  compared: number;
}

export const failed = (results: readonly TestResult[]): TestResult[] => results.filter(({ status }) => status === 'failed');

/** By sig, "all" last. */
export function rows(results: readonly TestResult[]): Map<string, Row> {
  const upstream = upstreamSeconds();
  const found = new Map<string, Row>();
  const add = (key: string, { status, seconds, name }: TestResult): void => {
    const row = found.get(key) ?? { passed: 0, failed: 0, seconds: 0, upstream: 0, compared: 0 };
    found.set(key, row);
    row[status === 'passed' ? 'passed' : 'failed']++;
    row.seconds += seconds;
    const known = upstream.get(name);
    if (status !== 'passed' || known === undefined) return;
    row.upstream += known;
    row.compared += seconds;
  };
  for (const result of results.toSorted((a, b) => (a.sig < b.sig ? -1 : a.sig > b.sig ? 1 : 0))) add(result.sig, result);
  for (const result of results) add('all', result);
  return found;
}

export const ratio = ({ upstream, compared }: Row): string => (upstream > 0 ? (compared / upstream).toFixed(2) : '–');

export function table(results: readonly TestResult[]): string {
  const lines = ['| sig | passed | failed | seconds | upstream | ratio |', '|---|---:|---:|---:|---:|---:|'];
  for (const [sig, row] of rows(results))
    lines.push(`| ${sig} | ${row.passed} | ${row.failed} | ${row.seconds.toFixed(0)} | ${row.upstream.toFixed(0)} | ${ratio(row)} |`);
  return lines.join('\n');
}

/** The failures that passed before. */
export function lost(results: readonly TestResult[], before: readonly string[]): TestResult[] {
  const known = new Set(before);
  return failed(results).filter(({ name }) => known.has(name));
}

export const firstLines = (text: string, count = 3): string =>
  text.split('\n').filter(Boolean).slice(0, count).join('\n    ').slice(0, 700);
