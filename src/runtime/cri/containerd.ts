/**
 * A containerd of one machine's own: its configuration, its start, its adoption after the process above it died.
 * It runs in a session of its own, so that containers outlive a killed Coxswain; `stopContainerd` ends it.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync, mkdirSync, rmSync, watch, existsSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:net';
import { sleep } from '#machinery/clock';
import type { Clock } from '#machinery/clock';
import { onPath, pathWithShim } from './shim.ts';
import { groupAnnotation } from './shim-groups.ts';

export interface ContainerdOptions {
  clock: Clock;
  /** Where images and snapshots are kept; survives stops. */
  root: string;
  /** Sockets, pid file, run-time state; short, since unix socket paths end at 107 bytes. */
  state: string;
  /** Where CNI configurations are read from, and the plugins. */
  cniConfDir: string;
  cniBinDir: string;
  /** The OCI runtime's program: runc (the default), or one that takes its parameters. */
  ociRuntime?: string;
  sandboxImage: string;
  /** Parent of pod cgroups is set by the kubelet; this is containerd's own. */
  logPath: string;
  binary?: string;
  /** Without CAP_SYS_RESOURCE a negative oom_score_adj is refused; containerd must not try. */
  restrictOomScoreAdj: boolean;
  signal?: AbortSignal;
}

export const containerdSocket = (state: string): string => join(state, 'containerd.sock');

function configuration(options: ContainerdOptions): string {
  const text = JSON.stringify; // TOML's basic strings escape as JSON's do
  // With its folder, lest the shim look for it at every call.
  const { ociRuntime = 'runc' } = options;
  const binary = onPath(ociRuntime, process.env['PATH'] ?? '') ?? ociRuntime;
  return `version = 2
root = ${text(options.root)}
state = ${text(join(options.state, 'containerd'))}
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing", "io.containerd.monitor.v1.cgroups"]
[grpc]
  address = ${text(containerdSocket(options.state))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(options.sandboxImage)}
  restrict_oom_score_adj = ${options.restrictOomScoreAdj}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  max_container_log_line_size = -1
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${text(options.cniBinDir)}
    conf_dir = ${text(options.cniConfDir)}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      pod_annotations = [${text(groupAnnotation)}]
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = ${text(binary)}
`;
}

const answers = (socket: string): Promise<boolean> =>
  new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });

/** The pid of the containerd that runs from this state directory, if one does. */
export function containerdPid(state: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(state, 'containerd.pid'), 'utf8'));
    // A pid may have been given to another program since: look at its command line.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(state) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Starts containerd, or finds it running; resolves with its socket when that answers. Rejects with the log's last lines when it ends first. */
export async function startContainerd(options: ContainerdOptions): Promise<{ socket: string; pid: number; adopted: boolean }> {
  const socket = containerdSocket(options.state);
  const present = containerdPid(options.state);
  if (present !== undefined && (await answers(socket))) return { socket, pid: present, adopted: true };
  mkdirSync(options.root, { recursive: true });
  mkdirSync(options.state, { recursive: true });
  mkdirSync(options.cniConfDir, { recursive: true });
  const config = join(options.state, 'containerd.toml');
  writeFileSync(config, configuration(options));
  rmSync(socket, { force: true });
  const log = openSync(options.logPath, 'a');
  const child = spawn(options.binary ?? 'containerd', ['--config', config], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, PATH: pathWithShim(join(options.root, 'programs'), process.env['PATH'] ?? '') },
  });
  closeSync(log);
  const ended = new Promise<never>((_, reject) => {
    child.once('error', (error) => reject(new Error(`Cannot start containerd: ${error.message}`, { cause: error })));
    child.once('exit', (code, signal) => {
      const lines = readFileSync(options.logPath, 'utf8').trimEnd().split('\n').slice(-3).join(' | ');
      reject(new Error(`Cannot start containerd: it ended with ${signal ?? `code ${code}`}: ${lines}`));
    });
  });
  ended.catch(() => undefined); // later ends are the connection's business
  if (child.pid !== undefined) writeFileSync(join(options.state, 'containerd.pid'), String(child.pid));
  child.unref();
  await Promise.race([ended, socketAppears(options, socket)]);
  return { socket, pid: child.pid!, adopted: false };
}

/** Waits for the socket's file by inotify, then for it to answer. */
async function socketAppears({ state, clock, signal }: ContainerdOptions, socket: string): Promise<void> {
  if (!existsSync(socket))
    await new Promise<void>((resolve, reject) => {
      const watcher = watch(state, () => {
        if (existsSync(socket)) settle(resolve);
      });
      const timer = clock.setTimeout(
        () => settle(() => reject(new Error('Cannot start containerd: its socket did not appear within 30 s'))),
        30_000,
      );
      const abort = (): void => settle(() => reject(signal!.reason as Error));
      const settle = (then: () => void): void => {
        watcher.close();
        timer.cancel();
        signal?.removeEventListener('abort', abort);
        then();
      };
      signal?.addEventListener('abort', abort, { once: true });
      if (existsSync(socket)) settle(resolve);
    });
  // The file is there a moment before anybody listens.
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await answers(socket)) return;
    await sleep(clock, 10, signal);
  }
  throw new Error('Cannot start containerd: its socket does not answer');
}
