/**
 * `npm run conformance`: upstream's own e2e suite against a fresh Coxswain cluster in network namespaces of its own.
 * Builds or finds the suite, starts the cluster with its images loaded, runs, tears down, compares with what passed before and with
 * upstream's own times, and leaves one folder of evidence a failed test.
 */
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readReport } from './junit.ts';
import type { TestResult } from './junit.ts';

const here = import.meta.dirname;
const root = join(here, '..');
const tools = process.env['COXSWAIN_CONFORMANCE'] ?? join(homedir(), '.cache/coxswain-conformance');
const coxswain = join(root, 'coxswain');

const { values: options } = parseArgs({
  options: {
    set: { type: 'string', default: 'smoke' },
    focus: { type: 'string' },
    skip: { type: 'string' },
    procs: { type: 'string', default: '4' },
    machines: { type: 'string', default: '2' },
    'content-type': { type: 'string', default: 'protobuf' },
    repeat: { type: 'string', default: '1' },
    name: { type: 'string', default: 'conformance' },
    out: { type: 'string' },
    keep: { type: 'boolean', default: false },
    reuse: { type: 'boolean', default: false },
    attach: { type: 'string' },
    sample: { type: 'string' },
    seed: { type: 'string' },
    timeout: { type: 'string', default: '2h' },
    update: { type: 'boolean', default: false },
    'flake-attempts': { type: 'string', default: '1' },
  },
});

const passingFile = join(here, 'passing.txt');
const known = (): string[] => (existsSync(passingFile) ? readFileSync(passingFile, 'utf8').split('\n').filter(Boolean) : []);
const escape = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** The smoke set: something of every sig, few minutes in all. */
const smoke = readFileSync(join(here, 'smoke.txt'), 'utf8')
  .split('\n')
  .filter((line) => line && !line.startsWith('#'));

interface Run {
  focus: string;
  skip?: string;
  procs: number;
}

/** A deterministic choice of `count` names. */
function sampled(names: string[], count: number, seed: number): string[] {
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return names
    .map((name) => [next(), name] as const)
    .sort((a, b) => a[0] - b[0])
    .slice(0, count)
    .map(([, name]) => name);
}

function runs(): Run[] {
  const procs = Number(options.procs);
  if (options.focus) return [{ focus: options.focus, ...(options.skip !== undefined && { skip: options.skip }), procs }];
  const parallel: Run = { focus: '\\[Conformance\\]', skip: ['\\[Serial\\]', options.skip].filter(Boolean).join('|'), procs };
  const serial: Run = {
    focus: '\\[Serial\\].*\\[Conformance\\]|\\[Conformance\\].*\\[Serial\\]',
    procs: 1,
    ...(options.skip !== undefined && { skip: options.skip }),
  };
  switch (options.set) {
    case 'smoke':
      return [{ focus: smoke.map(escape).join('|'), procs }];
    case 'parallel':
      return [parallel];
    case 'serial':
      return [serial];
    case 'all':
      return [parallel, serial];
    case 'passing': {
      let names = known();
      if (options.sample) {
        const seed = options.seed ? Number(options.seed) : Math.trunc(process.hrtime()[1] % 100000);
        console.log(`sample of ${options.sample} passing tests with --seed ${seed}`);
        names = sampled(
          names.filter((name) => !name.includes('[Serial]')),
          Number(options.sample),
          seed,
        );
      }
      const side = names.filter((name) => !name.includes('[Serial]'));
      const alone = names.filter((name) => name.includes('[Serial]'));
      return [
        ...(side.length ? [{ focus: side.map(escape).join('|'), procs }] : []),
        ...(alone.length ? [{ focus: alone.map(escape).join('|'), procs: 1 }] : []),
      ];
    }
    default:
      if (options.set.startsWith('sig-')) {
        const sig = `\\[${escape(options.set)}\\]`;
        return [{ focus: `${sig}.*\\[Conformance\\]`, skip: ['\\[Serial\\]', options.skip].filter(Boolean).join('|'), procs }];
      }
      throw new Error(`Cannot run the set ${options.set}: sets are smoke, passing, parallel, serial, all and sig-<name>`);
  }
}

function build(): void {
  const wanted = ['bin/e2e.test', 'bin/ginkgo', 'bin/kubectl', 'e2e-images.tar'];
  if (wanted.every((file) => existsSync(join(tools, file)))) return;
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
  } catch {
    throw new Error('Cannot build the conformance suite: Go 1.25 or newer is missing');
  }
  console.log(`building the suite into ${tools} (about 10 minutes, once)`);
  const packages = ['debootstrap', 'busybox-static', 'bash-static', 'openssl', 'gcc', 'libc6-dev'].filter((name) => {
    try {
      execFileSync('dpkg', ['-s', name], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
  if (packages.length) {
    execFileSync('apt-get', ['update', '-q'], { stdio: 'inherit' });
    execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], {
      stdio: 'inherit',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
  execFileSync('bash', [join(here, 'tools/build.sh')], { stdio: 'inherit', env: { ...process.env, OUT: tools } });
}

const cluster = (...parameters: string[]): void => void execFileSync(coxswain, parameters, { stdio: 'inherit' });
const machineNetns = `/run/netns/coxswain-${options.name}-1`;

function ginkgo(run: Run, kubeconfig: string, out: string, part: number): Promise<string> {
  const report = join(out, `junit-${part}.xml`);
  const parameters = [
    `--procs=${run.procs}`,
    `--timeout=${options.timeout}`,
    '--no-color',
    '--silence-skips',
    `--focus=${run.focus}`,
    ...(run.skip ? [`--skip=${run.skip}`] : []),
    `--junit-report=${report}`,
    ...(options.repeat === '1' ? [] : [`--repeat=${Number(options.repeat) - 1}`]),
    ...(options['flake-attempts'] === '1' ? [] : [`--flake-attempts=${options['flake-attempts']}`]),
    join(tools, 'bin/e2e.test'),
    '--',
    `--kubeconfig=${kubeconfig}`,
    '--provider=skeleton',
    `--kubectl-path=${join(tools, 'bin/kubectl')}`,
    '--e2e-verify-service-account=false',
    ...(options['content-type'] === 'json' ? ['--kube-api-content-type=application/json'] : []),
  ];
  const program = join(tools, 'bin/ginkgo');
  const child = options.attach
    ? spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
    : spawn('nsenter', [`--net=${machineNetns}`, program, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] });
  const log = join(out, `ginkgo-${part}.log`);
  const started = performance.now();
  let passed = 0;
  let failed = 0;
  const watch = (chunk: Buffer): void => {
    const text = chunk.toString();
    appendFileSync(log, text);
    for (const line of text.split('\n')) {
      if (/^• \[[\d.]+ seconds\]/.test(line)) passed++;
      else if (/^• \[(FAILED|PANICKED|TIMEDOUT)\]/.test(line)) {
        failed++;
        console.log(`  failed after ${((performance.now() - started) / 1000).toFixed(0)} s (${passed} passed so far, ${failed} failed)`);
      }
    }
  };
  child.stdout.on('data', watch);
  child.stderr.on('data', watch);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () =>
      existsSync(report) ? resolve(report) : reject(new Error(`Cannot read results: ginkgo wrote no report; its output is ${log}`)),
    );
  });
}

/** One folder a failed test: its output, and what the cluster's own logs say about its namespace. */
function evidence(failures: TestResult[], out: string): void {
  const logs = join(process.env['COXSWAIN_HOME'] ?? '/var/lib/coxswain', options.name, 'logs');
  for (const failure of failures) {
    const folder = join(out, 'failures', failure.name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 120));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'test.log'), `${failure.name}\n\n${failure.error}\n\n${failure.output}\n`);
    if (!existsSync(logs)) continue;
    if (failure.namespace)
      for (const machine of Array.from({ length: Number(options.machines) }, (_, index) => `machine-${index + 1}`)) {
        const path = join(logs, `${machine}.log`);
        if (!existsSync(path)) continue;
        const lines = readFileSync(path, 'utf8')
          .split('\n')
          .filter((line) => line.includes(failure.namespace));
        writeFileSync(join(folder, `${machine}.log`), lines.join('\n'));
      }
  }
  if (failures.length && existsSync(logs)) cpSync(logs, join(out, 'logs'), { recursive: true });
}

function summarize(results: TestResult[]): string {
  const upstream = new Map(
    readFileSync(join(here, 'upstream.tsv'), 'utf8')
      .split('\n')
      .slice(1)
      .filter(Boolean)
      .map((line) => {
        const [seconds, , name] = line.split('\t');
        return [name!, Number(seconds)] as const;
      }),
  );
  const rows = new Map<string, { passed: number; failed: number; seconds: number; upstream: number }>();
  for (const result of results) {
    const row = rows.get(result.sig) ?? { passed: 0, failed: 0, seconds: 0, upstream: 0 };
    row[result.status === 'passed' ? 'passed' : 'failed']++;
    row.seconds += result.seconds;
    row.upstream += upstream.get(result.name) ?? 0;
    rows.set(result.sig, row);
  }
  const lines = ['sig                     passed  failed  seconds  upstream  ratio'];
  const line = (name: string, row: { passed: number; failed: number; seconds: number; upstream: number }): string =>
    `${name.padEnd(24)}${String(row.passed).padStart(6)}${String(row.failed).padStart(8)}${row.seconds.toFixed(0).padStart(9)}${row.upstream.toFixed(0).padStart(10)}${(row.upstream ? (row.seconds / row.upstream).toFixed(2) : '-').padStart(7)}`;
  const total = { passed: 0, failed: 0, seconds: 0, upstream: 0 };
  for (const [sig, row] of [...rows].sort(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push(line(sig, row));
    for (const key of ['passed', 'failed', 'seconds', 'upstream'] as const) total[key] += row[key];
  }
  lines.push(line('all', total));
  return lines.join('\n');
}

const out = options.out ?? join(root, '.cache/conformance', new Date().toISOString().slice(0, 19).replaceAll(':', ''));
mkdirSync(out, { recursive: true });
build();
const planned = runs();
let results: TestResult[] = [];
let kubeconfig = options.attach ?? '';
const started = performance.now();
try {
  if (!options.attach) {
    if (!options.reuse) {
      if (existsSync(join(process.env['COXSWAIN_HOME'] ?? '/var/lib/coxswain', options.name)))
        cluster('down', '--purge', '--name', options.name);
      cluster(
        'up',
        '--name',
        options.name,
        '--machines',
        options.machines,
        '--runtime',
        'containerd',
        '--no-kubeconfig',
        '--timeout',
        '300',
        '--image',
        join(tools, 'e2e-images.tar'),
      );
    }
    // The suite runs inside the first machine, where the API's listener of the host's loopback is not: speak to the machine's own address.
    kubeconfig = join(out, 'kubeconfig');
    const text = execFileSync(coxswain, ['kubeconfig', '--name', options.name], { encoding: 'utf8' });
    writeFileSync(
      kubeconfig,
      text.replace(
        /server: .*/,
        `server: https://${execFileSync('nsenter', [`--net=${machineNetns}`, 'ip', '-4', '-json', 'addr', 'show', 'eth0'], { encoding: 'utf8' }).match(/"local":"([\d.]+)"/)![1]}:6443`,
      ),
      { mode: 0o600 },
    );
  }
  for (const [part, run] of planned.entries()) results = results.concat(readReport(await ginkgo(run, kubeconfig, out, part + 1)));
  evidence(
    results.filter((result) => result.status === 'failed'),
    out,
  );
} finally {
  if (!options.attach && !options.keep && !options.reuse) cluster('down', '--purge', '--name', options.name);
}
rmSync(join(out, 'kubeconfig'), { force: true });
const failures = results.filter((result) => result.status === 'failed');
const before = new Set(known());
const lost = failures.filter((result) => before.has(result.name));
if (lost.length) console.log(`\nLOST, passed before:\n${lost.map((result) => `  ${result.name}`).join('\n')}`);
console.log(`\n${summarize(results)}\n`);
for (const failure of failures)
  console.log(`FAILED ${failure.name}\n    ${failure.error.split('\n').slice(0, 3).join('\n    ').slice(0, 600)}`);
console.log(`wall ${((performance.now() - started) / 1000).toFixed(0)} s; reports and evidence in ${out}`);
if (options.update) {
  for (const result of results) {
    if (result.sig === 'suite') continue;
    if (result.status === 'passed') before.add(result.name);
    else before.delete(result.name);
  }
  writeFileSync(passingFile, `${[...before].sort().join('\n')}\n`);
}
const passedCount = results.length - failures.length;
console.log(`conformance: ${passedCount} passed, ${failures.length} failed`);
if (failures.length > 0 || results.length === 0) process.exitCode = 1;
