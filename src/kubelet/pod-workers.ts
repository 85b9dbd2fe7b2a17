import type { Pod } from '#api';
import type { Clock, Random, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { formatPod, isDeleted, isTerminalPhase, specOf, uidOf } from './pod-spec.ts';

/** What a pod's worker is told to do at the end of its life. */
export interface Termination {
  /** Seconds the containers get. */
  gracePeriod: number;
  /** Set where the node ends the pod: what its status shall say. */
  evict?: { reason: string; message: string; disruption?: boolean } | undefined;
}

export interface SyncOutcome {
  /** The pod has run to its end. */
  terminal: boolean;
  /** Look again after so many milliseconds though nothing changed. */
  retryAfter?: number | undefined;
}

/** The work itself. Each is called for one pod at a time, and again after a failure. */
export interface PodSyncer {
  sync(pod: Pod, signal: AbortSignal): Promise<SyncOutcome>;
  /** Ends the containers. Aborted when a shorter grace period comes. */
  terminate(pod: Pod, termination: Termination, signal: AbortSignal): Promise<void>;
  /** Takes down what the pod had on the node. */
  cleanUp(pod: Pod): Promise<void>;
  /** The pod is gone from the node, and from the API: nothing of it need be remembered. */
  forget(pod: Pod): Promise<void>;
}

export type WorkerPhase = 'syncing' | 'terminating' | 'terminated' | 'finished';

interface Worker {
  pod: Pod;
  phase: WorkerPhase;
  dirty: boolean;
  running: boolean;
  /** The API no longer has it. */
  removed: boolean;
  termination?: Termination;
  abort: AbortController;
  retry?: Timer;
  failures: number;
}

/** An error that says when trying again makes sense. */
interface Retryable {
  retryAfter?: number;
}

const backOffPeriod = 10_000;
const minimumGracePeriod = 1;

/**
 * One worker a pod: syncing → terminating → terminated → finished, never back. A worker does one thing at a time and looks again
 * when it was woken meanwhile, so events may come in any number and order. upstream: pkg/kubelet/pod_workers.go.
 */
export class PodWorkers {
  readonly #syncer: PodSyncer;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #workers = new Map<string, Worker>();
  readonly #active = new Set<Promise<void>>();
  #stopped = false;

  constructor(syncer: PodSyncer, { clock, random, log }: { clock: Clock; random: Random; log: Log }) {
    this.#syncer = syncer;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
  }

  phase(uid: string): WorkerPhase | undefined {
    return this.#workers.get(uid)?.phase;
  }

  pod(uid: string): Pod | undefined {
    return this.#workers.get(uid)?.pod;
  }

  /** Pods whose containers run, or may still. */
  couldHaveRunningContainers(uid: string): boolean {
    const phase = this.phase(uid);
    return phase === 'syncing' || phase === 'terminating';
  }

  isTerminating(uid: string): boolean {
    const worker = this.#workers.get(uid);
    return worker !== undefined && (worker.phase !== 'syncing' || worker.termination !== undefined);
  }

  /** How the pod is to end, once that is decided. */
  termination(uid: string): Termination | undefined {
    return this.#workers.get(uid)?.termination;
  }

  /** Pods that are not over. */
  active(): Pod[] {
    return [...this.#workers.values()].filter(({ phase }) => phase !== 'finished').map(({ pod }) => pod);
  }

  /** Pods whose containers run, or may: they have their share of the node. upstream: kubelet_pods.go filterOutInactivePods. */
  holding(): Pod[] {
    return [...this.#workers.values()].filter(({ phase }) => phase === 'syncing' || phase === 'terminating').map(({ pod }) => pod);
  }

  /** Whether any pod is not over. */
  busy(): boolean {
    for (const { phase } of this.#workers.values()) if (phase !== 'finished') return true;
    return false;
  }

  /** A pod that was refused: it is over before it began. */
  reject(pod: Pod): void {
    this.#workers.set(uidOf(pod), this.#make(pod, 'finished'));
  }

  #make(pod: Pod, phase: WorkerPhase): Worker {
    return { pod, phase, dirty: false, running: false, removed: false, abort: new AbortController(), failures: 0 };
  }

  /** Takes in a new state of the pod. */
  update(pod: Pod): void {
    const uid = uidOf(pod);
    let worker = this.#workers.get(uid);
    if (!worker) {
      worker = this.#make(pod, isTerminalPhase(pod.status?.phase) ? 'terminating' : 'syncing');
      this.#workers.set(uid, worker);
    }
    worker.pod = pod;
    if (isDeleted(pod)) this.#end(worker, {});
    this.wake(uid);
  }

  /** The API no longer has the pod. */
  remove(pod: Pod): void {
    const uid = uidOf(pod);
    const worker = this.#workers.get(uid);
    if (!worker) return;
    worker.removed = true;
    worker.pod = pod;
    this.#end(worker, {});
    this.wake(uid);
  }

  /** Ends a pod though nobody deleted it. */
  terminate(uid: string, termination: Partial<Termination>): void {
    const worker = this.#workers.get(uid);
    if (!worker) return;
    this.#end(worker, termination);
    this.wake(uid);
  }

  /** A pod that only the runtime knows: it is ended and taken down. */
  terminateUnknown(pod: Pod, gracePeriod: number): void {
    if (this.#workers.has(uidOf(pod))) return;
    const worker = this.#make(pod, 'terminating');
    worker.removed = true;
    worker.termination = { gracePeriod };
    this.#workers.set(uidOf(pod), worker);
    this.wake(uidOf(pod));
  }

  #end(worker: Worker, { gracePeriod, evict }: Partial<Termination>): void {
    if (worker.phase === 'terminated' || worker.phase === 'finished') return;
    const { pod } = worker;
    const deletion = pod.metadata?.deletionGracePeriodSeconds;
    const bounds = [gracePeriod, worker.termination?.gracePeriod, deletion].filter((seconds) => seconds !== undefined);
    const seconds = Math.max(minimumGracePeriod, bounds.length ? Math.min(...bounds) : (specOf(pod).terminationGracePeriodSeconds ?? 30));
    const before = worker.termination;
    worker.termination = { gracePeriod: seconds, evict: before?.evict ?? evict };
    if (worker.phase === 'syncing' ? !before : before !== undefined && seconds < before.gracePeriod) {
      // What goes on is not wanted any more: a pull, a hook, or waiting for a longer period to pass.
      worker.abort.abort();
      worker.failures = 0;
    }
  }

  wake(uid: string): void {
    const worker = this.#workers.get(uid);
    if (!worker || this.#stopped) return;
    worker.dirty = true;
    worker.retry?.cancel();
    delete worker.retry;
    if (worker.running) return;
    worker.running = true;
    const run = this.#run(uid, worker).finally(() => {
      worker.running = false;
      this.#active.delete(run);
      if (worker.dirty && !this.#stopped && this.#workers.get(uid) === worker) this.wake(uid);
    });
    this.#active.add(run);
  }

  async #run(uid: string, worker: Worker): Promise<void> {
    // What changes in one turn of the loop is one look.
    await Promise.resolve();
    while (worker.dirty && !this.#stopped) {
      worker.dirty = false;
      if (worker.abort.signal.aborted) worker.abort = new AbortController();
      const { signal } = worker.abort;
      try {
        const retryAfter = await this.#step(uid, worker, signal);
        worker.failures = 0;
        if (retryAfter !== undefined) this.#retry(uid, worker, retryAfter);
      } catch (error) {
        if (signal.aborted) {
          worker.dirty = true;
          continue;
        }
        if (this.#stopped) return;
        const wished = (error as Retryable).retryAfter;
        const delay = wished ?? Math.min(backOffPeriod, 1000 * 2 ** worker.failures++) * (1 + this.#random.next() / 2);
        this.#log.debug('Error syncing pod, will try again', { pod: formatPod(worker.pod), phase: worker.phase, delay, error });
        this.#retry(uid, worker, delay);
      }
    }
  }

  #retry(uid: string, worker: Worker, delay: number): void {
    if (worker.dirty || this.#stopped) return;
    worker.retry?.cancel();
    worker.retry = this.#clock.setTimeout(() => {
      delete worker.retry;
      this.wake(uid);
    }, delay);
  }

  async #step(uid: string, worker: Worker, signal: AbortSignal): Promise<number | undefined> {
    switch (worker.phase) {
      case 'syncing': {
        if (worker.termination) {
          worker.phase = 'terminating';
          worker.dirty = true;
          return undefined;
        }
        const { terminal, retryAfter } = await this.#syncer.sync(worker.pod, signal);
        if (!terminal) return retryAfter;
        worker.phase = 'terminating';
        worker.dirty = true;
        return undefined;
      }
      case 'terminating': {
        const seconds = Math.max(minimumGracePeriod, specOf(worker.pod).terminationGracePeriodSeconds ?? 30);
        await this.#syncer.terminate(worker.pod, (worker.termination ??= { gracePeriod: seconds }), signal);
        worker.phase = 'terminated';
        worker.dirty = true;
        return undefined;
      }
      case 'terminated':
        await this.#syncer.cleanUp(worker.pod);
        worker.phase = 'finished';
        worker.dirty = worker.removed;
        return undefined;
      default:
        if (!worker.removed) return undefined;
        await this.#syncer.forget(worker.pod);
        this.#workers.delete(uid);
        return undefined;
    }
  }

  /** Resolves when no worker works any more. Pods are left as they are. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const worker of this.#workers.values()) {
      worker.retry?.cancel();
      worker.abort.abort();
    }
    await Promise.all(this.#active);
  }
}
