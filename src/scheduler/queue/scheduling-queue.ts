/**
 * Where pods wait. upstream: pkg/scheduler/backend/queue.
 *   active         to be scheduled now, in the order of the profile's less()
 *   back-off       would be active, but failed a moment ago; ordered by the end of the wait. Taken early when active is empty
 *   unschedulable  until an event that one of the rejecting plugins registered for, and whose hint says 'queue'; or five minutes
 * Invariant: a pod is in at most one of them; one being scheduled is in none (it is "in flight").
 */
import type { Pod } from '#api';
import type { Clock, Timer } from '#machinery/clock';
import { PodInfo } from '../cache/pod-info.ts';
import type { ClusterEvent, EventRegistration, QueuedPod, Status } from '../contract.ts';
import { action, podChanges, wildcard } from '../framework/events.ts';
import { Heap } from './heap.ts';
import { Nominator } from './nominator.ts';

export interface QueueOptions {
  clock: Clock;
  less(a: QueuedPod, b: QueuedPod): boolean;
  /** The first preEnqueue answer of the pod's profile that is not success. */
  preEnqueue(pod: Pod): Status | undefined;
  /** What a plugin of the pod's profile registered for; undefined: every event. */
  registrations(pod: Pod, plugin: string): readonly EventRegistration[] | undefined;
  /** Called when the active queue may have become non-empty. */
  wake(): void;
  /** Milliseconds. */
  initialBackoff?: number;
  maxBackoff?: number;
  unschedulableTimeout?: number;
}

const uidOf = (pod: Pod): string => pod.metadata?.uid ?? `${pod.metadata?.namespace}/${pod.metadata?.name}`;
const keyOf = (queued: QueuedPod): string => queued.info.uid;

export class SchedulingQueue {
  readonly nominator = new Nominator();
  readonly #options: Required<QueueOptions>;
  readonly #active: Heap<QueuedPod>;
  readonly #backoff: Heap<QueuedPod>;
  readonly #unschedulable = new Map<string, QueuedPod>();
  /** Pods taken out and not decided on yet, with what happened since: their events must not be lost. */
  readonly #inFlight = new Map<string, { events: { event: ClusterEvent; old: unknown; now: unknown }[]; updated?: Pod }>();
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #closed = false;

  constructor(options: QueueOptions) {
    this.#options = { initialBackoff: 1000, maxBackoff: 10_000, unschedulableTimeout: 5 * 60_000, ...options };
    this.#active = new Heap(keyOf, (a, b) => this.#options.less(a, b));
    this.#backoff = new Heap(keyOf, (a, b) => this.#backoffEnd(a) < this.#backoffEnd(b));
  }

  get lengths(): { active: number; backoff: number; unschedulable: number } {
    return { active: this.#active.size, backoff: this.#backoff.size, unschedulable: this.#unschedulable.size };
  }

  add(pod: Pod): void {
    const now = this.#options.clock.now();
    const info = new PodInfo(pod);
    this.nominator.add(info, pod.status?.nominatedNodeName ?? '');
    this.#toActive({
      info,
      timestamp: now,
      initialTimestamp: now,
      attempts: 0,
      unschedulableCount: 0,
      errorCount: 0,
      unschedulablePlugins: new Set(),
    });
  }

  update(old: Pod, pod: Pod): void {
    const uid = uidOf(pod);
    const flight = this.#inFlight.get(uid);
    if (flight) {
      flight.updated = pod;
      const actions = podChanges(old, pod);
      if (actions) this.#remember(flight, { resource: 'Pod', actions }, old, pod);
      return;
    }
    const waiting = this.#active.get(uid) ?? this.#backoff.get(uid) ?? this.#unschedulable.get(uid);
    if (!waiting) return this.add(pod);
    const info = new PodInfo(pod);
    const nominated = pod.status?.nominatedNodeName ?? '';
    // A nomination made a moment ago may not have come back through the API yet.
    if (nominated || old.status?.nominatedNodeName) this.nominator.add(info, nominated);
    else if (this.nominator.nodeOf(uid)) this.nominator.add(info, this.nominator.nodeOf(uid)!);
    const next: QueuedPod = { ...waiting, info };
    if (this.#active.get(uid)) return this.#active.push(next);
    if (this.#backoff.get(uid)) return this.#backoff.push(next);
    this.#unschedulable.set(uid, next);
    const actions = podChanges(old, pod);
    if (next.gatedBy) {
      if (actions & (action.podGatesEliminated | action.podLabel | action.podToleration)) {
        this.#unschedulable.delete(uid);
        next.timestamp = this.#options.clock.now();
        this.#toActive(next);
      }
      return;
    }
    if (actions && this.#worth(next, { resource: 'Pod', actions }, old, pod)) {
      this.#unschedulable.delete(uid);
      this.#requeue(next);
    }
  }

  delete(pod: Pod): void {
    const uid = uidOf(pod);
    this.nominator.delete(uid);
    this.#active.delete(uid);
    this.#backoff.delete(uid);
    this.#unschedulable.delete(uid);
    this.#inFlight.delete(uid);
  }

  /** The next pod; it is in flight until `done` or `addUnschedulable`. Undefined when none waits. */
  pop(): QueuedPod | undefined {
    const queued = this.#active.pop() ?? this.#popBackoff();
    if (!queued) return undefined;
    queued.attempts++;
    this.#inFlight.set(queued.info.uid, { events: [] });
    return queued;
  }

  /** The pod needs the queue no longer (it is about to be bound, or gone). */
  done(uid: string): void {
    this.#inFlight.delete(uid);
  }

  /** Brings back a pod that could not be scheduled: to the unschedulable ones, or to back-off if something relevant happened meanwhile or something broke. */
  addUnschedulable(queued: QueuedPod, rejected: boolean): void {
    const { uid } = queued.info;
    const flight = this.#inFlight.get(uid);
    this.#inFlight.delete(uid);
    if (this.#closed) return;
    if (this.#active.get(uid) ?? this.#backoff.get(uid) ?? this.#unschedulable.get(uid)) return;
    queued.timestamp = this.#options.clock.now();
    if (flight?.updated) queued.info = new PodInfo(flight.updated);
    if (rejected) {
      queued.unschedulableCount++;
      queued.errorCount = 0;
    } else queued.errorCount++;
    const missed = flight?.events.some(({ event, old, now }) => this.#worth(queued, event, old, now)) ?? false;
    if (!rejected || queued.unschedulablePlugins.size === 0 || missed) this.#toBackoff(queued);
    else {
      this.#unschedulable.set(uid, queued);
      this.#arm();
    }
  }

  /** Something changed: moves the pods it may help. `check` leaves pods out. */
  move(event: ClusterEvent, old: unknown, now: unknown, check?: (pod: Pod) => boolean): void {
    for (const flight of this.#inFlight.values()) this.#remember(flight, event, old, now);
    // A pod whose gate stays shut comes back at the map's end: each is asked once.
    let left = this.#unschedulable.size;
    if (left === 0) return;
    for (const [uid, queued] of this.#unschedulable) {
      if (left-- === 0) return;
      if (check && !check(queued.info.pod)) continue;
      if (queued.gatedBy ? !this.#gateMayOpen(queued, event, old, now) : !this.#worth(queued, event, old, now)) continue;
      this.#unschedulable.delete(uid);
      this.#requeue(queued);
    }
  }

  /** To the active queue at once, whatever they wait for. */
  activate(pods: readonly Pod[]): void {
    for (const pod of pods) {
      const uid = uidOf(pod);
      const queued = this.#unschedulable.get(uid) ?? this.#backoff.delete(uid);
      if (!queued) continue;
      this.#unschedulable.delete(uid);
      this.#toActive(queued);
    }
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #remember(
    flight: { events: { event: ClusterEvent; old: unknown; now: unknown }[] },
    event: ClusterEvent,
    old: unknown,
    now: unknown,
  ): void {
    flight.events.push({ event, old, now });
  }

  #worth(queued: QueuedPod, event: ClusterEvent, old: unknown, now: unknown): boolean {
    if (event === wildcard) return true;
    for (const plugin of queued.unschedulablePlugins) if (this.#helps(plugin, queued.info.pod, event, old, now)) return true;
    return false;
  }

  #helps(plugin: string, pod: Pod, event: ClusterEvent, old: unknown, now: unknown): boolean {
    const registrations = this.#options.registrations(pod, plugin);
    if (!registrations) return true;
    for (const { event: wanted, hint } of registrations) {
      if (wanted.resource !== '*' && wanted.resource !== event.resource) continue;
      if ((wanted.actions & event.actions) === 0) continue;
      if (!hint || hint(pod, old, now) === 'queue') return true;
    }
    return false;
  }

  #gateMayOpen(queued: QueuedPod, event: ClusterEvent, old: unknown, now: unknown): boolean {
    return this.#helps(queued.gatedBy!, queued.info.pod, event, old, now) || this.#worth(queued, event, old, now);
  }

  #requeue(queued: QueuedPod): void {
    if (this.#backoffEnd(queued) > this.#options.clock.now()) this.#toBackoff(queued);
    else this.#toActive(queued);
  }

  #toActive(queued: QueuedPod): void {
    const gate = this.#options.preEnqueue(queued.info.pod);
    if (gate) {
      queued.gatedBy = gate.plugin ?? '';
      this.#unschedulable.set(queued.info.uid, queued);
      return;
    }
    delete queued.gatedBy;
    this.#active.push(queued);
    this.#options.wake();
  }

  #toBackoff(queued: QueuedPod): void {
    const gate = this.#options.preEnqueue(queued.info.pod);
    if (gate) {
      queued.gatedBy = gate.plugin ?? '';
      this.#unschedulable.set(queued.info.uid, queued);
      return;
    }
    delete queued.gatedBy;
    this.#backoff.push(queued);
    this.#arm();
    // With nothing else to do, a pod that was moved by an event need not sit out its back-off.
    if (queued.errorCount === 0 && this.#active.size === 0) this.#options.wake();
  }

  /** A waiting pod may go early when nothing is active, unless something broke: then the wait protects the API server. */
  #popBackoff(): QueuedPod | undefined {
    const first = this.#backoff.peek();
    if (!first || first.errorCount > 0) return undefined;
    return this.#backoff.pop();
  }

  #backoffEnd(queued: QueuedPod): number {
    const failures = queued.errorCount || queued.unschedulableCount;
    if (failures === 0) return queued.timestamp;
    return queued.timestamp + Math.min(this.#options.maxBackoff, this.#options.initialBackoff * 2 ** (failures - 1));
  }

  /** One timer, for whatever ends first: a back-off or a stay of five minutes. */
  #arm(): void {
    if (this.#closed) return;
    const first = this.#backoff.peek();
    let at = first ? this.#backoffEnd(first) : Infinity;
    for (const queued of this.#unschedulable.values())
      if (!queued.gatedBy) {
        // In insertion order, so the first is about the oldest.
        at = Math.min(at, queued.timestamp + this.#options.unschedulableTimeout);
        break;
      }
    if (at === this.#timerAt) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = at;
    if (at === Infinity) return;
    this.#timer = this.#options.clock.setTimeout(
      () => {
        this.#timerAt = Infinity;
        this.#timer = undefined;
        this.#flush();
      },
      Math.max(0, at - this.#options.clock.now()),
    );
  }

  #flush(): void {
    const now = this.#options.clock.now();
    for (let first = this.#backoff.peek(); first && this.#backoffEnd(first) <= now; first = this.#backoff.peek()) {
      this.#backoff.pop();
      this.#toActive(first);
    }
    let left = this.#unschedulable.size;
    for (const [uid, queued] of this.#unschedulable) {
      if (left-- === 0) break;
      if (queued.gatedBy || queued.timestamp + this.#options.unschedulableTimeout > now) continue;
      this.#unschedulable.delete(uid);
      this.#requeue(queued);
    }
    this.#arm();
  }
}
