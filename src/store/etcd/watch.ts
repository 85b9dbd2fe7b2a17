/**
 * One watch over one gRPC stream. When the stream breaks, another takes up after the last revision that was delivered.
 * upstream: etcd client/v3/watch.go.
 */
import type { Clock, Timer } from '#machinery/clock';
import { StoreError } from '../contract.ts';
import type { StoreEvent, Watch, WatchBatch, WatchRequest } from '../contract.ts';
import { compacted } from '../mvcc/errors.ts';
import type { Connection, Stream } from './connection.ts';
import { keyValueFromWire, toBytes } from './protocol.ts';
import type { Wire } from './protocol.ts';

/** Milliseconds between tries to watch again, growing from the first to the last. */
const backoff = { first: 100, last: 5000 };

export class EtcdWatch implements Watch {
  readonly done: Promise<void>;
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #request: WatchRequest;
  readonly #sink: (batch: WatchBatch) => void;
  readonly #settle: { resolve(): void; reject(error: unknown): void };
  readonly #ended: (compactRevision: number | undefined) => void;
  /** The next revision to ask for; 0: from now on. */
  #next: number;
  #stream: Stream | undefined;
  #timer: Timer | undefined;
  #wait = backoff.first;
  #created = false;
  #progressAsked = false;
  #paused = false;
  #over = false;
  /** Parts of an answer that the server cut up. */
  #parts: Wire[] = [];

  constructor(
    connection: Connection,
    clock: Clock,
    request: WatchRequest,
    sink: (batch: WatchBatch) => void,
    ended: (compactRevision: number | undefined) => void,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => undefined);
    this.done = promise;
    this.#settle = { resolve, reject };
    this.#connection = connection;
    this.#clock = clock;
    this.#request = request;
    this.#sink = sink;
    this.#ended = ended;
    this.#next = request.startRevision ?? 0;
    this.#open();
  }

  cancel(): void {
    this.#end();
  }

  progress(): void {
    // Until it is told, for the stream may break before.
    this.#progressAsked = true;
    if (this.#created) this.#stream?.write({ progressRequest: {} });
  }

  pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream?.resume();
  }

  #open(): void {
    const stream = this.#connection.stream('Watch', 'Watch');
    this.#stream = stream;
    this.#parts = [];
    stream.on('data', (answer: Wire) => {
      if (this.#stream === stream && !this.#over) this.#answer(answer);
    });
    // gRPC tells of a broken stream by an error; of one the server ended, by the end.
    stream.on('error', () => this.#reopen(stream));
    stream.on('end', () => this.#reopen(stream));
    if (this.#paused) stream.pause();
    const { key, end, progress, filter, previous } = this.#request;
    stream.write({
      createRequest: {
        key: toBytes(key),
        ...(end !== undefined && { rangeEnd: toBytes(end) }),
        startRevision: this.#next,
        progressNotify: progress ?? false,
        filters: [...(filter?.noPut ? ['NOPUT'] : []), ...(filter?.noDelete ? ['NODELETE'] : [])],
        prevKv: previous ?? false,
        fragment: true,
      },
    });
  }

  #reopen(stream: Stream): void {
    if (this.#stream !== stream || this.#over) return;
    this.#stream = undefined;
    this.#created = false;
    stream.cancel();
    this.#connection.rotate();
    this.#timer = this.#clock.setTimeout(() => this.#open(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, backoff.last);
  }

  #answer(answer: Wire): void {
    const revision: number = answer['header']?.revision ?? 0;
    if (answer['canceled']) {
      const compactRevision = answer['compactRevision'] as number | undefined;
      if (compactRevision) return this.#end(compacted(), compactRevision);
      return this.#end(new StoreError('unavailable', `etcd ended the watch: ${answer['cancelReason'] ?? 'no reason given'}`));
    }
    if (answer['created']) {
      this.#created = true;
      this.#wait = backoff.first;
      if (this.#next === 0) this.#next = revision + 1;
      if (this.#progressAsked) this.progress();
      return;
    }
    const parts = (answer['events'] ?? []) as Wire[];
    if (parts.length === 0) {
      // A progress notification: everything before `revision` has been sent.
      this.#progressAsked = false;
      this.#next = Math.max(this.#next, revision + 1);
      return this.#deliver({ revision, events: [] });
    }
    this.#parts.push(...parts);
    if (answer['fragment']) return;
    const events = this.#parts.map((event): StoreEvent => {
      const previous = event['prevKv'] as Wire | undefined;
      return {
        type: event['type'] === 'DELETE' ? 'delete' : 'put',
        keyValue: keyValueFromWire(event['kv']),
        ...(previous && { previous: keyValueFromWire(previous) }),
      };
    });
    this.#parts = [];
    // The header's revision is the server's newest, and may be ahead of what this watch was sent.
    const last = events.at(-1)!.keyValue.modRevision;
    this.#next = last + 1;
    this.#deliver({ revision: last, events });
  }

  #deliver(batch: WatchBatch): void {
    try {
      this.#sink(batch);
    } catch (error) {
      this.#end(error);
    }
  }

  #end(error?: unknown, compactRevision?: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#stream?.cancel();
    this.#stream = undefined;
    if (error === undefined) this.#settle.resolve();
    else this.#settle.reject(error);
    this.#ended(compactRevision);
  }
}
