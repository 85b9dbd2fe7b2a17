/** Runs one part of the suite and tells how far it is. */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Options } from './options.ts';
import { progress } from './progress.ts';
import { testsOf, upstreamSeconds } from './sets.ts';
import type { Part } from './sets.ts';
import type { Target } from './target.ts';
import { tools } from './upstream/programs.ts';

export interface PartRun {
  /** ginkgo's JUnit report. */
  report: string;
  seconds: number;
}

/** `label` names the files it leaves in `out`. `failed` is told the moment a test fails. */
export function runPart(part: Part, label: string, options: Options, target: Target, out: string, failed: () => void): Promise<PartRun> {
  const report = join(out, `junit-${label}.xml`);
  const log = join(out, `ginkgo-${label}.log`);
  const command = [
    ...target.enter,
    join(tools, 'bin/ginkgo'),
    `--procs=${part.procs}`,
    `--timeout=${options.timeout}`,
    '--no-color',
    '--silence-skips',
    `--focus=${part.focus}`,
    ...(part.skip === undefined ? [] : [`--skip=${part.skip}`]),
    `--junit-report=${report}`,
    ...(options.flakeAttempts === 1 ? [] : [`--flake-attempts=${options.flakeAttempts}`]),
    join(tools, 'bin/e2e.test'),
    '--',
    `--kubeconfig=${target.kubeconfig}`,
    '--provider=skeleton',
    `--kubectl-path=${join(tools, 'bin/kubectl')}`,
    '--e2e-verify-service-account=false',
    ...(options.contentType === 'json' ? ['--kube-api-content-type=application/json'] : []),
  ];
  // Tests leave files and sockets there. Not in `out`: a socket's path must be short.
  const temporary = mkdtempSync(join(tmpdir(), 'e2e-'));
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: temporary } });
  const seconds = upstreamSeconds();
  const upstream = testsOf(part, seconds.keys()).map((name) => seconds.get(name)!);
  const shown = progress(upstream, part.procs, (line) => console.log(line));
  const kept = createWriteStream(log);
  const started = performance.now();
  const read = (stream: NodeJS.ReadableStream): void => {
    const outcomes = outcomeReader((passed, lost) => {
      if (lost) failed();
      shown.done(passed, lost);
    });
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      kept.write(chunk);
      outcomes(chunk);
    });
  };
  read(child.stdout);
  read(child.stderr);
  // Whoever interrupts the run still gets its results: ginkgo ends its tests and reports.
  const interrupt = (): void => void child.kill('SIGINT');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  return new Promise((resolve, reject) => {
    const finish = (then: () => void): void => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
      shown.stop();
      rmSync(temporary, { recursive: true, force: true });
      kept.end(then);
    };
    child.once('error', (error) => finish(() => reject(new Error(`Cannot run the suite: ${error.message}`, { cause: error }))));
    child.once('close', () =>
      finish(() =>
        existsSync(report)
          ? resolve({ report, seconds: (performance.now() - started) / 1000 })
          : reject(new Error(`Cannot read results: ginkgo wrote no report; its output is ${log}`)),
      ),
    );
  });
}

const dotsOf = (text: string): number => text.match(/•/g)?.length ?? 0;

/**
 * Counts outcomes in ginkgo's output as it comes: a test that passed is a dot, more of them on a line that has no end yet; one that failed is
 * a dot with a word in brackets, the last of its line.
 */
export function outcomeReader(tell: (passed: number, failed: number) => void): (chunk: string) => void {
  let line = '';
  let told = 0;
  return (chunk) => {
    for (const [index, piece] of chunk.split('\n').entries()) {
      if (index > 0) {
        line = '';
        told = 0;
      }
      line += piece;
      const failure = /^([•SP]*)• \[(?:FAILED|PANICKED|TIMEDOUT|INTERRUPTED|ABORTED)\]/.exec(line);
      if (failure) {
        if (told >= 0) tell(dotsOf(failure[1]!) - told, 1);
        told = -1;
      } else if (told >= 0) {
        const dots = dotsOf(/^[•SP]*/.exec(line)![0]);
        if (dots > told) tell(dots - told, 0);
        told = dots;
      }
      // Only how a line begins says something.
      line = line.slice(0, 2000);
    }
  };
}
