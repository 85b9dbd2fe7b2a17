import type { Container, ContainerStatus, Pod, PodStatus, Probe } from '#api';
import type { EventRecorder } from '#client';
import type { Clock, Random, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { Runtime } from '#runtime';
import type { ProbeResult } from '../pod-runtime/actions.ts';
import { fromMetaTime } from '../meta-time.ts';
import { fieldPathOf, formatPod, isDeleted, isTerminalPhase } from '../pod-spec.ts';
import { runProbe } from './probe.ts';
import type { ProbeResults } from './results.ts';

export type ProbeType = 'startup' | 'liveness' | 'readiness';

const titles: Record<ProbeType, string> = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' };
const initial: Record<ProbeType, ProbeResult> = { startup: 'unknown', liveness: 'success', readiness: 'failure' };
const attempts = 3;
/**
 * How long after its start a container may be asked often without failures counting. Upstream learns of a started container up to a
 * second late and only then asks; we know at once, so a server that needs a moment must not wait a whole period for its next chance.
 */
const eagerSpan = 1000;
const eagerSteps = [25, 50, 100, 200, 400];

export interface WorkerDependencies {
  runtime: Runtime;
  clock: Clock;
  random: Random;
  log: Log;
  events: EventRecorder;
  results: ProbeResults;
  /** When the kubelet started, in milliseconds since 1970. */
  startedAt: number;
  simulated?: boolean;
}

/** One probe of one container: a timer that runs only while the container does. upstream: pkg/kubelet/prober/worker.go. */
export class ProbeWorker {
  readonly type: ProbeType;
  readonly #deps: WorkerDependencies;
  readonly #probe: Probe;
  #pod: Pod;
  #container: Container;
  #status: ContainerStatus | undefined;
  #podIp = '';
  #containerId = '';
  #onHold = false;
  #lastResult: ProbeResult | undefined;
  #resultRun = 0;
  #timer: Timer | undefined;
  #abort: AbortController | undefined;
  #eagerUntil = 0;
  #eagerStep = 0;
  #stopped = false;

  constructor(type: ProbeType, pod: Pod, container: Container, probe: Probe, deps: WorkerDependencies) {
    this.type = type;
    this.#pod = pod;
    this.#container = container;
    this.#probe = probe;
    this.#deps = deps;
  }

  /** Takes in what the pod's status now says. */
  observe(pod: Pod, status: PodStatus): void {
    if (this.#stopped) return;
    this.#pod = pod;
    this.#podIp = status.podIP ?? '';
    if (isTerminalPhase(status.phase)) return this.stop();
    const name = this.#container.name;
    const container =
      status.containerStatuses?.find((item) => item.name === name) ?? status.initContainerStatuses?.find((item) => item.name === name);
    if (!container?.containerID) return;
    this.#status = container;
    const id = container.containerID.replace(/^.*:\/\//, '');
    const { results, clock, random, startedAt } = this.#deps;
    const running = container.state?.running;
    if (id !== this.#containerId) {
      this.#rest();
      if (this.#containerId) results.remove(this.#containerId, this.type);
      this.#containerId = id;
      this.#onHold = false;
      this.#lastResult = undefined;
      this.#resultRun = 0;
      this.#eagerStep = 0;
      const since = fromMetaTime(running?.startedAt);
      const adopted = running !== undefined && since < Math.floor(startedAt / 1000) * 1000;
      if (!adopted) results.set(id, this.type, initial[this.type]);
      this.#eagerUntil = adopted ? 0 : clock.now() + eagerSpan;
      if (adopted && this.#due()) {
        // After a restart of the kubelet the probes of all pods must not fall on one moment.
        this.#schedule(random.next() * this.#period());
        return;
      }
    }
    if (!running) {
      this.#rest();
      // One that was only created has not failed anything yet.
      if (container.state?.terminated) results.set(id, this.type, 'failure');
      return;
    }
    if (isDeleted(pod) && this.type !== 'readiness') {
      results.set(id, this.type, 'success');
      return this.stop();
    }
    if (!this.#due()) return this.#rest();
    if (this.#timer || this.#abort) return;
    const wait = fromMetaTime(running.startedAt) + (this.#probe.initialDelaySeconds ?? 0) * 1000 - clock.now();
    if (wait > 0) this.#eagerUntil = clock.now() + wait + eagerSpan;
    this.#schedule(Math.max(0, wait) + (this.type === 'liveness' ? Math.min(eagerSpan, this.#period()) : 0));
  }

  #period(): number {
    return (this.#probe.periodSeconds || 10) * 1000;
  }

  /** Whether this probe has its turn: startup until the container has started, the others from then on. */
  #due(): boolean {
    return !this.#onHold && (this.#status?.started === true) !== (this.type === 'startup');
  }

  #schedule(delay: number): void {
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.setTimeout(() => {
      this.#timer = undefined;
      void this.#run();
    }, delay);
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#abort?.abort();
    this.#abort = undefined;
  }

  async #run(): Promise<void> {
    const { clock, runtime, log, simulated = false } = this.#deps;
    const begun = clock.now();
    const abort = (this.#abort = new AbortController());
    const target = { container: this.#container, containerId: this.#containerId, podIp: this.#podIp };
    let answer: Awaited<ReturnType<typeof runProbe>> | undefined;
    let problem: unknown;
    for (let attempt = 0; attempt < attempts && !answer && !abort.signal.aborted; attempt++)
      try {
        answer = await runProbe(this.#probe, target, { runtime, clock, signal: abort.signal, simulated });
      } catch (error) {
        problem = error;
      }
    if (abort.signal.aborted || this.#abort !== abort) return;
    this.#abort = undefined;
    const eager = this.type !== 'liveness' && begun < this.#eagerUntil && answer?.outcome !== 'success' && answer?.outcome !== 'warning';
    if (eager) {
      const step = eagerSteps[Math.min(this.#eagerStep++, eagerSteps.length - 1)]!;
      return this.#schedule(Math.min(step, Math.max(0, this.#eagerUntil - clock.now())));
    }
    if (!answer) {
      log.debug('Probe errored', { pod: formatPod(this.#pod), container: this.#container.name, error: problem });
      this.#event('Unhealthy', `${titles[this.type]} probe errored and resulted in unknown state: ${(problem as Error).message}`);
    } else {
      if (answer.outcome === 'warning') this.#event('ProbeWarning', `${titles[this.type]} probe warning: ${answer.output}`);
      if (answer.outcome === 'failure') this.#event('Unhealthy', `${titles[this.type]} probe failed: ${answer.output}`);
      this.#count(answer.outcome === 'failure' ? 'failure' : 'success');
    }
    if (!this.#stopped && this.#due()) this.#schedule(Math.max(0, begun + this.#period() - clock.now()));
  }

  #event(reason: string, message: string): void {
    this.#deps.events.event(this.#pod, 'Warning', reason, message, fieldPathOf(this.#pod, this.#container.name));
  }

  #count(result: ProbeResult): void {
    this.#resultRun = this.#lastResult === result ? this.#resultRun + 1 : 1;
    this.#lastResult = result;
    const threshold = (result === 'failure' ? this.#probe.failureThreshold || 3 : this.#probe.successThreshold || 1) ?? 1;
    if (this.#resultRun < threshold) return;
    if ((this.type === 'liveness' && result === 'failure') || this.type === 'startup') {
      // The container is restarted, or has started: no more of this until another one is there.
      this.#onHold = true;
      this.#resultRun = 0;
    }
    this.#deps.results.set(this.#containerId, this.type, result);
  }

  stop(): void {
    this.#stopped = true;
    this.#rest();
  }

  /** Forgets the container's result too. */
  dispose(): void {
    this.stop();
    if (this.#containerId) this.#deps.results.remove(this.#containerId, this.type);
  }
}
