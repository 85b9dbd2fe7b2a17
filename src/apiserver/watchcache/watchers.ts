/**
 * Hands a resource's events to those who watch it. Watchers of the same prefix form a group, which gathers the events of one turn of
 * the loop in one array that all of them are given: an event costs one push a group, not one a watcher.
 * Invariant: a watcher is given every event under its prefix after the revision it began at, once, in order.
 */
import type { Log } from '#machinery/log';
import type { CacheEvent, CacheWatch } from '../contract.ts';

type Sink = (events: readonly CacheEvent[]) => boolean | void;

interface Watcher {
  readonly prefix: string;
  readonly sink: Sink;
  readonly ended: (() => void) | undefined;
  /** Events from the window that it has not been given yet. */
  replay: CacheEvent[] | undefined;
  /** Events of the group up to this revision are not for it: they were before its time, or in its replay. */
  after: number;
  stopped: boolean;
}

interface Group {
  readonly watchers: Set<Watcher>;
  pending: CacheEvent[];
}

export class CacheWatchers {
  readonly #groups = new Map<string, Group>();
  readonly #dirty = new Set<Group>();
  readonly #prefixLength: number;
  readonly #log: Log;
  #scheduled = false;

  constructor(prefixLength: number, log: Log) {
    this.#prefixLength = prefixLength;
    this.#log = log;
  }

  get size(): number {
    let count = 0;
    for (const group of this.#groups.values()) count += group.watchers.size;
    return count;
  }

  /** `replay`: events of the window for it; `after`: the last revision that is not for it; `revision()`: up to where the cache is. */
  add(
    prefix: string,
    replay: CacheEvent[],
    after: number,
    revision: () => number,
    sink: Sink,
    ended: (() => void) | undefined,
  ): CacheWatch {
    let group = this.#groups.get(prefix);
    if (!group) this.#groups.set(prefix, (group = { watchers: new Set(), pending: [] }));
    const watcher: Watcher = { prefix, sink, ended, replay: replay.length > 0 ? replay : undefined, after, stopped: false };
    group.watchers.add(watcher);
    const joined = group;
    if (watcher.replay) queueMicrotask(() => this.#replay(joined, watcher));
    return {
      get revision() {
        const waiting = watcher.replay?.[0] ?? joined.pending.find((event) => event.revision > watcher.after);
        return waiting ? waiting.revision - 1 : revision();
      },
      stop: () => this.#remove(joined, watcher),
    };
  }

  publish(event: CacheEvent): void {
    const { key } = event.current;
    // "/registry/pods/ns/name" is watched as "/registry/pods/", "/registry/pods/ns/" and by its own key.
    for (let slash = key.indexOf('/', this.#prefixLength - 1); slash >= 0; slash = key.indexOf('/', slash + 1))
      this.#push(this.#groups.get(key.slice(0, slash + 1)), event);
    this.#push(this.#groups.get(key), event);
  }

  /** Ends every watch. */
  end(): void {
    for (const group of this.#groups.values())
      for (const watcher of group.watchers) {
        this.#remove(group, watcher);
        watcher.ended?.();
      }
  }

  #push(group: Group | undefined, event: CacheEvent): void {
    if (!group) return;
    group.pending.push(event);
    this.#dirty.add(group);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    for (const group of this.#dirty) {
      this.#dirty.delete(group);
      const events = group.pending;
      group.pending = [];
      const last = events.at(-1)!.revision;
      const first = events[0]!.revision;
      for (const watcher of group.watchers) {
        if (watcher.stopped || last <= watcher.after) continue;
        const own = first > watcher.after ? events : events.filter((event) => event.revision > watcher.after);
        this.#give(group, watcher, own);
      }
    }
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
      this.#log.error('Watcher failed and is cut', { key: watcher.prefix, error });
      this.#remove(group, watcher);
      watcher.ended?.();
    }
  }

  #remove(group: Group, watcher: Watcher): void {
    watcher.stopped = true;
    watcher.replay = undefined;
    group.watchers.delete(watcher);
    if (group.watchers.size === 0 && this.#groups.get(watcher.prefix) === group) this.#groups.delete(watcher.prefix);
  }
}
