/**
 * `npm run bench -- [name...] [--rounds 5] [--scale 1] [--only part,part] [--since date] [--update]`: one file a measurement, all of them for "all".
 * --since 2026-11-01 prints what is kept of that day or later as it is and measures the rest: all of it takes more than an hour, and may be gone on with.
 * Prints a table, writes its values as JSON to .cache/bench; --update keeps them in bench/results and writes bench/RESULTS.md anew from all that lie there.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machineText, root, table } from './frame.ts';
import type { Bench, Measurement } from './frame.ts';

const order = ['api', 'store', 'scheduler', 'pods', 'start', 'hello', 'idle', 'network'];
const there = order.filter((name) => existsSync(join(import.meta.dirname, `${name}.ts`)));
const kept = join(import.meta.dirname, 'results');

function fail(text: string): never {
  console.error(text);
  process.exit(1);
}

function parameters(): { names: string[]; rounds: number; scale: number; only: string[]; since?: string; update: boolean } {
  let values: { rounds: string; scale: string; only: string; since?: string; update: boolean };
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '5' },
        scale: { type: 'string', default: '1' },
        only: { type: 'string', default: '' },
        since: { type: 'string' },
        update: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    fail(`Cannot measure: ${(error as Error).message}`);
  }
  const names = positionals.length === 0 || positionals.includes('all') ? there : positionals;
  for (const name of names) if (!there.includes(name)) fail(`Cannot measure ${name}: there are ${there.join(', ')} and all`);
  const [rounds, scale] = [Number(values.rounds), Number(values.scale)];
  if (!Number.isInteger(rounds) || rounds < 1) fail(`Cannot use --rounds ${values.rounds}: it must be a whole number of at least 1`);
  if (!(scale > 0)) fail(`Cannot use --scale ${values.scale}: it must be a number above 0`);
  const { since, update } = values;
  if (since !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(since)) fail(`Cannot use --since ${since}: it must be a day such as 2026-11-01`);
  return { names, rounds, scale, only: values.only.split(',').filter(Boolean), ...(since !== undefined && { since }), update };
}

/** What is kept, in the order of the names; of one name or of all. */
function measurements(names = order): Measurement[] {
  const place = ({ name }: Measurement): number => order.indexOf(name.split(' ')[0]!);
  return readdirSync(kept)
    .filter((file) => file.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(join(kept, file), 'utf8')) as Measurement)
    .filter((measurement) => names.includes(order[place(measurement)]!))
    .sort((a, b) => place(a) - place(b));
}

function results(): string {
  const parts = measurements().map(
    (measurement) =>
      `## ${measurement.title}\n\n${table(measurement)}\n\n${[...measurement.notes, `${machineText(measurement.machine)}; ${measurement.rounds} alternations.`].join('\n')}\n`,
  );
  return `# Measurements\n\nMade by \`npm run bench -- <name> --update\`. Median and spread of rounds that take turns; the last column says how many times better the first is.\n\n${parts.join('\n')}`;
}

function print(measurement: Measurement): void {
  console.log(
    `\n${measurement.title}\n\n${table(measurement)}\n\n${machineText(measurement.machine)}; ${measurement.rounds} alternations\n`,
  );
}

const { names, update, since, ...options } = parameters();
const directory = update ? kept : join(root, '.cache/bench');
mkdirSync(directory, { recursive: true });
for (const name of names) {
  const { bench } = (await import(`./${name}.ts`)) as { bench: Bench };
  const made = measurements([name]).filter(
    ({ machine, rounds }) => since !== undefined && machine.date >= since && rounds >= options.rounds,
  );
  made.forEach(print);
  for await (const measurement of bench({ ...options, skip: (part) => made.some((one) => one.name === part) })) {
    print(measurement);
    const file = join(directory, `${measurement.name.replaceAll(' ', '-')}.json`);
    writeFileSync(file, `${JSON.stringify(measurement, null, 2)}\n`);
    console.log(`values: ${file}`);
    if (update) writeFileSync(join(import.meta.dirname, 'RESULTS.md'), results());
  }
}
