/**
 * The store in this process: an index of keys, a history of records, leases and watchers, on a backing that makes it durable or on none.
 * upstream: etcd server/storage/mvcc/watchable_store.go, kvstore.go.
 *
 * Transactions are evaluated at once, one after the other, on the newest state, and wait in `#waiting` until a write has made them
 * durable (group commit: one write takes all that wait). Reads and watchers see the *visible* state only. A 'deferred' transaction
 * becomes visible as soon as all before it are, and is written with the next group or after a moment.
 *
 *   revision   1 .. 7 | 8 (deferred)  | 9  10 | 11
 *              durable| visible, not  | being | waiting for
 *                     | yet written   | written | the next write
 * Invariant: visible ≤ newest; records after visible are exactly those of `#waiting`, so a failed write can take them back.
 */
import type { Clock, Random, Timer } from '#machinery/clock';
import { StoreError } from '../contract.ts';
import type {
  KeyValue,
  Lease,
  Leases,
  Operation,
  RangeRequest,
  RangeResult,
  Store,
  StoreEvent,
  TxnRequest,
  TxnResult,
  Watch,
  WatchBatch,
  WatchRequest,
} from '../contract.ts';
import type { Backing, Recovered } from './backing.ts';
import * as errors from './errors.ts';
import { History } from './history.ts';
import { KeyIndex } from './key-index.ts';
import { LeaseTable } from './leases.ts';
import type { LeaseEntry } from './leases.ts';
import { readRange } from './range.ts';
import type { View } from './range.ts';
import { footprint, keyValueOf, noValue } from './record.ts';
import type { Record } from './record.ts';
import { evaluate, undo } from './transaction.ts';
import type { Limits } from './transaction.ts';
import { Watchers } from './watchers.ts';

export interface MvccOptions {
  clock: Clock;
  /** Picks lease ids. */
  random: Random;
  limits?: Partial<Limits>;
  /** Milliseconds of silence after which a watcher that asked for it gets a progress batch. Default 10 minutes, as etcd. */
  progressInterval?: number;
  /** Bytes of keys and values, history included, beyond which puts are refused. Default: no limit. */
  quotaBytes?: number;
  /** Milliseconds that a deferred write may wait for company. Default 100. */
  deferral?: number;
}

interface Waiting {
  revision: number;
  changes: Record[];
  deferred: boolean;
  granted?: { id: number; ttl: number };
  revoked?: LeaseEntry;
  done(): void;
  fail(error: unknown): void;
}

/** Records looked at by one step of a compaction. */
const compactionStep = 500;
/**
 * While there are writes, compaction goes along with them: each write frees so many records for each that it adds, and a few more. A write
 * takes all that waits, so steps of a fixed size would fall behind many writers, and history grow for ever.
 */
const compactionPace = { each: 2, more: 16 };

export class MvccStore implements Store {
  readonly embedded = true;
  readonly leases: Leases;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: Limits;
  readonly #deferral: number;
  readonly #quota: number;
  readonly #backing: Backing | undefined;
  readonly #index = new KeyIndex();
  readonly #history = new History();
  readonly #table = new LeaseTable();
  readonly #watchers: Watchers;
  /** The revision of the newest transaction, visible or not. */
  #newest = 1;
  #visible = 1;
  #compacted = 0;
  /** The last revision that was written. */
  #durable = 1;
  #bytes = 0;
  /** Not yet visible, in order. The first `#writing` of them are in the write under way. */
  #waiting: Waiting[] = [];
  /** Visible, not yet written, in order. */
  #unwritten: Waiting[] = [];
  #write: Promise<void> | undefined;
  /** Why the last write failed; undefined when it did not. */
  #failure: unknown;
  #scheduled = false;
  #deferralTimer: Timer | undefined;
  #leaseTimer: Timer | undefined;
  #leaseTimerAt = Infinity;
  #compaction: Promise<void> = Promise.resolve();
  #compacting = false;
  /** Records that nobody can see any more and that are still on the disk. */
  #garbage: Record[] = [];
  /** How much of it goes along with the write under way, and comes back where that fails. */
  #carried = 0;
  /** Writes free what is superfluous as well. False while they fail or have no room for that. */
  #carrying = true;
  #closed: Promise<void> | undefined;

  constructor(options: MvccOptions, backing?: Backing, recovered?: Recovered) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#limits = { maxOperations: 10_000, maxRequestBytes: 1.5 * 1024 * 1024, ...options.limits };
    this.#deferral = options.deferral ?? 100;
    this.#quota = options.quotaBytes ?? Infinity;
    this.#backing = backing;
    const source = {
      history: this.#history,
      revision: () => this.#visible,
      compactRevision: () => this.#compacted,
      lost: { after: recovered?.seen ?? 0, to: recovered?.revision ?? 0 },
      events: (records: readonly Record[]): StoreEvent[] =>
        this.#view.all(records, false).map((keyValue) => ({ type: keyValue.version === 0 ? 'delete' : 'put', keyValue })),
      previous: (record: Record): KeyValue | undefined => {
        const before = this.#index.before(record);
        return before && this.#view.one(before, false);
      },
    };
    this.#watchers = new Watchers(source, options.clock, options.progressInterval ?? 600_000);
    this.leases = {
      grant: (ttl, id = 0) => this.#grant(ttl, id),
      revoke: (id) => this.#revoke(id),
      keepAlive: (id) => this.#keepAlive(id),
      timeToLive: (id, keys) => this.#timeToLive(id, keys),
      list: () => Promise.resolve(this.#table.ids()),
    };
    if (recovered) this.#recover(recovered);
  }

  revision(): Promise<number> {
    return Promise.resolve(this.#visible);
  }

  compactRevision(): number {
    return this.#compacted;
  }

  range(request: RangeRequest): Promise<RangeResult> {
    try {
      return Promise.resolve(this.read(request));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** What `range` resolves to, at once. */
  read(request: RangeRequest): RangeResult {
    if (this.#closed) throw errors.closed();
    const revision = request.revision || this.#visible;
    if (revision > this.#visible) throw errors.futureRevision();
    if (revision < this.#compacted) throw errors.compacted();
    return readRange(this.#index, request, revision, this.#visible, this.#view);
  }

  txn(request: TxnRequest): Promise<TxnResult> {
    try {
      if (this.#closed) throw errors.closed();
      const { result, changes } = this.#evaluate(request, this.#limits);
      if (this.#visible === this.#newest && changes.length === 0) return Promise.resolve(result);
      const committed = this.#commit(changes, request.durability === 'deferred' || changes.length === 0);
      return committed ? committed.then(() => result) : Promise.resolve(result);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  watch(request: WatchRequest, sink: (batch: WatchBatch) => void): Watch {
    if (this.#closed) throw errors.closed();
    return this.#watchers.add(request, sink);
  }

  async compact(revision: number): Promise<void> {
    if (this.#closed) throw errors.closed();
    if (revision <= this.#compacted) throw errors.compacted();
    if (revision > this.#visible) throw errors.futureRevision();
    await this.#backing?.compact(revision);
    if (revision <= this.#compacted) return;
    this.#compacted = revision;
    this.#reclaimSoon();
  }

  #reclaimSoon(): void {
    if (this.#compacting) return;
    this.#compacting = true;
    this.#compaction = this.#reclaim();
    // A failure to free space is no failure to compact; the next compaction or opening tries again.
    this.#compaction.catch(() => undefined);
  }

  /** Resolves when nothing waits to be written, deferred transactions included. Rejects when a write fails. */
  async flush(): Promise<void> {
    while (this.#write || this.#waiting.length > 0 || this.#unwritten.length > 0) {
      this.#startWrite();
      await this.#write;
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  /** Resolves when the space of all that is compacted is free, or cannot be freed for now. */
  reclaimed(): Promise<void> {
    return this.#compaction.catch(() => undefined);
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#leaseTimer?.cancel();
    try {
      await this.flush();
    } finally {
      this.#deferralTimer?.cancel();
      this.#watchers.close();
      await this.#compaction.catch(() => undefined);
      await this.#backing?.close(this.#visible);
    }
  }

  /** What another store would have to start with to be as this one was at `revision`. Values are not copied: they never change. */
  stateAt(revision = this.#visible): Recovered {
    if (revision > this.#visible) throw errors.futureRevision();
    if (revision < this.#compacted) throw errors.compacted();
    const found: Record[] = [];
    this.#index.visit('', undefined, revision, (record) => void found.push(record));
    const records = this.#values(found).map((value, place) => ({ ...found[place]!, value }));
    records.sort((a, b) => a.modRevision - b.modRevision);
    const leases = this.#table.ids().map((id) => ({ id, ttl: this.#table.get(id)!.ttl }));
    return { revision, compactRevision: revision, seen: revision, records, leases };
  }

  /** The newest revision that is written. What is deferred may be shown before. */
  protected get written(): number {
    return this.#durable;
  }

  /** Bytes of keys and values that are kept, history included. */
  get bytes(): number {
    return this.#bytes;
  }

  readonly #view: View = {
    one: (record, keysOnly) => keyValueOf(record, keysOnly ? noValue : (record.value ?? this.#backing!.load([record])[0]!)),
    all: (records, keysOnly) => {
      if (keysOnly) return records.map((record) => keyValueOf(record, noValue));
      const values = this.#values(records);
      return records.map((record, place) => keyValueOf(record, values[place]!));
    },
  };

  #values(records: readonly Record[]): Uint8Array[] {
    // At once: what is loaded may take the place of what others have in memory.
    const held = records.map(({ value }) => value);
    const missing = records.filter((_, place) => held[place] === undefined);
    if (missing.length === 0) return held as Uint8Array[];
    const loaded = this.#backing!.load(missing).values();
    return held.map((value) => value ?? loaded.next().value!);
  }

  #recover({ revision, compactRevision, records, leases }: Recovered): void {
    this.#newest = this.#visible = this.#durable = revision;
    this.#compacted = compactRevision;
    const now = this.#clock.monotonic();
    for (const { id, ttl } of leases) this.#table.add(id, ttl, now);
    for (const record of records) this.#bytes += footprint(record);
    this.#history.load(records, compactRevision);
    this.#index.load(records);
    const superseded: string[] = [];
    this.#index.newest(({ key, lease, version }, older) => {
      if (version > 0) this.#table.attach(lease, key);
      if (older || version === 0) superseded.push(key);
    });
    // A compaction that was cut short by the end of the process is finished here.
    this.#garbage = superseded.flatMap((key) => this.#prune(key, compactRevision));
    if (this.#garbage.length > 0) this.#reclaimSoon();
    this.#armLeases();
  }

  #prune(key: string, revision: number): Record[] {
    const dropped = this.#index.compact(key, revision);
    for (const record of dropped) this.#bytes -= footprint(record);
    return dropped;
  }

  #evaluate(request: TxnRequest, limits: Limits): { result: TxnResult; changes: Record[] } {
    const evaluated = evaluate(
      { index: this.#index, leases: this.#table, view: this.#view, limits, revision: this.#newest, compactRevision: this.#compacted },
      request,
    );
    const { changes } = evaluated;
    if (changes.length === 0) return evaluated;
    let added = 0;
    for (const record of changes) added += footprint(record);
    if (this.#bytes + added > this.#quota && changes.some((record) => record.version > 0)) {
      undo({ index: this.#index, leases: this.#table }, changes);
      throw errors.noSpace();
    }
    this.#newest++;
    this.#bytes += added;
    for (const record of changes) this.#history.append(record);
    return evaluated;
  }

  /** Undefined where it is done already, else resolves when visible. */
  #commit(changes: Record[], deferred: boolean, lease?: Pick<Waiting, 'granted' | 'revoked'>): Promise<void> | undefined {
    const backing = this.#backing;
    // After a failed write nothing is shown before it is written: what failed may be on the disk all the same, under the same revision.
    const early = deferred && this.#failure === undefined;
    const mayShow = this.#waiting.length === 0 && (!backing || (early && this.#newest - this.#durable < backing.reserve));
    if (mayShow) {
      if (this.#backing)
        this.#postpone({ revision: this.#newest, changes, deferred, done: () => undefined, fail: () => undefined, ...lease });
      this.#visible = this.#newest;
      if (!this.#backing) this.#superfluous(changes.length);
      if (changes.length > 0) this.#watchers.publish(changes);
      return undefined;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ revision: this.#newest, changes, deferred, done: resolve, fail: reject, ...lease });
    if (!this.#scheduled && !this.#write) {
      // All transactions of one turn of the loop go into one write.
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#startWrite();
      });
    }
    return promise;
  }

  #postpone(entry: Waiting): void {
    if (entry.changes.length === 0 && !entry.granted && !entry.revoked) return;
    this.#unwritten.push(entry);
    this.#writeLater(this.#deferral);
  }

  #startWrite(): void {
    if (this.#write || (this.#waiting.length === 0 && this.#unwritten.length === 0)) return;
    this.#deferralTimer?.cancel();
    this.#deferralTimer = undefined;
    const early = this.#unwritten;
    const group = this.#waiting.slice();
    const all = [...early, ...group];
    const { revision } = all.at(-1)!;
    this.#unwritten = [];
    const records = all.flatMap((entry) => entry.changes);
    const superfluous = this.#superfluous(records.length);
    this.#carried = superfluous.length;
    const write = this.#backing!.write({
      records,
      revision,
      superfluous,
      leases: all.flatMap(({ granted, revoked }) => granted ?? (revoked ? { id: revoked.id, ttl: undefined } : [])),
    });
    this.#write = write.then(
      (freed) => {
        this.#carrying = freed;
        this.#carried = 0;
        if (!freed) this.#garbage.unshift(...superfluous);
        this.#written(group, revision);
      },
      (error: unknown) => {
        this.#carrying = false;
        this.#carried = 0;
        this.#garbage.unshift(...superfluous);
        this.#failed(early, error);
      },
    );
  }

  #written(group: Waiting[], revision: number): void {
    this.#write = undefined;
    this.#durable = revision;
    this.#failure = undefined;
    this.#waiting.splice(0, group.length);
    const shown = group.slice();
    // Deferred transactions behind the group have nothing undurable before them any more.
    while (this.#waiting[0]?.deferred) {
      const entry = this.#waiting.shift()!;
      shown.push(entry);
      this.#postpone(entry);
    }
    if (this.#waiting.length > 0) this.#startWrite();
    if (shown.length > 0) {
      this.#visible = shown.at(-1)!.revision;
      const records = shown.flatMap((entry) => entry.changes);
      if (records.length > 0) this.#watchers.publish(records);
    }
    for (const entry of shown) entry.done();
  }

  /** Nothing of the write is there: what waited, and what was built on it, is taken back. What was visible stays and is tried again. */
  #failed(early: Waiting[], error: unknown): void {
    this.#write = undefined;
    this.#failure = error;
    this.#unwritten = [...early, ...this.#unwritten];
    const lost = this.#waiting.splice(0);
    for (const entry of lost.toReversed()) {
      if (entry.revoked) this.#table.restore(entry.revoked);
      undo({ index: this.#index, leases: this.#table }, entry.changes);
      for (const record of entry.changes.toReversed()) {
        this.#history.remove(record);
        this.#bytes -= footprint(record);
      }
      if (entry.granted) this.#table.remove(entry.granted.id);
    }
    this.#newest = this.#visible;
    if (this.#unwritten.length > 0 && !this.#closed) this.#writeLater(1000);
    for (const entry of lost) entry.fail(error);
  }

  #writeLater(milliseconds: number): void {
    this.#deferralTimer ??= this.#clock.setTimeout(() => {
      this.#deferralTimer = undefined;
      this.#startWrite();
    }, milliseconds);
  }

  /** Goes through what changed up to the compacted revision, in steps, and drops what these changes made superfluous. */
  async #reclaim(): Promise<void> {
    try {
      for (;;) {
        // While there are writes, they take it along.
        const left = (): boolean => this.#carried + this.#garbage.length > 0 || this.#history.reaches(this.#compacted);
        while (this.#carrying && (this.#write || this.#scheduled) && left()) {
          await this.#write;
          await new Promise((resolve) => setImmediate(resolve));
        }
        const revision = this.#compacted;
        const more = this.#walk(compactionStep);
        // What cannot be dropped stays on the list, for the next compaction.
        const part = this.#garbage.splice(0, compactionStep);
        if (part.length > 0 && this.#backing)
          try {
            await this.#backing.drop(part);
          } catch (error) {
            this.#garbage.unshift(...part);
            throw error;
          }
        if (!more && !left() && revision === this.#compacted) return;
        if (this.#carried > 0) await this.#write;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.#compacting = false;
    }
  }

  /** What a write of so many records takes along. */
  #superfluous(written: number): Record[] {
    if (!this.#compacting) return [];
    const limit = compactionPace.each * written + compactionPace.more;
    while (this.#garbage.length < limit && this.#walk(limit));
    return this.#garbage.splice(0, limit);
  }

  /** A step through the history: what its changes replaced becomes garbage. False at the end. */
  #walk(limit: number): boolean {
    const revision = this.#compacted;
    const passed = this.#history.drop(revision, limit);
    // Each drops what it replaced and no more, so that a step finds about as many records as it looks at; a tombstone goes as well.
    for (const { key, modRevision, version } of passed)
      this.#garbage.push(...this.#prune(key, version === 0 ? modRevision + 1 : modRevision));
    // The changes of the revision itself stay in the history; what they replaced does not.
    if (passed.length === 0) for (const { key } of this.#history.of(revision)) this.#garbage.push(...this.#prune(key, revision));
    return passed.length > 0;
  }

  async #grant(ttl: number, id: number): Promise<Lease> {
    if (this.#closed) throw errors.closed();
    if (!Number.isSafeInteger(ttl) || ttl <= 0) throw errors.leaseTtlTooSmall();
    if (ttl > 9_000_000_000) throw errors.leaseTtlTooLarge();
    if (id !== 0 && this.#table.has(id)) throw errors.leaseExists();
    let chosen = id;
    while (chosen === 0 || (id === 0 && this.#table.has(chosen))) chosen = Math.floor(this.#random.next() * 2 ** 53);
    this.#table.add(chosen, ttl, this.#clock.monotonic());
    await this.#commit([], true, { granted: { id: chosen, ttl } });
    this.#armLeases();
    return { id: chosen, ttl, remaining: ttl };
  }

  async #revoke(id: number): Promise<void> {
    if (this.#closed) throw errors.closed();
    const lease = this.#table.get(id);
    if (!lease) throw errors.leaseNotFound();
    const success = [...lease.keys].sort().map((key): Operation => ({ type: 'delete', key }));
    const { changes } = this.#evaluate({ compare: [], success, failure: [] }, { maxOperations: Infinity, maxRequestBytes: Infinity });
    this.#table.remove(id);
    await this.#commit(changes, false, { revoked: lease });
  }

  async #keepAlive(id: number): Promise<Lease> {
    const lease = this.#table.get(id);
    if (!lease) throw errors.leaseNotFound();
    lease.expiry = this.#clock.monotonic() + lease.ttl * 1000;
    return { id, ttl: lease.ttl, remaining: lease.ttl };
  }

  async #timeToLive(id: number, keys = false): Promise<Lease> {
    const lease = this.#table.get(id);
    if (!lease) throw errors.leaseNotFound();
    const remaining = Math.max(0, Math.floor((lease.expiry - this.#clock.monotonic()) / 1000));
    return { id, ttl: lease.ttl, remaining, ...(keys && { keys: [...lease.keys].sort() }) };
  }

  #armLeases(): void {
    const next = this.#table.next();
    if (next === undefined || next >= this.#leaseTimerAt || this.#closed) return;
    this.#leaseTimer?.cancel();
    this.#leaseTimerAt = next;
    this.#leaseTimer = this.#clock.setTimeout(
      () => {
        this.#leaseTimerAt = Infinity;
        for (const lease of this.#table.expired(this.#clock.monotonic())) this.#expire(lease);
        this.#armLeases();
      },
      Math.max(0, next - this.#clock.monotonic()),
    );
  }

  #expire(lease: LeaseEntry): void {
    this.#revoke(lease.id).catch((error: unknown) => {
      if (error instanceof StoreError && (error.code === 'closed' || error.code === 'lease-not-found')) return;
      // Its keys could not be deleted (no space left): once more in a while.
      lease.expiry = this.#clock.monotonic() + 1000;
      this.#table.restore(lease);
      this.#armLeases();
    });
  }
}
