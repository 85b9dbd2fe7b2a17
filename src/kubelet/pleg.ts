import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { ContainerEventResponse, Runtime } from '#runtime';
import { RuntimeError } from '#runtime';
import type { PodCache, PodName } from './pod-runtime/cache.ts';
import { labels } from './pod-runtime/labels.ts';
import type { RuntimePod } from './pod-runtime/runtime-pod.ts';
import { containerState, sandboxReady } from './pod-runtime/runtime-pod.ts';

export interface PlegOptions {
  runtime: Runtime;
  cache: PodCache;
  clock: Clock;
  log: Log;
  /** What the runtime shows of a pod changed; the cache has it. */
  changed(uid: string): void;
  /** The runtime has a pod that is not in the cache; it is put there before. */
  found(pod: RuntimePod): void;
  /** Whether there is anything that could change by itself. */
  busy(): boolean;
}

const relistPeriod = 1000;
/** With events a look at everything is only for what an event might have missed. */
const relistPeriodWithEvents = 300_000;
const reconnectDelay = 1000;

const signatureOf = (pod: RuntimePod): string =>
  [...pod.sandboxes.map((sandbox) => `${sandbox.id} ${sandboxReady(sandbox)}`), ...pod.containers.map(({ id, state }) => `${id} ${state}`)]
    .toSorted()
    .join('\n');

/**
 * Notices what happens in the runtime that is not our own doing: containers that end, and what others do. By the runtime's events
 * where it has them, else by looking each second while there are pods. upstream: pkg/kubelet/pleg.
 */
export class Pleg {
  readonly #options: PlegOptions;
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #relisting: Promise<void> | undefined;
  readonly #missed = new Map<string, ContainerEventResponse>();
  #events = true;
  #eventLoop: Promise<void> | undefined;
  /** The runtime answered the last look. */
  healthy = false;

  constructor(options: PlegOptions) {
    this.#options = options;
    options.cache.idle = (uid) => {
      const event = this.#missed.get(uid);
      if (event && this.#missed.delete(uid)) this.#take(event);
    };
  }

  /** Starts listening. `relist` was called before. */
  start(): void {
    this.#eventLoop = this.#listen();
    this.#schedule();
  }

  /** Looks soon: there is reason to. */
  poke(): void {
    if (this.#events) return;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#stopping.signal.aborted || this.#timer) return;
    if (!this.#events && !this.#options.busy()) return;
    this.#timer = this.#options.clock.setTimeout(
      () => {
        this.#timer = undefined;
        void this.relist().finally(() => this.#schedule());
      },
      this.#events ? relistPeriodWithEvents : relistPeriod,
    );
  }

  async #listen(): Promise<void> {
    const { runtime, clock, log } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        for await (const event of runtime.runtime.getContainerEvents({}, { signal })) this.#take(event);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof RuntimeError && error.code === 'unimplemented') {
          log.debug('The runtime has no events: it is asked each second');
          this.#events = false;
          this.#timer?.cancel();
          this.#timer = undefined;
          this.#schedule();
          return;
        }
        log.warn('The runtime ended its events', { error });
      }
      if (signal.aborted) return;
      await new Promise<void>((resolve) => {
        const timer = clock.setTimeout(resolve, reconnectDelay);
        signal.addEventListener('abort', () => (timer.cancel(), resolve()), { once: true });
      });
      if (!signal.aborted) await this.relist();
    }
  }

  #take(event: ContainerEventResponse): void {
    const { cache, log } = this.#options;
    const sandbox = event.podSandboxStatus;
    const uid = sandbox?.metadata?.uid ?? sandbox?.labels?.[labels.uid];
    if (!uid) return;
    if (cache.isBusy(uid)) {
      // The last one says everything that those before it did.
      this.#missed.set(uid, event);
      return;
    }
    const name = { uid, name: sandbox?.metadata?.name ?? '', namespace: sandbox?.metadata?.namespace ?? '' };
    const known = cache.peek(uid) !== undefined;
    const deleted = event.containerEventType === 'CONTAINER_DELETED_EVENT' ? event.containerId : undefined;
    // A pod that is gone from here needs not be told of its end.
    if (deleted !== undefined && !known) return;
    cache
      .takeEvent(name, sandbox, event.containersStatuses ?? [], deleted)
      .then((changed) => {
        // A container may end before its start has returned: what was asked then shows the end, but nobody has acted on it yet.
        if (known && (changed || event.containerEventType === 'CONTAINER_STOPPED_EVENT')) this.#options.changed(uid);
        else if (changed) this.#options.found(cache.peek(uid)!);
      })
      .catch((error: unknown) => log.warn('Cannot take in an event of the runtime', { pod: uid, error }));
  }

  async #refresh(name: PodName, known: boolean): Promise<void> {
    const state = await this.#options.cache.refresh(name);
    if (known) this.#options.changed(name.uid);
    else if (state.sandboxes.length || state.containers.length) this.#options.found(state);
  }

  /** Looks at everything, and tells what changed. One look at a time. */
  relist(): Promise<void> {
    return (this.#relisting ??= this.#relist().finally(() => (this.#relisting = undefined)));
  }

  async #relist(): Promise<void> {
    const { runtime, cache, log } = this.#options;
    const before = new Map(cache.uids().map((uid) => [uid, cache.peek(uid)]));
    try {
      const [sandboxes, containers] = await Promise.all([runtime.runtime.listPodSandbox({}), runtime.runtime.listContainers({})]);
      this.healthy = true;
      const lines = new Map<string, { name: PodName; lines: string[] }>();
      const of = (tags: Record<string, string> | undefined): string[] => {
        const uid = tags?.[labels.uid] ?? '';
        const entry = lines.get(uid) ?? {
          name: { uid, name: tags?.[labels.pod] ?? '', namespace: tags?.[labels.namespace] ?? '' },
          lines: [],
        };
        lines.set(uid, entry);
        return entry.lines;
      };
      for (const sandbox of sandboxes.items ?? [])
        of(sandbox.labels).push(`${sandbox.id} ${(sandbox.state ?? 'SANDBOX_READY') === 'SANDBOX_READY'}`);
      for (const container of containers.containers ?? []) of(container.labels).push(`${container.id} ${containerState(container.state)}`);
      lines.delete('');
      for (const [uid, { name, lines: shown }] of lines) {
        const known = before.get(uid);
        // What changed since the look began is our own doing, and known better than the look shows.
        if (known !== cache.peek(uid) || cache.isBusy(uid)) continue;
        if (known && signatureOf(known) === shown.toSorted().join('\n')) continue;
        await this.#refresh(name, known !== undefined);
      }
      for (const [uid, known] of before) {
        if (lines.has(uid) || !known || known !== cache.peek(uid) || cache.isBusy(uid)) continue;
        if (known.sandboxes.length || known.containers.length) await this.#refresh(known, true);
      }
    } catch (error) {
      this.healthy = false;
      if (!this.#stopping.signal.aborted) log.warn('Cannot ask the runtime for its pods', { error });
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    await this.#eventLoop;
    await this.#relisting;
  }
}
