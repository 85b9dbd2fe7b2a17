import type { ObjectReference } from '#api';
import { sleep } from '#machinery/clock';
import type { Clock } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import { isStatus } from '#machinery/status';

/** Numbers of client-go tools/record (event.go) and tools/events (event_broadcaster.go). */
const limits = { queued: 1000, tries: 12, retryDelay: 10_000 };

/**
 * Writes events one after the other, so that nobody who records one waits. What there are too many of is dropped; what a server out of
 * reach did not take is tried again.
 */
export class EventQueue {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  #queued = 0;
  #tail: Promise<void> = Promise.resolve();
  #serial = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  get stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** `prepare` makes the write when its turn comes: it sees what those before it have done. The write is tried again until it succeeds. */
  add(about: { reason: string; name: string | undefined }, prepare: () => () => Promise<void>): void {
    if (this.#queued >= limits.queued) {
      this.#log.debug('Dropped an event: too many wait to be written', { reason: about.reason });
      return;
    }
    this.#queued++;
    this.#tail = this.#tail
      .then(() => this.#write(about, prepare()))
      .catch((error: unknown) => this.#log.error('Cannot record an event', { error }))
      .finally(() => this.#queued--);
  }

  async #write({ reason, name }: { reason: string; name: string | undefined }, write: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    for (let tries = 1; ; tries++)
      try {
        return await write();
      } catch (error) {
        // An answer is final (the namespace is going away, for one); only a server out of reach is worth another try.
        if (!isStatus(error, 'ServiceUnavailable') || tries >= limits.tries || signal.aborted) {
          this.#log.debug('Cannot write an event', { error, reason, object: name });
          return;
        }
        await sleep(this.#clock, limits.retryDelay, signal).catch(() => undefined);
      }
  }

  /** A name for an event about the object of that name. */
  nameFor(object: string): string {
    // Nanoseconds since 1970, made unique by a counter: the clock counts milliseconds.
    const nanoseconds = BigInt(Math.trunc(this.#clock.now())) * 1_000_000n + BigInt(this.#serial++ % 1_000_000);
    return `${object.slice(0, 236)}.${nanoseconds.toString(16)}`;
  }

  /** Resolves when everything added so far is written or given up. */
  flush(): Promise<void> {
    return this.#tail;
  }

  /** What is not written by now is tried once more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#tail;
  }
}

/** What an event is about. */
export const referenceTo = ({ kind = '', apiVersion = '', metadata = {} }: KubeObject): ObjectReference => ({
  kind,
  ...(metadata.namespace && { namespace: metadata.namespace }),
  name: metadata.name ?? '',
  ...(metadata.uid && { uid: metadata.uid }),
  apiVersion,
  ...(metadata.resourceVersion && { resourceVersion: metadata.resourceVersion }),
});

/** As much as an event may say. */
export const longestNote = 1024;
