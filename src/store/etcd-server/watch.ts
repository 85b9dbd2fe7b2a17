/**
 * Many watches on one stream. upstream: etcd server/etcdserver/api/v3rpc/watch.go.
 * Invariant: what a stream is sent for one watch is in order of revision; a progress answer for the whole stream (id -1) is sent only
 * when every watch of it has been sent everything up to its revision.
 */
import { StoreError } from '../contract.ts';
import type { StoreEvent, Watch, WatchBatch, WatchRequest } from '../contract.ts';
import { toKey } from '../etcd/protocol.ts';
import type { Wire } from '../etcd/protocol.ts';
import { encodedEvent, encodeEventsHead } from './encoding.ts';
import { failureOf } from './server.ts';
import type { Facade, MessageCall } from './server.ts';

/** Bytes that wait for a client before its watches are paused. */
const enough = 4 * 1024 * 1024;
/** Bytes of events in one message, for clients that take them in parts. */
const fragmentSize = 1024 * 1024;

interface Entry {
  watch: Watch;
  fragment: boolean;
}

export function serveWatch(facade: Facade, call: MessageCall): void {
  new WatchStream(facade, call).serve();
}

class WatchStream {
  readonly #facade: Facade;
  readonly #call: MessageCall;
  readonly #watches = new Map<number, Entry>();
  /** Progress that was asked for: the watches that have not reached it yet. */
  #asked: { waiting: Set<number>; revision: number }[] = [];
  #nextId = 0;
  #paused = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(facade: Facade, call: MessageCall) {
    this.#facade = facade;
    this.#call = call;
  }

  serve(): void {
    const call = this.#call;
    call.onMessage((request) => {
      // In order: a cancel must not overtake the create it is for.
      this.#last = this.#last.then(() => this.#request(request)).catch((error: unknown) => call.fail(failureOf(error)));
    });
    const end = (): void => {
      for (const { watch } of this.#watches.values()) watch.cancel();
      this.#watches.clear();
    };
    call.onEnd(() => {
      end();
      call.end();
    });
    call.onClose(end);
    call.onEmpty(() => {
      if (!this.#paused) return;
      this.#paused = false;
      for (const { watch } of this.#watches.values()) watch.resume();
    });
  }

  async #request({ createRequest, cancelRequest, progressRequest }: Wire): Promise<void> {
    if (createRequest) return this.#create(createRequest);
    if (cancelRequest) return this.#cancel(cancelRequest.watchId ?? 0);
    if (progressRequest) return this.#progress();
  }

  async #create(wire: Wire): Promise<void> {
    const { store, header } = this.#facade;
    let id: number = wire['watchId'] ?? 0;
    const current = await store.revision();
    const refuse = (cancelReason: string): void =>
      this.#send({ header: header(current), watchId: -1, created: true, canceled: true, cancelReason });
    if (id !== 0 && this.#watches.has(id)) return refuse('etcdserver: mvcc: duplicate watch ID provided on the WatchStream');
    if (id === 0) {
      while (this.#watches.has(this.#nextId)) this.#nextId++;
      id = this.#nextId++;
    }
    const end = toKey(wire['rangeEnd']);
    // An empty key is the first there may be, and an empty range end stands for that key alone.
    const request: WatchRequest = { key: toKey(wire['key']) || '\0', ...(end !== '' && { end }) };
    if (wire['startRevision']) request.startRevision = wire['startRevision'];
    if (wire['prevKv']) request.previous = true;
    if (wire['progressNotify']) request.progress = true;
    const filters: string[] = wire['filters'] ?? [];
    if (filters.length > 0) request.filter = { noPut: filters.includes('NOPUT'), noDelete: filters.includes('NODELETE') };
    if (end !== '' && end !== '\0' && end <= request.key) return refuse('mvcc: watcher range is empty');
    const watch = store.watch(request, (batch) => this.#batch(id, batch));
    this.#watches.set(id, { watch, fragment: wire['fragment'] ?? false });
    if (this.#paused) watch.pause();
    for (const { waiting } of this.#asked) waiting.add(id);
    if (this.#asked.length > 0) watch.progress();
    this.#send({ header: header(current), watchId: id, created: true });
    watch.done.then(
      () => this.#watches.delete(id),
      (error: unknown) => this.#broken(id, error),
    );
  }

  #broken(id: number, error: unknown): void {
    if (!this.#watches.delete(id)) return;
    this.#reached(id, Infinity);
    const compacted = error instanceof StoreError && error.code === 'compacted';
    this.#send({
      header: this.#facade.header(0),
      watchId: id,
      canceled: true,
      cancelReason: error instanceof Error ? error.message : String(error),
      ...(compacted && { compactRevision: this.#facade.store.compactRevision() }),
    });
  }

  async #cancel(id: number): Promise<void> {
    const entry = this.#watches.get(id);
    if (!entry) return;
    this.#watches.delete(id);
    entry.watch.cancel();
    this.#reached(id, Infinity);
    this.#send({ header: this.#facade.header(await this.#facade.store.revision()), watchId: id, canceled: true });
  }

  async #progress(): Promise<void> {
    const revision = await this.#facade.store.revision();
    if (this.#watches.size === 0) return this.#send({ header: this.#facade.header(revision), watchId: -1 });
    this.#asked.push({ waiting: new Set(this.#watches.keys()), revision: Infinity });
    for (const { watch } of this.#watches.values()) watch.progress();
  }

  #batch(id: number, { revision, events }: WatchBatch): void {
    const entry = this.#watches.get(id);
    if (!entry) return;
    if (events.length === 0) {
      if (!this.#reached(id, revision)) this.#send({ header: this.#facade.header(revision), watchId: id });
      return;
    }
    const message = (part: readonly StoreEvent[], more: boolean): void => {
      this.#call.sendParts(encodeEventsHead(this.#facade.header(revision), id, more), part.map(encodedEvent));
      this.#pauseWhenSlow();
    };
    if (!entry.fragment) return message(events, false);
    let start = 0;
    let size = 0;
    for (const [index, { keyValue, previous }] of events.entries()) {
      const bytes = keyValue.key.length + keyValue.value.length + (previous?.value.length ?? 0) + 64;
      if (index > start && size + bytes > fragmentSize) {
        message(events.slice(start, index), true);
        start = index;
        size = 0;
      }
      size += bytes;
    }
    message(start === 0 ? events : events.slice(start), false);
  }

  /** A watch is where someone asked for; true where someone had. */
  #reached(id: number, revision: number): boolean {
    let wanted = false;
    for (const asked of this.#asked) {
      if (!asked.waiting.delete(id)) continue;
      asked.revision = Math.min(asked.revision, revision);
      wanted = true;
    }
    if (!wanted) return false;
    while (this.#asked[0]?.waiting.size === 0) {
      const done = this.#asked.shift()!;
      if (done.revision < Infinity) this.#send({ header: this.#facade.header(done.revision), watchId: -1 });
    }
    return true;
  }

  #send(message: Wire): void {
    this.#call.send(message);
    this.#pauseWhenSlow();
  }

  /** Who takes less than there is gets the rest when it has taken this: nothing more is kept for it. */
  #pauseWhenSlow(): void {
    if (this.#paused || this.#call.waiting <= enough) return;
    this.#paused = true;
    for (const { watch } of this.#watches.values()) watch.pause();
  }
}
