/**
 * Watchers of an embedded store. upstream: etcd server/storage/mvcc/watchable_store.go, watcher_group.go.
 *
 * A watcher is *live* when it has seen everything up to the newest visible revision: commits then reach it synchronously. One that
 * starts in the past first reads the history, in slices with turns of the loop between them; meanwhile commits reach it with the slice
 * they are in.
 * Invariant: a watcher has been given all events in its range before `next`, and none from `next` on.
 */
import type { Clock, Timer } from '#machinery/clock';
import type { KeyValue, StoreEvent, Watch, WatchBatch, WatchRequest } from '../contract.ts';
import { covers } from '../key-range.ts';
import { compacted, emptyKey } from './errors.ts';
import type { History } from './history.ts';
import { RangeGroups } from './range-groups.ts';
import type { Record } from './record.ts';

/** Records of history looked at in one go. */
const slice = { records: 2000, bytes: 4 * 1024 * 1024 };

interface Watcher {
  readonly request: WatchRequest;
  readonly sink: (batch: WatchBatch) => void;
  next: number;
  live: boolean;
  quiet: boolean;
  /** Asked for its progress while it was behind. */
  asked: boolean;
  paused: boolean;
  /** Its next slice of history is to come. */
  turning: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

export interface WatchSource {
  history: History;
  /** The newest revision that may be shown. */
  revision(): number;
  compactRevision(): number;
  /** Revisions that were shown once and lost: a watch that starts after the first of them has seen what never was. */
  lost: { after: number; to: number };
  /** Of each, in their order. */
  events(records: readonly Record[]): StoreEvent[];
  previous(record: Record): KeyValue | undefined;
}

export class Watchers {
  readonly #source: WatchSource;
  readonly #clock: Clock;
  readonly #progressInterval: number;
  readonly #keys = new Map<string, Set<Watcher>>();
  readonly #ranges = new RangeGroups<Watcher>();
  readonly #behind = new Set<Watcher>();
  #progress = 0;
  #timer: Timer | undefined;

  constructor(source: WatchSource, clock: Clock, progressInterval: number) {
    this.#source = source;
    this.#clock = clock;
    this.#progressInterval = progressInterval;
  }

  add(request: WatchRequest, sink: (batch: WatchBatch) => void): Watch {
    if (request.key === '') throw emptyKey();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Who does not look at `done` must not bring the process down.
    promise.catch(() => undefined);
    const revision = this.#source.revision();
    const start = request.startRevision || revision + 1;
    const watcher: Watcher = {
      request,
      sink,
      next: start,
      live: start > revision,
      quiet: true,
      asked: false,
      paused: false,
      turning: false,
      resolve,
      reject,
    };
    if (request.end) this.#ranges.add(request.key, request.end, watcher);
    else {
      const group = this.#keys.get(request.key) ?? new Set<Watcher>();
      group.add(watcher);
      this.#keys.set(request.key, group);
    }
    if (!watcher.live) {
      this.#behind.add(watcher);
      this.#turn(watcher, queueMicrotask);
    }
    if (request.progress && this.#progress++ === 0) this.#arm();
    return {
      done: promise,
      cancel: () => this.#end(watcher),
      progress: () => queueMicrotask(() => this.#notify(watcher)),
      pause: () => {
        watcher.paused = true;
        if (!watcher.live) return;
        // From history, then: nothing is kept for it.
        watcher.live = false;
        this.#behind.add(watcher);
      },
      resume: () => {
        watcher.paused = false;
        this.#turn(watcher, queueMicrotask);
      },
    };
  }

  /** Delivers history slice by slice, as long as the watcher is behind. */
  #turn(watcher: Watcher, soon: (run: () => void) => unknown): void {
    if (watcher.turning || watcher.paused || !this.#behind.has(watcher)) return;
    watcher.turning = true;
    soon(() => {
      watcher.turning = false;
      if (!watcher.paused) this.#catchUp(watcher);
      this.#turn(watcher, setImmediate);
    });
  }

  /** Gives the records of the revisions up to the newest to whom they concern. */
  publish(records: readonly Record[]): void {
    const revision = this.#source.revision();
    const events = new Map<Record, StoreEvent>();
    const event = (record: Record): StoreEvent => {
      let made = events.get(record);
      if (!made) events.set(record, (made = this.#source.events([record])[0]!));
      return made;
    };
    // Who is live and hears nothing of it has seen everything all the same.
    for (const [watchers, list] of this.#ranges.covering(records))
      for (const watcher of watchers) if (watcher.live) this.#deliver(watcher, list, revision, event);
    if (this.#keys.size === 0) return;
    const single = new Map<Watcher, Record[]>();
    for (const record of records)
      for (const watcher of this.#keys.get(record.key) ?? []) {
        const list = single.get(watcher);
        if (list) list.push(record);
        else single.set(watcher, [record]);
      }
    for (const [watcher, list] of single) if (watcher.live) this.#deliver(watcher, list, revision, event);
  }

  close(): void {
    for (const watcher of [...this.#ranges.all(), ...[...this.#keys.values()].flatMap((group) => [...group])]) this.#end(watcher);
    this.#timer?.cancel();
  }

  #deliver(watcher: Watcher, records: readonly Record[], revision: number, event: (record: Record) => StoreEvent): void {
    const { request, next } = watcher;
    const { noPut, noDelete } = request.filter ?? {};
    const events: StoreEvent[] = [];
    for (const record of records) {
      if (record.modRevision < next || (record.version === 0 ? noDelete : noPut)) continue;
      const made = event(record);
      const previous = request.previous ? this.#source.previous(record) : undefined;
      events.push(previous ? { ...made, previous } : made);
    }
    if (revision >= next) watcher.next = revision + 1;
    if (events.length > 0) this.#send(watcher, { revision, events });
  }

  #send(watcher: Watcher, batch: WatchBatch): void {
    watcher.quiet = false;
    try {
      watcher.sink(batch);
    } catch (error) {
      // A sink that throws breaks its contract; it ends its own watch, not the commit it was told about.
      this.#end(watcher, error);
    }
  }

  /** Delivers one slice of history. */
  #catchUp(watcher: Watcher): void {
    if (!this.#behind.has(watcher)) return;
    const { history } = this.#source;
    const { lost } = this.#source;
    if (watcher.next < this.#source.compactRevision() || (watcher.next > lost.after + 1 && watcher.next <= lost.to))
      return this.#end(watcher, compacted());
    const newest = this.#source.revision();
    const records: Record[] = [];
    let place = history.place(watcher.next);
    let last = history.get(place);
    let bytes = 0;
    for (let looked = 0; last && last.modRevision <= newest; last = history.get(++place)) {
      // Only whole revisions: a slice ends where one does.
      if ((looked++ >= slice.records || bytes >= slice.bytes) && last.modRevision !== history.get(place - 1)!.modRevision) break;
      if (!covers(watcher.request, last.key)) continue;
      records.push(last);
      bytes += last.size;
    }
    const done = !last || last.modRevision > newest;
    const revision = done ? newest : last!.modRevision - 1;
    if (done) {
      watcher.live = true;
      this.#behind.delete(watcher);
    }
    const events = new Map(this.#source.events(records).map((event, place) => [records[place]!, event]));
    this.#deliver(watcher, records, revision, (record) => events.get(record)!);
    if (watcher.asked) this.#notify(watcher);
  }

  #end(watcher: Watcher, error?: unknown): void {
    const { key, end, progress } = watcher.request;
    if (end) {
      if (!this.#ranges.delete(key, end, watcher)) return;
    } else {
      const group = this.#keys.get(key);
      if (!group?.delete(watcher)) return;
      if (group.size === 0) this.#keys.delete(key);
    }
    this.#behind.delete(watcher);
    watcher.live = false;
    if (progress && --this.#progress === 0) this.#timer?.cancel();
    if (error === undefined) watcher.resolve();
    else watcher.reject(error);
  }

  #notify(watcher: Watcher): void {
    watcher.asked = this.#behind.has(watcher);
    if (watcher.live) this.#send(watcher, { revision: this.#source.revision(), events: [] });
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => {
      for (const watcher of [...this.#ranges.all(), ...[...this.#keys.values()].flatMap((group) => [...group])]) {
        if (!watcher.request.progress) continue;
        if (watcher.quiet) this.#notify(watcher);
        watcher.quiet = true;
      }
      if (this.#progress > 0) this.#arm();
    }, this.#progressInterval);
  }
}
