/** Makes a cluster, or starts a stopped one: settings, certificates, sandbox, processes, readiness. What fails is undone. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '#machinery/clock';
import { Disposables } from '#machinery/lifecycle';
import { clusterCertificates, filePems } from './certificates.ts';
import { clusterNameError, defaults, machineAddress, machineName, mostMachines, readConfig } from './config.ts';
import type { ClusterConfig, ClusterPart } from './config.ts';
import { pathsOf } from './paths.ts';
import type { ClusterPaths } from './paths.ts';
import { programFor } from './program.ts';
import { endProcess, recordProcess, runningProcess } from './processes.ts';
import { requirements, whySimulated } from './requirements.ts';
import { createSandbox, freeNetwork, removeSandbox, spawnInMachine } from './sandbox.ts';

export interface UpOptions {
  name: string;
  machines?: number;
  runtime?: 'auto' | 'containerd' | 'simulated';
  port?: number;
  /** Parts that the user brings; see config.ts. */
  without?: ClusterPart[];
  /** See ClusterConfig. */
  store?: string;
  /** See ClusterConfig. Of a part that is named here they replace those of an earlier start. */
  arguments?: Record<string, string[]>;
  /** How long past revisions are kept. */
  historySeconds?: number;
  /** Image archives that every machine loads before it is ready. */
  images?: string[];
  /** 'ready': nodes Ready and DNS there. 'api': the API answers. */
  wait: 'ready' | 'api';
  timeoutSeconds: number;
  /** Merge into the user's kubeconfig and switch to it. */
  mergeKubeconfig: boolean;
  installPackages(names: string[]): Promise<void>;
  report: { done(text: string): void; note(text: string): void };
}

export interface UpResult {
  config: ClusterConfig;
  paths: ClusterPaths;
  server: string;
  /** Where the context was merged to. */
  kubeconfig?: string;
  milliseconds: number;
}

/** What a machine's process tells `up` through file descriptor 4, a JSON line each. */
export type MachineReport = { step: string } | { ready: 'api' | 'machine' } | { failed: string };

const clock = systemClock;

/**
 * A young generation half as large as Node's: 45 MB less in use after work, at the same processor time. The old one is looked through for the first
 * time at 128 MB, then whenever it has grown by 70 %. V8 lets a busy process' grow to several times what it holds: 100 MB more after 50,000 writes.
 * With steps of 40 % from the start, a small heap was looked through every thousand writes, for a fifth of their processor time and 30 MB.
 * The rest is given back when it is quiet (idle-memory.ts), and by nobody else: V8's own reducer, and collections that look for the last byte, forget
 * the shapes that compiled code was made for, and with them the code. A burst after a minute's rest then took a quarter more processor time.
 */
const heapFlags = [
  '--max-semi-space-size=8',
  '--initial-old-space-size=128',
  '--heap-growing-percent=70',
  '--no-memory-reducer',
  '--retain-maps-for-n-gc=100',
  '--expose-gc',
];

/** The C library would give each of a dozen threads a part of memory of its own, and keep in each what its busiest moment took. */
const allocator = { MALLOC_ARENA_MAX: '2' };

export async function up(options: UpOptions): Promise<UpResult> {
  const started = clock.monotonic();
  const problem = clusterNameError(options.name);
  if (problem) throw new Error(`Cannot make the cluster: ${problem}`);
  const paths = pathsOf(options.name);
  if (runningProcess(paths, machineName(1)) !== undefined)
    throw new Error(
      `Cannot start the cluster ${options.name}: it is already running; use it with "coxswain kubectl", stop it with "coxswain down", or choose another --name`,
    );
  for (const image of options.images ?? []) if (!existsSync(image)) throw new Error(`Cannot load ${image}: there is no such file`);
  const undo = new Disposables();
  try {
    const { config, isNew } = await settle(options, paths);
    // The logs stay: they say why.
    if (isNew) undo.add(() => forget(paths));
    if (!existsSync(paths.run)) undo.add(() => rmSync(paths.run, { recursive: true, force: true }));
    mkdirSync(paths.state, { recursive: true, mode: 0o700 });
    if (isNew) rmSync(paths.logs, { recursive: true, force: true });
    mkdirSync(paths.logs, { recursive: true });
    mkdirSync(paths.run, { recursive: true, mode: 0o700 });
    const listener = await listen(config);
    undo.add(() => listener.close());
    const { port } = listener.address() as AddressInfo;
    config.port = port;
    writeFileSync(paths.config, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
    if (config.runtime === 'containerd') {
      // Machines that outlived their processes hold containers to be adopted: a failed start must not end them.
      if (!existsSync(join(paths.run, 'namespaces'))) undo.add(() => removeSandbox(paths, config.machines));
      await createSandbox(paths, config);
      options.report.done(
        `${config.machines} ${config.machines === 1 ? 'machine' : 'machines'} on the network ${config.machineNetwork!}.0/24`,
      );
    }
    const certificates = clusterCertificates({
      clock,
      pems: filePems(paths.pki),
      clusterDomain: config.clusterDomain,
      apiAddresses: [serviceAddress(config), machineAddress(config, 1)],
    });
    for (let index = 1; index <= config.machines; index++) certificates.node(machineName(index), [machineAddress(config, index)]);
    const server = `https://127.0.0.1:${port}`;
    // Loaded here: a machine's process has no use for it.
    const { kubeconfigText, mergeKubeconfig } = await import('./kubeconfig.ts');
    writeFileSync(
      paths.kubeconfig,
      kubeconfigText({ cluster: config.name, server, ca: certificates.ca.certificate, user: certificates.admin }),
      { mode: 0o600 },
    );

    const program = await programFor(process.argv[1]!);
    const deadline = clock.monotonic() + options.timeoutSeconds * 1000;
    const processes = config.runtime === 'containerd' ? Math.max(1, config.machines) : 1;
    const reports: Promise<void>[] = [];
    for (let index = 1; index <= processes; index++) {
      // A machine whose process outlived the first one's finds its way back by itself.
      if (runningProcess(paths, machineName(index)) !== undefined) continue;
      undo.add(() => endProcess(paths, machineName(index), clock, 5000));
      reports.push(launch(program, paths, config, index, index === 1 ? listener : undefined, options, deadline));
    }
    listener.close();
    // The first machine's process reports the API first, then itself; the others only themselves.
    await Promise.all(reports);
    const merged = options.mergeKubeconfig
      ? mergeKubeconfig({ cluster: config.name, server, ca: certificates.ca.certificate, user: certificates.admin })
      : undefined;
    return { config, paths, server, ...(merged !== undefined && { kubeconfig: merged }), milliseconds: clock.monotonic() - started };
  } catch (error) {
    try {
      await undo.dispose();
    } catch (undoing) {
      throw new AggregateError([error, undoing], `${(error as Error).message}; and undoing it failed: ${(undoing as Error).message}`);
    }
    throw error;
  }
}

/** The first address of the service network. */
export function serviceAddress(config: ClusterConfig): string {
  return config.serviceCidr.split('/')[0]!.replace(/\d+$/, (last) => String(Number(last) + 1));
}

async function settle(options: UpOptions, paths: ClusterPaths): Promise<{ config: ClusterConfig; isNew: boolean }> {
  const present = readConfig(paths.config);
  if (present) {
    if (options.runtime && options.runtime !== 'auto' && options.runtime !== present.runtime)
      throw new Error(
        `Cannot start ${options.name} with runtime ${options.runtime}: it was made with ${present.runtime}; remove it first: coxswain down --purge --name ${options.name}`,
      );
    const { store = 'lmdb' } = present;
    if (options.store !== undefined && options.store !== store)
      throw new Error(
        `Cannot start ${options.name} on ${options.store}: its objects are in ${store}; remove it first: coxswain down --purge --name ${options.name}`,
      );
    const config = {
      ...present,
      ...(options.machines !== undefined && { machines: options.machines }),
      ...(options.port !== undefined && { port: options.port }),
      ...(options.without && { without: options.without }),
      ...(options.historySeconds !== undefined && { historySeconds: options.historySeconds }),
      ...(options.arguments && { arguments: { ...present.arguments, ...options.arguments } }),
    };
    return { config, isNew: false };
  }
  let found = requirements();
  const wanted = options.runtime ?? 'auto';
  if (wanted !== 'simulated' && !found.containers && found.installable && options.machines !== 0) {
    options.report.note(`Installing ${found.missingPackages.join(', ')}`);
    await options.installPackages(found.missingPackages);
    found = requirements();
  }
  if (wanted === 'containerd' && !found.containers)
    throw new Error(`Cannot use containerd here: ${whySimulated(found).replace(/^Pods are simulated: /, '')}`);
  const runtime = wanted === 'auto' ? (found.containers ? 'containerd' : 'simulated') : wanted;
  if (runtime === 'containerd' && (options.machines ?? 1) > mostMachines)
    throw new Error(`Cannot make ${options.machines} machines: a cluster's network has room for ${mostMachines}`);
  if (wanted === 'auto' && runtime === 'simulated') options.report.note(whySimulated(found));
  return {
    isNew: true,
    config: {
      form: 1,
      name: options.name,
      runtime,
      machines: options.machines ?? defaults.machines,
      port: options.port ?? 0,
      ...(options.without?.length && { without: options.without }),
      ...(options.store !== undefined && options.store !== 'lmdb' && { store: options.store }),
      ...(runtime === 'containerd' && { machineNetwork: await freeNetwork(options.name) }),
      podCidr: defaults.podCidr,
      serviceCidr: defaults.serviceCidr,
      clusterDomain: defaults.clusterDomain,
      dnsAddress: defaults.dnsAddress,
      ...(options.historySeconds !== undefined && { historySeconds: options.historySeconds }),
      ...(options.arguments && { arguments: options.arguments }),
    },
  };
}

function listen(config: ClusterConfig): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new Error(
          error.code === 'EADDRINUSE'
            ? `Cannot listen on 127.0.0.1:${config.port}: the port is in use; choose another with --port`
            : `Cannot listen on 127.0.0.1:${config.port}: ${error.message}`,
          { cause: error },
        ),
      ),
    );
    server.listen({ host: '127.0.0.1', port: config.port, backlog: 511 }, () => resolve(server));
  });
}

/** Starts one machine's process and resolves when it has reported what is waited for. */
function launch(
  program: string,
  paths: ClusterPaths,
  config: ClusterConfig,
  index: number,
  listener: Server | undefined,
  options: UpOptions,
  deadline: number,
): Promise<void> {
  const name = machineName(index);
  const logPath = join(paths.logs, `${name}.log`);
  const log = openSync(logPath, 'a');
  const parameters = [
    '--no-warnings',
    ...heapFlags,
    ...process.execArgv.filter((flag) => flag !== '--no-warnings' && !heapFlags.includes(flag)),
    program,
    'machine',
    config.name,
    String(index),
    ...(options.images ?? []).flatMap((image) => ['--image', image]),
  ];
  const handle = (listener as unknown as { _handle?: { fd: number } } | undefined)?._handle;
  const spawning = {
    detached: true,
    stdio: ['ignore', log, log, handle?.fd ?? 'ignore', 'pipe'] as ('ignore' | 'pipe' | number)[],
    env: {
      ...allocator,
      ...process.env,
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(paths.state, '..', '.compile-cache'),
    },
  };
  const child: ChildProcess =
    config.runtime === 'containerd' && config.machines > 0
      ? spawnInMachine(paths, index, process.execPath, parameters, spawning)
      : spawn(process.execPath, parameters, spawning);
  closeSync(log);
  if (child.pid !== undefined) recordProcess(paths, name, child.pid);
  const lines = createInterface({ input: child.stdio[4] as NodeJS.ReadableStream });
  return new Promise<void>((resolve, reject) => {
    const settle = (then: () => void): void => {
      timer.cancel();
      lines.close();
      (child.stdio[4] as unknown as { destroy(): void }).destroy();
      child.removeAllListeners();
      child.unref();
      then();
    };
    const timer = clock.setTimeout(
      () =>
        settle(() =>
          reject(new Error(`Cannot start the cluster: ${name} was not ready within ${options.timeoutSeconds} s; its log is ${logPath}`)),
        ),
      Math.max(0, deadline - clock.monotonic()),
    );
    child.once('error', (error) => settle(() => reject(new Error(`Cannot start ${name}: ${error.message}`, { cause: error }))));
    child.once('exit', (code, signal) =>
      settle(() =>
        reject(
          new Error(
            signal === 'SIGSEGV' || signal === 'SIGBUS'
              ? `Cannot start ${name}: its process was killed by ${signal}, as happens when ${paths.store} is damaged; restore it, or remove the cluster with its data: coxswain down --purge`
              : `Cannot start ${name}: its process ended with ${signal ?? `code ${code}`}: ${lastLines(logPath)}`,
          ),
        ),
      ),
    );
    lines.on('line', (line) => {
      const report = JSON.parse(line) as MachineReport;
      if ('failed' in report) settle(() => reject(new Error(`Cannot start ${name}: ${report.failed}`)));
      else if ('step' in report) options.report.done(report.step);
      else if (report.ready === 'machine' || (options.wait === 'api' && report.ready === 'api')) settle(resolve);
    });
  });
}

/** Removes a cluster's data but for its logs. */
function forget(paths: ClusterPaths): void {
  for (const entry of readdirSync(paths.state))
    if (join(paths.state, entry) !== paths.logs) rmSync(join(paths.state, entry), { recursive: true, force: true });
}

function lastLines(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-4).join('\n');
}
