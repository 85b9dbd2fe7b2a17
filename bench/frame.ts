/**
 * What every measurement is made with: sides that take turns (A B A B, so that a machine that slows down slows both), a warm-up that does
 * not count, medians with their spread, the ratio, and the facts of the machine.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..');

export interface Figure {
  title: string;
  unit: string;
  better: 'more' | 'less';
}

/** One of those who are compared. `run` does one round and answers the figures by their keys; one it could not take is left out. */
export interface Side {
  name: string;
  run(round: number): Promise<Record<string, number>>;
}

export interface Plan {
  name: string;
  title: string;
  /** In the table's order. */
  figures: Record<string, Figure>;
  /** The first is ours; ratios compare it with the second. */
  sides: Side[];
  rounds: number;
  /** Rounds that do not count. Default 1. */
  warmUp?: number;
  /** What a reader must know beside the figures. */
  notes?: string[];
}

export interface Measurement {
  name: string;
  title: string;
  figures: Record<string, Figure>;
  /** By side, then by figure: the values in the order they were taken. */
  values: Record<string, Record<string, number[]>>;
  sides: string[];
  rounds: number;
  notes: string[];
  machine: Machine;
}

export interface Machine {
  date: string;
  commit: string;
  cores: number;
  processor: string;
  memoryGiB: number;
  kernel: string;
  node: string;
  /** Running processes, one-minute mean, at the start: what else was going on. */
  load: number;
}

export interface BenchOptions {
  rounds: number;
  /** A share of the usual size, for a first look; 1 is the measurement. */
  scale: number;
  /** Which parts, where a measurement has several. Empty: all. */
  only: string[];
  /** Whether the measurement of that name is left out, since it was made already. */
  skip(name: string): boolean;
}

/** Every bench/<name>.ts has one: it gives each measurement once it is made. It leaves nothing running. */
export type Bench = (options: BenchOptions) => AsyncIterable<Measurement>;

export function machineFacts(): Machine {
  let commit = 'unknown';
  try {
    commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    // Not a checkout.
  }
  return {
    date: new Date().toISOString().slice(0, 10),
    commit,
    cores: cpus().length,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    load: Math.round(loadavg()[0]! * 10) / 10,
  };
}

export async function measure(plan: Plan): Promise<Measurement> {
  const { sides, rounds, warmUp = 1 } = plan;
  const machine = machineFacts();
  const values: Measurement['values'] = Object.fromEntries(sides.map(({ name }) => [name, {}]));
  for (let round = -warmUp; round < rounds; round++)
    for (const side of sides) {
      const figures = await side.run(round);
      const text = Object.entries(figures).map(([key, value]) => `${key} ${shown(value)}`);
      console.log(`${plan.name} ${round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`}, ${side.name}: ${text.join(', ')}`);
      if (round < 0) continue;
      for (const [key, value] of Object.entries(figures)) (values[side.name]![key] ??= []).push(value);
    }
  return {
    name: plan.name,
    title: plan.title,
    figures: plan.figures,
    values,
    sides: sides.map(({ name }) => name),
    rounds,
    notes: plan.notes ?? [],
    machine,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How many times better the first is; undefined where one was not measured. */
export function ratio({ better }: Figure, ours: readonly number[] = [], theirs: readonly number[] = []): number | undefined {
  if (ours.length === 0 || theirs.length === 0) return undefined;
  const [a, b] = [median(ours), median(theirs)];
  const value = better === 'more' ? a / b : b / a;
  return Number.isFinite(value) ? value : undefined;
}

export const shown = (value: number): string =>
  value >= 100
    ? Math.round(value).toLocaleString('en')
    : value >= 10
      ? value.toFixed(1)
      : value >= 0.1 || value === 0
        ? value.toFixed(2)
        : value.toFixed(4);

const cell = (values: readonly number[] | undefined): string =>
  values?.length ? `${shown(median(values))} (${shown(Math.min(...values))}–${shown(Math.max(...values))})` : '–';

/** A table in Markdown: a row a figure, a column a side, median and spread in each cell. */
export function table(measurement: Measurement): string {
  const { figures, sides, values } = measurement;
  const [ours, theirs] = sides;
  const lines = [
    `| | unit | ${sides.join(' | ')} |${theirs === undefined ? '' : ' times better |'}`,
    `|---|---|${sides.map(() => '---|').join('')}${theirs === undefined ? '' : '---|'}`,
  ];
  for (const [key, figure] of Object.entries(figures)) {
    if (!sides.some((side) => values[side]?.[key]?.length)) continue;
    const better = theirs === undefined ? undefined : ratio(figure, values[ours!]?.[key], values[theirs]?.[key]);
    const cells = sides.map((side) => cell(values[side]?.[key]));
    lines.push(
      `| ${figure.title} | ${figure.unit} | ${cells.join(' | ')} |${theirs === undefined ? '' : ` ${better === undefined ? '–' : better.toFixed(2)} |`}`,
    );
  }
  return lines.join('\n');
}

export const machineText = ({ date, commit, cores, processor, memoryGiB, kernel, node, load }: Machine): string =>
  `${date}, commit ${commit}; ${cores} cores (${processor}), ${memoryGiB} GiB, Linux ${kernel}, Node ${node}; load ${load} at the start`;

/** Memory that a process holds for itself, in MB: what would be free again without it. */
export function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

/** Seconds of processor time a process has used. */
export function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
