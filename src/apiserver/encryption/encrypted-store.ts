/**
 * A store whose values of some resources lie encrypted in the one below. The registry and the watch caches see plain values only.
 * On an embedded store below, a write's own event still reaches watchers before the write's promise resolves: what was just encrypted is not
 * decrypted again.
 */
import type {
  KeyValue,
  Operation,
  OperationResult,
  RangeRequest,
  RangeResult,
  Store,
  StoreEvent,
  TxnRequest,
  TxnResult,
  Watch,
  WatchBatch,
  WatchRequest,
} from '#store';
import type { Transformer } from './transformer.ts';

/** How a key's value is written; undefined: as it is. */
export type TransformerFor = (key: string) => Transformer | undefined;

export class EncryptedStore implements Store {
  readonly embedded: boolean;
  readonly leases: Store['leases'];
  readonly #store: Store;
  #transformerFor: TransformerFor;
  /** What was encrypted here, as it was before. */
  readonly #written = new WeakMap<Uint8Array, Uint8Array>();
  /** Key → how its value was written. */
  readonly #labels = new Map<string, string>();

  constructor(store: Store, transformerFor: TransformerFor) {
    this.#store = store;
    this.#transformerFor = transformerFor;
    this.embedded = store.embedded;
    this.leases = store.leases;
  }

  /** From now on values are written, and read, so. */
  use(transformerFor: TransformerFor): void {
    this.#transformerFor = transformerFor;
  }

  /** Whether the value would be written otherwise today: an update that changes nothing then writes it anew. */
  stale(key: string): boolean {
    const transformer = this.#transformerFor(key);
    const label = this.#labels.get(key);
    return label !== undefined && label !== (transformer?.label() ?? '');
  }

  revision(): Promise<number> {
    return this.#store.revision();
  }

  async range(request: RangeRequest): Promise<RangeResult> {
    return this.#plainRange(await this.#store.range(request));
  }

  async txn(request: TxnRequest): Promise<TxnResult> {
    return this.#plainTxn(await this.#store.txn(this.#encrypted(request)));
  }

  watch(request: WatchRequest, sink: (batch: WatchBatch) => void): Watch {
    // Batches behind one that waits for a key wait as well.
    let waiting: Promise<void> | undefined;
    const done = Promise.withResolvers<void>();
    const watch = this.#store.watch(request, (batch) => {
      if (!waiting) {
        const events = this.#plainEvents(batch.events);
        if (!(events instanceof Promise)) return sink({ ...batch, events });
        waiting = events.then((plain) => sink({ ...batch, events: plain }));
      } else waiting = waiting.then(async () => sink({ ...batch, events: await this.#plainEvents(batch.events) }));
      const own = waiting;
      own.then(
        () => void (waiting === own && (waiting = undefined)),
        (error: unknown) => {
          watch.cancel();
          done.reject(error);
        },
      );
    });
    watch.done.then(done.resolve, done.reject);
    return {
      done: done.promise,
      cancel: () => watch.cancel(),
      progress: () => watch.progress(),
      pause: () => watch.pause(),
      resume: () => watch.resume(),
    };
  }

  compact(revision: number): Promise<void> {
    return this.#store.compact(revision);
  }

  compactRevision(): number {
    return this.#store.compactRevision();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #encrypted(request: TxnRequest): TxnRequest {
    const operations = (given: Operation[]): Operation[] => given.map((operation) => this.#encryptedOperation(operation));
    return { ...request, success: operations(request.success), failure: operations(request.failure) };
  }

  #encryptedOperation(operation: Operation): Operation {
    if (operation.type === 'txn') return { ...operation, request: this.#encrypted(operation.request) };
    if (operation.type !== 'put' || operation.ignoreValue) return operation;
    const transformer = this.#transformerFor(operation.key);
    if (!transformer) return operation;
    const value = transformer.encrypt(operation.value, operation.key);
    if (value !== operation.value) this.#written.set(value, operation.value);
    return { ...operation, value };
  }

  async #plainTxn(result: TxnResult): Promise<TxnResult> {
    const results: OperationResult[] = [];
    for (const one of result.results) {
      if (one.type === 'range') results.push({ ...one, result: await this.#plainRange(one.result) });
      else if (one.type === 'put' && one.previous) results.push({ ...one, previous: await this.#plain(one.previous) });
      else if (one.type === 'delete' && one.previous.length > 0)
        results.push({ ...one, previous: await Promise.all(one.previous.map(async (previous) => this.#plain(previous))) });
      else if (one.type === 'txn') results.push({ ...one, result: await this.#plainTxn(one.result) });
      else results.push(one);
    }
    return { ...result, results };
  }

  async #plainRange(result: RangeResult): Promise<RangeResult> {
    const keyValues: KeyValue[] = [];
    for (const keyValue of result.keyValues) {
      const plain = this.#plain(keyValue);
      keyValues.push(plain instanceof Promise ? await plain : plain);
    }
    return { ...result, keyValues };
  }

  #plainEvents(events: readonly StoreEvent[]): StoreEvent[] | Promise<StoreEvent[]> {
    const plain = events.map((event) => this.#plainEvent(event));
    if (!plain.some((event) => event instanceof Promise)) return plain as StoreEvent[];
    return Promise.all(plain.map((event) => Promise.resolve(event)));
  }

  #plainEvent(event: StoreEvent): StoreEvent | Promise<StoreEvent> {
    const { keyValue, previous } = event;
    if (event.type === 'delete') {
      this.#labels.delete(keyValue.key);
      if (!previous) return event;
    }
    const now = event.type === 'delete' ? keyValue : this.#plain(keyValue);
    const before = previous && this.#plain(previous);
    if (now === keyValue && before === previous) return event;
    if (now instanceof Promise || before instanceof Promise)
      return Promise.all([Promise.resolve(now), Promise.resolve(before)]).then(([plain, old]) => ({
        ...event,
        keyValue: plain,
        ...(old && { previous: old }),
      }));
    return { ...event, keyValue: now, ...(before && { previous: before }) };
  }

  /** A value that cannot be read is left as it lies: the cache says so and leaves the object out. */
  #plain(keyValue: KeyValue): KeyValue | Promise<KeyValue> {
    const { key, value } = keyValue;
    const transformer = this.#transformerFor(key);
    if (!transformer || value.length === 0) return keyValue;
    const known = this.#written.get(value);
    if (known) {
      this.#labels.set(key, transformer.label());
      return { ...keyValue, value: known };
    }
    const use = (plain: { value: Uint8Array; label: string }): KeyValue => {
      this.#labels.set(key, plain.label);
      return { ...keyValue, value: plain.value };
    };
    try {
      const plain = transformer.decrypt(value, key);
      return plain instanceof Promise ? plain.then(use, () => keyValue) : use(plain);
    } catch {
      return keyValue;
    }
  }
}
