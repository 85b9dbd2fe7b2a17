/** Reads the JUnit report that ginkgo writes. */
import { readFileSync } from 'node:fs';

export interface TestResult {
  name: string;
  /** "sig-node". */
  sig: string;
  status: 'passed' | 'failed' | 'skipped';
  seconds: number;
  /** The first error, where it failed. */
  error: string;
  /** What the test printed. */
  output: string;
  /** The namespace it worked in, where it tells. */
  namespace: string;
}

const entities: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const decode = (text: string): string =>
  text.replace(/&(#x?[0-9a-fA-F]+|\w+);/g, (whole, entity: string) => {
    if (entity.startsWith('#x')) return String.fromCodePoint(Number.parseInt(entity.slice(2), 16));
    if (entity.startsWith('#')) return String.fromCodePoint(Number(entity.slice(1)));
    return entities[entity] ?? whole;
  });

/** The tests of a report that were run; suite-level nodes are left out unless they failed. */
export function readReport(path: string): TestResult[] {
  const text = readFileSync(path, 'utf8');
  const results: TestResult[] = [];
  for (const match of text.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const attributes = Object.fromEntries([...match[1]!.matchAll(/([\w-]+)="([^"]*)"/g)].map((pair) => [pair[1]!, decode(pair[2]!)]));
    const body = match[2] ?? '';
    const status = attributes['status'] ?? '';
    if (status === 'skipped' || body.includes('<skipped')) continue;
    const name = (attributes['name'] ?? '').replace(/^\[It\] /, '');
    const failure = /<(?:failure|error)\b([^>]*)>([\s\S]*?)<\/(?:failure|error)>/.exec(body);
    const passed = status === 'passed';
    if (!/\[sig-/.test(name) && passed) continue;
    const output = decode(/<system-err>([\s\S]*?)<\/system-err>/.exec(body)?.[1] ?? '');
    results.push({
      // The reporter adds the labels at the end; they are no part of the test's text.
      name: name.replace(/ \[sig-[^\]]*, [^\]]*\]$/, '').trim(),
      sig: /\[(sig-[\w-]+)\]/.exec(name)?.[1] ?? 'suite',
      status: passed ? 'passed' : 'failed',
      seconds: Number(attributes['time'] ?? 0),
      error: failure ? decode(/message="([^"]*)"/.exec(failure[1]!)?.[1] || failure[2]!).trim() : '',
      output,
      namespace:
        /(?:Building a namespace api object|Creating a kubernetes client)[\s\S]*?namespace[ :"]+([a-z0-9-]+-\d+)/.exec(output)?.[1] ??
        /in namespace "?([a-z0-9-]+-\d+)/.exec(output)?.[1] ??
        '',
    });
  }
  return results;
}
