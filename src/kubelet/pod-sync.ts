import { rm } from 'node:fs/promises';
import type { Pod, PodStatus, Secret } from '#api';
import type { EventRecorder } from '#client';
import type { Clock } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { deadlineExceeded, untilDeadline } from './active-deadline.ts';
import type { PodSyncer, SyncOutcome, Termination } from './pod-workers.ts';
import { formatPod, isHostNetwork, isTerminalPhase, namespaceOf, specOf, uidOf } from './pod-spec.ts';
import type { PodCache } from './pod-runtime/cache.ts';
import type { PodRuntime } from './pod-runtime/manager.ts';
import type { RuntimePod } from './pod-runtime/runtime-pod.ts';
import type { ProbeManager } from './prober/manager.ts';
import type { Cgroups } from './resources/cgroups.ts';
import type { StatusManager } from './status/manager.ts';
import type { VolumeManager } from './volumes/manager.ts';
import type { ReferencedObjects } from './volumes/objects.ts';

export interface PodSyncOptions {
  clock: Clock;
  log: Log;
  events: EventRecorder;
  cache: PodCache;
  runtime: PodRuntime;
  statuses: StatusManager;
  probes: ProbeManager;
  volumes: VolumeManager;
  objects: ReferencedObjects;
  cgroups: Cgroups;
  simulated: boolean;
  /** The status that the pod has with these containers. */
  makeStatus(pod: Pod, runtime: RuntimePod, terminal: boolean): PodStatus;
  /** Shows it to the probes and the API. */
  setStatus(pod: Pod, status: PodStatus): void;
  /** Why pods cannot get a network now; '' when they can. */
  networkProblem(): string;
  /** The kubelet knows the pod from the API (or a file), not from the runtime alone. */
  isKnown(uid: string): boolean;
  forgotten(pod: Pod): void;
  /** Before a look: an in-place resize may go on, or be done. */
  resizeProgress(pod: Pod, runtime: RuntimePod): void;
  /** Static pods need an object in the API that stands for them. */
  beforeStart?(pod: Pod): void;
}

const networkRetry = 200;
const otherRetry = 10_000;

/** What a pod's worker does. upstream: pkg/kubelet/kubelet.go SyncPod, SyncTerminatingPod, SyncTerminatedPod. */
export class PodSync implements PodSyncer {
  readonly #options: PodSyncOptions;

  constructor(options: PodSyncOptions) {
    this.#options = options;
  }

  async sync(pod: Pod, signal: AbortSignal): Promise<SyncOutcome> {
    const { cache, cgroups, clock, events, objects, probes, runtime, volumes } = this.#options;
    const uid = uidOf(pod);
    this.#options.resizeProgress(pod, await cache.get(pod));
    const status = this.#look(pod, await cache.get(pod));
    if (isTerminalPhase(status.phase)) return { terminal: true };

    const problem = isHostNetwork(pod) ? '' : this.#options.networkProblem();
    if (problem) {
      events.event(pod, 'Warning', 'NetworkNotReady', `network is not ready: ${problem}`);
      throw Object.assign(new Error(`network is not ready: ${problem}`), { retryAfter: networkRetry });
    }
    objects.register(pod);
    try {
      await cgroups.ensure(pod);
    } catch (error) {
      events.event(pod, 'Warning', 'FailedCreatePodContainer', `unable to ensure pod container exists: ${(error as Error).message}`);
      throw error;
    }
    this.#options.beforeStart?.(pod);
    const mounted = await volumes.ensure(pod);
    signal.throwIfAborted();
    const pullSecrets = await this.#pullSecrets(pod);
    probes.add(pod);
    const before = new Set((await cache.get(pod)).containers.map(({ id }) => id));
    const failures = await runtime.sync({ pod, volumes: mounted, pullSecrets, signal });

    const shown = await cache.get(pod);
    this.#options.resizeProgress(pod, shown);
    const after = this.#look(pod, shown);
    if (isTerminalPhase(after.phase)) return { terminal: true };
    const waits = failures.map(({ error }) => error.retryAfter ?? otherRetry);
    // What had ended when it was first looked at ends no second time: nobody will tell, so what follows from it is done now.
    if (shown.containers.some(({ id, state }) => state === 'exited' && !before.has(id))) waits.push(0);
    const renewal = volumes.nextRenewal(uid);
    if (renewal !== undefined) waits.push(renewal - clock.now());
    const deadline = untilDeadline(pod, after.startTime, clock.now());
    if (deadline !== undefined) waits.push(deadline);
    return { terminal: false, retryAfter: waits.length ? Math.max(0, Math.min(...waits)) : undefined };
  }

  /** Makes and shows the present status. */
  #look(pod: Pod, state: RuntimePod): PodStatus {
    const { clock, statuses } = this.#options;
    const status = this.#options.makeStatus(pod, state, false);
    const started = statuses.get(uidOf(pod))?.startTime ?? pod.status?.startTime;
    const left = untilDeadline(pod, started, clock.now());
    if (left !== undefined && left <= 0 && !isTerminalPhase(status.phase)) {
      this.#options.events.event(pod, 'Normal', deadlineExceeded.reason, deadlineExceeded.message);
      Object.assign(status, { phase: 'Failed', ...deadlineExceeded });
    }
    this.#options.setStatus(pod, status);
    return { ...status, ...(started !== undefined && { startTime: started }) };
  }

  async #pullSecrets(pod: Pod): Promise<Secret[]> {
    const found: Secret[] = [];
    const missing: string[] = [];
    for (const { name } of specOf(pod).imagePullSecrets ?? []) {
      if (!name) continue;
      const secret = await this.#options.objects.secret(namespaceOf(pod), name);
      if (secret) found.push(secret);
      else missing.push(name);
    }
    if (missing.length)
      this.#options.events.event(
        pod,
        'Warning',
        'FailedToRetrieveImagePullSecret',
        `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`,
      );
    return found;
  }

  async terminate(pod: Pod, termination: Termination, signal: AbortSignal): Promise<void> {
    const { cache, events, probes, runtime } = this.#options;
    const known = this.#options.isKnown(uidOf(pod));
    const state = await cache.get(pod);
    if (known) this.#options.setStatus(pod, this.#options.makeStatus(pod, state, false));
    probes.stopLivenessAndStartup(pod);
    try {
      await runtime.kill(pod, state, { gracePeriod: termination.gracePeriod, signal });
    } catch (error) {
      if (!signal.aborted) events.event(pod, 'Warning', 'FailedKillPod', `error killing pod: ${(error as Error).message}`);
      throw error;
    }
    probes.remove(uidOf(pod));
    const stopped = await cache.refresh(pod);
    const running = stopped.containers.filter((container) => container.state === 'running').map(({ id }) => id);
    if (running.length) throw new Error(`detected running containers after a successful KillPod, CRI violation: [${running.join(' ')}]`);
    // What the pod came to is told once it may be final, at the beginning of the clean-up.
  }

  async cleanUp(pod: Pod): Promise<void> {
    const { cache, cgroups, log, objects, statuses, volumes } = this.#options;
    const uid = uidOf(pod);
    const known = this.#options.isKnown(uid);
    if (known) this.#options.setStatus(pod, this.#options.makeStatus(pod, await cache.get(pod), true));
    await volumes.tearDown(uid);
    objects.release(uid);
    // The kernel may need a moment; the next orphan clean-up tries again.
    await cgroups.remove(uid).catch((error: unknown) => log.debug('Cannot remove the cgroup of a pod yet', { pod: formatPod(pod), error }));
    if (known) statuses.terminate(pod);
  }

  async forget(pod: Pod): Promise<void> {
    const { cache, cgroups, log, runtime, simulated, statuses } = this.#options;
    const uid = uidOf(pod);
    const state = cache.peek(uid);
    if (state) await runtime.remove(state);
    if (!simulated) await rm(runtime.logDirectory(pod), { recursive: true, force: true });
    await cgroups.remove(uid).catch((error: unknown) => log.debug('Cannot remove the cgroup of a pod yet', { pod: formatPod(pod), error }));
    runtime.forget(uid);
    cache.forget(uid);
    statuses.forget(uid);
    this.#options.forgotten(pod);
  }
}
