/** Ending containers: preStop, the grace period, the signal. upstream: kuberuntime_container.go killContainer. */
import type { Container, LifecycleHandler, Pod } from '#api';
import type { EventRecorder } from '#client';
import type { Clock } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { ContainerStatus, Runtime } from '#runtime';
import { RuntimeError } from '#runtime';
import { containerOf, fieldPathOf, formatPod, hasSidecar, specOf } from '../pod-spec.ts';
import type { KillReason } from './actions.ts';
import { annotations, labels } from './labels.ts';
import { runHook } from './lifecycle-hooks.ts';
import type { RuntimePod } from './runtime-pod.ts';
import { sandboxReady } from './runtime-pod.ts';
import { TerminationOrder } from './termination-order.ts';

export interface KillDependencies {
  runtime: Runtime;
  clock: Clock;
  log: Log;
  events: EventRecorder;
  simulated?: boolean;
}

export interface KillRequest {
  /** Undefined where only the runtime knows of the pod. */
  pod: Pod | undefined;
  containerId: string;
  name: string;
  podIp: string;
  message?: string;
  reason?: KillReason;
  /** Seconds, instead of what pod and probe say. */
  gracePeriod?: number | undefined;
  order?: TerminationOrder | undefined;
  /** Gives up waiting; the container may still run then. */
  signal?: AbortSignal | undefined;
}

/** Even those killed at once get this long. */
const minimumGracePeriod = 2;

export const isGone = (error: unknown): boolean => error instanceof RuntimeError && error.code === 'not-found';

/** What the labels of a container tell of the pod it was made for. */
function restored(status: ContainerStatus | undefined): { pod: Pod; container: Container } {
  const notes = status?.annotations ?? {};
  const tags = status?.labels ?? {};
  const deletion = notes[annotations.deletionGracePeriod];
  const grace = notes[annotations.terminationGracePeriod];
  const preStop = notes[annotations.preStop];
  const ports = notes[annotations.ports];
  const container: Container = {
    name: tags[labels.container] ?? '',
    ...(preStop && { lifecycle: { preStop: JSON.parse(preStop) as LifecycleHandler } }),
    ...(ports && { ports: JSON.parse(ports) as NonNullable<Container['ports']> }),
  };
  return {
    container,
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: tags[labels.pod] ?? '',
        namespace: tags[labels.namespace] ?? '',
        uid: tags[labels.uid] ?? '',
        ...(deletion !== undefined && { deletionGracePeriodSeconds: Number(deletion) }),
      },
      spec: { containers: [container], ...(grace !== undefined && { terminationGracePeriodSeconds: Number(grace) }) },
    },
  };
}

function gracePeriodOf(pod: Pod, container: Container, reason: KillReason): number {
  const deletion = pod.metadata?.deletionGracePeriodSeconds;
  if (deletion !== undefined) return deletion;
  const whole = specOf(pod).terminationGracePeriodSeconds;
  if (whole === undefined) return minimumGracePeriod;
  const probe = reason === 'StartupProbe' ? container.startupProbe : reason === 'LivenessProbe' ? container.livenessProbe : undefined;
  return probe?.terminationGracePeriodSeconds ?? whole;
}

/** Seconds that the hook took, at most the grace period. */
async function preStop(pod: Pod, container: Container, request: KillRequest, seconds: number, deps: KillDependencies): Promise<number> {
  const { clock, log, events } = deps;
  const begun = clock.monotonic();
  const late = new AbortController();
  const timer = clock.setTimeout(() => late.abort(), seconds * 1000);
  const signal = request.signal ? AbortSignal.any([late.signal, request.signal]) : late.signal;
  const given = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => given.resolve(), { once: true });
  const hook = runHook(
    container.lifecycle!.preStop!,
    { pod, container, containerId: request.containerId, podIp: request.podIp },
    { ...deps, signal },
  ).catch((error: unknown) => {
    if (signal.aborted) return;
    log.warn('PreStop hook failed', { pod: formatPod(pod), container: container.name, error });
    events.event(pod, 'Warning', 'FailedPreStopHook', 'PreStopHook failed', fieldPathOf(pod, container.name));
  });
  await Promise.race([hook, given.promise]);
  timer.cancel();
  return Math.trunc((clock.monotonic() - begun) / 1000);
}

/** Ends one container and waits for its end. A container that is not there any more is no failure. */
export async function killContainer(request: KillRequest, deps: KillDependencies): Promise<void> {
  let pod = request.pod;
  let container = pod && containerOf(pod, request.name);
  if (!pod || !container)
    try {
      const answer = await deps.runtime.runtime.containerStatus({ containerId: request.containerId });
      const known = restored(answer.status);
      pod ??= known.pod;
      container = known.container;
    } catch (error) {
      if (isGone(error)) return;
      throw error;
    }
  deps.events.event(pod, 'Normal', 'Killing', request.message || `Stopping container ${container.name}`, fieldPathOf(pod, container.name));
  let seconds = request.gracePeriod ?? gracePeriodOf(pod, container, request.reason ?? '');
  if (container.lifecycle?.preStop && seconds > 0) seconds -= await preStop(pod, container, request, seconds, deps);
  if (request.order && seconds > 0) seconds -= Math.trunc(await request.order.wait(container.name, seconds));
  request.signal?.throwIfAborted();
  try {
    await deps.runtime.runtime.stopContainer(
      { containerId: request.containerId, timeout: Math.max(minimumGracePeriod, seconds) },
      request.signal ? { signal: request.signal } : undefined,
    );
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  request.order?.ended(container.name);
}

/** Ends every container of a pod, together, then its sandboxes. Rejects with the first failure once all were tried. */
export async function killPod(
  pod: Pod | undefined,
  runtime: RuntimePod,
  options: { gracePeriod?: number | undefined; signal?: AbortSignal | undefined },
  deps: KillDependencies,
): Promise<void> {
  const running = runtime.containers.filter(({ state }) => state === 'running' || state === 'unknown');
  const order =
    pod && hasSidecar(pod)
      ? new TerminationOrder(
          pod,
          running.map(({ name }) => name),
          deps.clock,
        )
      : undefined;
  const ends = await Promise.allSettled(
    running.map((container) =>
      killContainer({ pod, containerId: container.id, name: container.name, podIp: runtime.ips[0] ?? '', ...options, order }, deps),
    ),
  );
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw new Error(`failed to "KillContainer": ${(failed.reason as Error).message}`, { cause: failed.reason });
  for (const sandbox of runtime.sandboxes) {
    if (!sandboxReady(sandbox) && runtime.sandboxes[0] !== sandbox) continue;
    try {
      await deps.runtime.runtime.stopPodSandbox({ podSandboxId: sandbox.id ?? '' });
    } catch (error) {
      if (!isGone(error)) throw new Error(`failed to "KillPodSandbox": ${(error as Error).message}`, { cause: error });
    }
  }
}
