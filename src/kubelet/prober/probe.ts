import net from 'node:net';
import type { Container, Probe } from '#api';
import type { Clock } from '#machinery/clock';
import type { Runtime } from '#runtime';
import { RuntimeError } from '#runtime';
import { grpcHealth } from './grpc.ts';
import { httpGet, httpGetHeaders, httpGetUrl } from './http.ts';
import { resolvePort } from './port.ts';
import { expand } from '../pod-runtime/expansion.ts';

export type Outcome = 'success' | 'warning' | 'failure';

export interface ProbeTarget {
  container: Container;
  containerId: string;
  podIp: string;
}

export interface ProbeDependencies {
  runtime: Runtime;
  clock: Clock;
  signal?: AbortSignal;
  /** The pod has no process and no address: its runtime answers every probe as it answers a command. */
  simulated?: boolean;
}

const outputLimit = 10 * 1024;

/** Runs a probe once. Rejects when it could not be run at all. upstream: pkg/kubelet/prober/prober.go runProbe, pkg/probe. */
export async function runProbe(
  probe: Probe,
  { container, containerId, podIp }: ProbeTarget,
  { runtime, clock, signal, simulated }: ProbeDependencies,
): Promise<{ outcome: Outcome; output: string }> {
  const timeoutSeconds = probe.timeoutSeconds || 1;
  const timeout = timeoutSeconds * 1000;
  if (probe.exec || simulated) {
    const statics = new Map((container.env ?? []).map(({ name, value }) => [name, value ?? '']));
    const cmd = (probe.exec?.command ?? []).map((word) => expand(word, (name) => statics.get(name)));
    try {
      const answer = await runtime.runtime.execSync({ containerId, cmd, timeout: timeoutSeconds }, signal ? { signal } : undefined);
      const output = Buffer.concat([answer.stdout ?? new Uint8Array(), answer.stderr ?? new Uint8Array()])
        .subarray(0, outputLimit)
        .toString('utf8');
      return { outcome: (answer.exitCode ?? 0) === 0 ? 'success' : 'failure', output };
    } catch (error) {
      if (error instanceof RuntimeError && (error.code === 'deadline-exceeded' || /timed? ?out|timeout/i.test(error.message)))
        return { outcome: 'failure', output: `command timed out: ${JSON.stringify(cmd.join(' '))} timed out after ${timeoutSeconds}s` };
      throw error;
    }
  }
  if (probe.httpGet) {
    const url = httpGetUrl(probe.httpGet, container, podIp);
    try {
      const answer = await httpGet(url, httpGetHeaders(probe.httpGet, 'kube-probe/1.35'), { timeout, clock, signal });
      if (answer.status >= 300 && answer.status < 400)
        return { outcome: 'warning', output: `Probe terminated redirects, Response body: ${answer.body}` };
      if (answer.status >= 200 && answer.status < 300) return { outcome: 'success', output: answer.body };
      return { outcome: 'failure', output: `HTTP probe failed with statuscode: ${answer.status}` };
    } catch (error) {
      return { outcome: 'failure', output: (error as Error).message };
    }
  }
  if (probe.tcpSocket) return tcp(probe.tcpSocket.host || podIp, resolvePort(probe.tcpSocket.port, container), timeout, clock, signal);
  if (probe.grpc) {
    const { healthy, output } = await grpcHealth(podIp, probe.grpc.port, probe.grpc.service ?? '', { timeout, clock, signal });
    return { outcome: healthy ? 'success' : 'failure', output };
  }
  throw new Error(`missing probe handler for ${container.name}`);
}

function tcp(
  host: string,
  port: number,
  timeout: number,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<{ outcome: Outcome; output: string }> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, ...(signal && { signal }) });
    const finish = (outcome: Outcome, output: string): void => {
      timer.cancel();
      socket.destroy();
      resolve({ outcome, output });
    };
    const timer = clock.setTimeout(() => finish('failure', `dial tcp ${address}: i/o timeout`), timeout);
    socket.on('connect', () => finish('success', ''));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const what =
        error.code === 'ECONNREFUSED'
          ? 'connect: connection refused'
          : error.code === 'EHOSTUNREACH'
            ? 'connect: no route to host'
            : error.message;
      finish('failure', `dial tcp ${address}: ${what}`);
    });
  });
}
