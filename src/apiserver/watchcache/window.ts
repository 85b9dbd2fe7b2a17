/**
 * The latest events of one resource, for watches that resume. upstream: apiserver/pkg/storage/cacher/watch_cache.go (a ring whose
 * size follows the load, so that it holds 75 seconds: one bookmark period and some).
 * Invariant: every event after `start` is here, in order. Of all but the newest, `layOff` has been told.
 */
import type { CacheEvent } from '../contract.ts';

export interface WindowLimits {
  /** Events are kept at least this long, in milliseconds, unless there are more than `most`. */
  fresh: number;
  /** So many are kept however old. */
  least: number;
  /** So many are kept as they came; what older ones hold is laid off. */
  ready: number;
  most: number;
}

export class EventWindow {
  readonly #limits: WindowLimits;
  #events: CacheEvent[] = [];
  #times: number[] = [];
  #first = 0;
  /** The first that is kept as it came. */
  #ready = 0;
  readonly #layOff: (event: CacheEvent) => void;
  /** Events up to this revision are not here. */
  start: number;

  constructor(start: number, limits: WindowLimits, layOff: (event: CacheEvent) => void = () => undefined) {
    this.start = start;
    this.#layOff = layOff;
    this.#limits = limits;
  }

  push(event: CacheEvent, now: number): void {
    this.#events.push(event);
    this.#times.push(now);
    while (this.#events.length - this.#ready > this.#limits.ready) this.#layOff(this.#events[this.#ready++]!);
    this.trim(now);
  }

  /** Lets go of what is older than it must be. Answers whether there will be more of that when time has passed. */
  trim(now: number): boolean {
    const { fresh, least, most } = this.#limits;
    const count = (): number => this.#events.length - this.#first;
    while (count() > most || (count() > least && this.#times[this.#first]! < now - fresh))
      this.start = this.#events[this.#first++]!.revision;
    if (this.#first * 2 > this.#events.length && (this.#first > 1024 || count() <= least)) {
      this.#events = this.#events.slice(this.#first);
      this.#times = this.#times.slice(this.#first);
      this.#ready = Math.max(0, this.#ready - this.#first);
      this.#first = 0;
    }
    return count() > least;
  }

  /** Events after `revision`, which must not be before `start`. */
  after(revision: number): CacheEvent[] {
    let low = this.#first;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#events[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#events.slice(low);
  }
}
