import type { Container, LifecycleHandler, Pod } from '#api';
import type { EventRecorder } from '#client';
import type { Clock } from '#machinery/clock';
import { sleep } from '#machinery/clock';
import type { Runtime } from '#runtime';
import { formatPod } from '../pod-spec.ts';
import { httpGet, httpGetHeaders, httpGetUrl } from '../prober/http.ts';

export interface HookTarget {
  pod: Pod;
  container: Container;
  containerId: string;
  podIp: string;
}

export interface HookDependencies {
  runtime: Runtime;
  clock: Clock;
  events: EventRecorder;
  signal?: AbortSignal;
  /** As with probes: the runtime answers every hook as it answers a command. */
  simulated?: boolean;
}

/** There is none upstream either: a hook's request ends with the grace period. */
const httpTimeout = 24 * 3600 * 1000;

/** Runs a postStart or preStop hook. Rejects with the text that the container's status shows. upstream: pkg/kubelet/lifecycle/handlers.go. */
export async function runHook(handler: LifecycleHandler, target: HookTarget, deps: HookDependencies): Promise<void> {
  const { pod, container } = target;
  const where = `for Container "${container.name}" in Pod "${formatPod(pod)}" failed - error: `;
  const { clock, runtime, signal } = deps;
  if (handler.exec || (deps.simulated && handler.httpGet)) {
    const command = handler.exec?.command ?? [];
    const what = `Exec lifecycle hook ([${command.join(' ')}]) ${where}`;
    let answer: Awaited<ReturnType<Runtime['runtime']['execSync']>>;
    try {
      answer = await runtime.runtime.execSync(
        { containerId: target.containerId, cmd: command, timeout: 0 },
        signal ? { signal } : undefined,
      );
    } catch (error) {
      throw new Error(`${what}${(error as Error).message}, message: ""`, { cause: error });
    }
    if ((answer.exitCode ?? 0) !== 0) {
      const output = Buffer.concat([answer.stdout ?? new Uint8Array(), answer.stderr ?? new Uint8Array()]).toString('utf8');
      throw new Error(
        `${what}command '${command.join(' ')}' exited with ${answer.exitCode}: ${output}, message: ${JSON.stringify(output)}`,
      );
    }
  } else if (handler.httpGet) {
    try {
      const url = httpGetUrl(handler.httpGet, container, target.podIp);
      const headers = httpGetHeaders(handler.httpGet, 'kube-lifecycle/1.35');
      try {
        await httpGet(url, headers, { timeout: httpTimeout, clock, signal });
      } catch (error) {
        const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
        if (
          url.protocol !== 'https:' ||
          (code !== 'EPROTO' && code !== 'ERR_SSL_WRONG_VERSION_NUMBER' && code !== 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
        )
          throw error;
        // Long ago hooks never spoke TLS, whatever they said; some still rely on it.
        const plain = new URL(url);
        plain.protocol = 'http:';
        delete headers['Authorization'];
        await httpGet(plain, headers, { timeout: httpTimeout, clock, signal });
        deps.events.event(
          pod,
          'Warning',
          'LifecycleHTTPFallback',
          `request to HTTPS lifecycle hook ${url.host} got HTTP response, retry with HTTP succeeded`,
        );
      }
    } catch (error) {
      throw new Error(`HTTP lifecycle hook (${handler.httpGet.path ?? ''}) ${where}${(error as Error).message}`, { cause: error });
    }
  } else if (handler.sleep) {
    try {
      await sleep(clock, handler.sleep.seconds * 1000, signal);
    } catch (error) {
      throw new Error(`Sleep lifecycle hook (${handler.sleep.seconds}) ${where}container terminated before sleep hook finished`, {
        cause: error,
      });
    }
  } else throw new Error(`Cannot run handler: invalid handler: ${JSON.stringify(handler)}`);
}
