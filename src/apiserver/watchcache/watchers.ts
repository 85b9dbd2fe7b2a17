/**
 * Hands a resource's events to those who watch it. Watchers of the same prefix form a group, which gathers the events of one turn of
 * the loop in one array that all of them are given: an event costs one push a group, not one a watcher.
 * Patient watchers, those behind a network, have a group of their own: where they are so many that giving costs time, it rests between
 * two deliveries and gathers meanwhile, since few big writes cost both sides far less than many small ones. What it gathered is given over
 * such a rest, a share of the watchers at a time: their readers work evenly too, and who writes meanwhile does not wait for all of them.
 * Invariant: a watcher is given every event under its prefix after the revision it began at, once, in order.
 */
import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { CacheEvent, CacheWatch } from '../contract.ts';

type Sink = (events: readonly CacheEvent[]) => boolean | void;

/**
 * After a delivery a patient group rests that many times what the delivery took, in milliseconds at least and at most so long. Measured with 200
 * watchers at 500 events a second: 20 ms take a quarter less processor time on the clients' side than 10 ms, and less on ours, for some more until an event is there.
 */
const restFactor = 10;
const leastRest = 2;
const mostRest = 20;
/** Between two shares of a delivery. Measured with the same watchers: at a twentieth of the processor time less, a tenth more events a second. */
const shareRest = 2;

interface Watcher {
  readonly sink: Sink;
  readonly ended: (() => void) | undefined;
  /** Events from the window that it has not been given yet. */
  replay: CacheEvent[] | undefined;
  /** Events of the group up to this revision are not for it: they were before its time, or in its replay. */
  after: number;
  /** What is being given to its group, until it is given to it. */
  due: readonly CacheEvent[] | undefined;
  stopped: boolean;
}

interface Group {
  readonly prefix: string;
  readonly patient: boolean;
  readonly watchers: Set<Watcher>;
  pending: CacheEvent[];
  /** Set while it is given events, a share of its watchers at a time. */
  delivery: Delivery | undefined;
  /** How long it rested last, in milliseconds. */
  rest: number;
  /** Until then it gathers; a moment of the monotonic clock. */
  restsUntil: number;
  resting: Timer | undefined;
}

interface Delivery {
  readonly events: readonly CacheEvent[];
  readonly watchers: readonly Watcher[];
  readonly shares: number;
  /** How many of the watchers have been given their events, and how long that took. */
  done: number;
  took: number;
}

const newGroup = (prefix: string, patient: boolean): Group => ({
  prefix,
  patient,
  watchers: new Set(),
  pending: [],
  delivery: undefined,
  rest: 0,
  restsUntil: 0,
  resting: undefined,
});

export class CacheWatchers {
  readonly #prompt = new Map<string, Group>();
  readonly #patient = new Map<string, Group>();
  readonly #dirty = new Set<Group>();
  readonly #prefixLength: number;
  readonly #clock: Clock;
  readonly #log: Log;
  #scheduled = false;

  constructor(prefixLength: number, clock: Clock, log: Log) {
    this.#prefixLength = prefixLength;
    this.#clock = clock;
    this.#log = log;
  }

  /** `replay`: events of the window for it; `after`: the last revision that is not for it; `revision()`: up to where the cache is. */
  add(
    prefix: string,
    patient: boolean,
    replay: CacheEvent[],
    after: number,
    revision: () => number,
    sink: Sink,
    ended: (() => void) | undefined,
  ): CacheWatch {
    const groups = patient ? this.#patient : this.#prompt;
    let group = groups.get(prefix);
    if (!group) groups.set(prefix, (group = newGroup(prefix, patient)));
    const watcher: Watcher = { sink, ended, replay: replay.length > 0 ? replay : undefined, after, due: undefined, stopped: false };
    group.watchers.add(watcher);
    const joined = group;
    if (watcher.replay) queueMicrotask(() => this.#replay(joined, watcher));
    return {
      get revision() {
        const news = (event: CacheEvent): boolean => event.revision > watcher.after;
        const waiting = watcher.replay?.[0] ?? watcher.due?.find(news) ?? joined.pending.find(news);
        return waiting ? waiting.revision - 1 : revision();
      },
      stop: () => this.#remove(joined, watcher),
    };
  }

  publish(event: CacheEvent): void {
    const { key } = event.current;
    // "/registry/pods/ns/name" is watched as "/registry/pods/", "/registry/pods/ns/" and by its own key.
    for (let slash = key.indexOf('/', this.#prefixLength - 1); slash >= 0; slash = key.indexOf('/', slash + 1))
      this.#push(key.slice(0, slash + 1), event);
    this.#push(key, event);
  }

  /** Ends every watch. */
  end(): void {
    for (const group of [...this.#prompt.values(), ...this.#patient.values()])
      for (const watcher of group.watchers) {
        this.#remove(group, watcher);
        watcher.ended?.();
      }
  }

  #push(prefix: string, event: CacheEvent): void {
    const prompt = this.#prompt.get(prefix);
    if (prompt) this.#gather(prompt, event);
    const patient = this.#patient.get(prefix);
    if (patient) this.#gather(patient, event);
  }

  #gather(group: Group, event: CacheEvent): void {
    // Where there are others, it is known already when they are given.
    if (group.pending.push(event) === 1 && !group.delivery) this.#plan(group);
  }

  /** Something is pending: sees to it that it is given when the group has rested. */
  #plan(group: Group): void {
    const rest = group.restsUntil > 0 ? group.restsUntil - this.#clock.monotonic() : 0;
    if (rest > 0) {
      this.#rest(group, rest, () => this.#deliver(group, true));
      return;
    }
    this.#dirty.add(group);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const dirty of this.#dirty) {
        this.#dirty.delete(dirty);
        this.#deliver(dirty, false);
      }
    });
  }

  #rest(group: Group, milliseconds: number, then: () => void): void {
    group.resting = this.#clock.setTimeout(() => {
      group.resting = undefined;
      then();
    }, milliseconds);
  }

  #deliver(group: Group, spread: boolean): void {
    const events = group.pending;
    group.pending = [];
    const watchers = [...group.watchers];
    const shares = spread ? Math.max(1, Math.min(Math.floor(group.rest / shareRest), watchers.length)) : 1;
    if (shares > 1) for (const watcher of watchers) watcher.due = events;
    group.delivery = { events, watchers, shares, done: 0, took: 0 };
    this.#share(group, group.delivery);
  }

  /** Gives one share of the watchers their events, and sees to the next. */
  #share(group: Group, delivery: Delivery): void {
    const { events, watchers, shares } = delivery;
    const first = events[0]!.revision;
    const last = events.at(-1)!.revision;
    const began = group.patient ? this.#clock.monotonic() : 0;
    for (const end = delivery.done + Math.ceil(watchers.length / shares); delivery.done < end; delivery.done++) {
      const watcher = watchers[delivery.done];
      if (!watcher) break;
      watcher.due = undefined;
      if (watcher.stopped || last <= watcher.after) continue;
      const own = first > watcher.after ? events : events.filter((event) => event.revision > watcher.after);
      this.#give(group, watcher, own);
    }
    if (!group.patient) {
      group.delivery = undefined;
      return;
    }
    const now = this.#clock.monotonic();
    delivery.took += now - began;
    if (delivery.done < watchers.length) {
      if (group.watchers.size > 0) this.#rest(group, shareRest, () => this.#share(group, delivery));
      return;
    }
    group.delivery = undefined;
    const rest = Math.min(delivery.took * restFactor, mostRest);
    group.rest = rest < leastRest ? 0 : rest;
    // Where it was spread, each of its watchers has had its rest already when its turn comes again.
    group.restsUntil = group.rest > 0 ? now + (shares > 1 ? shareRest : group.rest) : 0;
    if (group.pending.length > 0) this.#plan(group);
  }

  #replay(group: Group, watcher: Watcher): void {
    const { replay } = watcher;
    watcher.replay = undefined;
    if (replay && !watcher.stopped) this.#give(group, watcher, replay);
  }

  #give(group: Group, watcher: Watcher, events: readonly CacheEvent[]): void {
    try {
      if (watcher.sink(events) === false) this.#remove(group, watcher);
    } catch (error) {
      this.#log.error('Watcher failed and is cut', { key: group.prefix, error });
      this.#remove(group, watcher);
      watcher.ended?.();
    }
  }

  #remove(group: Group, watcher: Watcher): void {
    watcher.stopped = true;
    watcher.replay = undefined;
    group.watchers.delete(watcher);
    if (group.watchers.size > 0) return;
    group.resting?.cancel();
    const groups = group.patient ? this.#patient : this.#prompt;
    if (groups.get(group.prefix) === group) groups.delete(group.prefix);
  }
}
