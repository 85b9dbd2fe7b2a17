/** Which tests a set is, as ginkgo takes them: a regular expression to run, one to leave out, and how many side by side. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from './options.ts';

export interface Part {
  focus: string;
  skip?: string;
  procs: number;
}

export const passingFile = join(import.meta.dirname, 'passing.txt');

/** Names of the tests that are known to pass. */
export const passing = (): string[] => (existsSync(passingFile) ? readFileSync(passingFile, 'utf8').split('\n').filter(Boolean) : []);

/** Upstream's own seconds, by test. */
export function upstreamSeconds(): Map<string, number> {
  const lines = readFileSync(join(import.meta.dirname, 'upstream.tsv'), 'utf8')
    .split('\n')
    .slice(1)
    .filter(Boolean);
  return new Map(
    lines.flatMap((line) => {
      const [seconds, , name = ''] = line.split('\t');
      return name.startsWith('[sig-') ? [[name, Number(seconds)] as const] : [];
    }),
  );
}

const smoke = (): string[] =>
  readFileSync(join(import.meta.dirname, 'smoke.txt'), 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));

/** As a regular expression that both Go and JavaScript understand. */
export const quoted = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
const any = (names: string[]): string => names.map(quoted).join('|');
const isSerial = (name: string): boolean => name.includes('[Serial]');

const serialFocus = '\\[Serial\\].*\\[Conformance\\]|\\[Conformance\\].*\\[Serial\\]';

/** `count` of the names, the same ones for the same seed. */
export function sampled(names: readonly string[], count: number, seed: number): string[] {
  let state = seed >>> 0;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  return names
    .map((name) => [next(), name] as const)
    .sort((a, b) => a[0] - b[0])
    .slice(0, count)
    .map(([, name]) => name);
}

/** The parts of a set, to be run one after the other. */
export function partsOf(options: Options): Part[] {
  const { set, procs, skip } = options;
  const without = (...more: string[]): { skip?: string } => {
    const all = [...more, ...(skip === undefined ? [] : [skip])];
    return all.length ? { skip: all.join('|') } : {};
  };
  if (options.focus !== undefined) return [{ focus: options.focus, procs, ...without() }];
  const parallel: Part = { focus: '\\[Conformance\\]', procs, ...without('\\[Serial\\]') };
  const serial: Part = { focus: serialFocus, procs: 1, ...without() };
  if (set === 'smoke') return [{ focus: any(smoke()), procs, ...without() }];
  if (set === 'parallel') return [parallel];
  if (set === 'serial') return [serial];
  if (set === 'all') return [parallel, serial];
  if (/^sig-[\w-]+$/.test(set)) return [{ focus: `\\[${quoted(set)}\\].*\\[Conformance\\]`, procs, ...without('\\[Serial\\]') }];
  if (set !== 'passing') throw new Error(`Cannot run the set ${set}: sets are smoke, passing, parallel, serial, all and sig-<name>`);
  let names = passing();
  if (options.sample !== undefined) {
    const seed = options.seed ?? Math.trunc(performance.timeOrigin) % 100_000;
    console.log(`a sample of ${options.sample} tests that passed before; repeat it with --sample ${options.sample} --seed ${seed}`);
    // Those that must run alone would make the rest wait.
    names = sampled(
      names.filter((name) => !isSerial(name)),
      options.sample,
      seed,
    );
  }
  const [beside, alone] = [names.filter((name) => !isSerial(name)), names.filter(isSerial)];
  return [
    ...(beside.length ? [{ focus: any(beside), procs, ...without() }] : []),
    ...(alone.length ? [{ focus: any(alone), procs: 1, ...without() }] : []),
  ];
}

/** The tests of a part, by name, as far as they are known. */
export function testsOf({ focus, skip }: Part, known: Iterable<string>): string[] {
  const [wanted, unwanted] = [new RegExp(focus), skip === undefined ? undefined : new RegExp(skip)];
  return [...known].filter((name) => wanted.test(name) && !unwanted?.test(name));
}
