/** What goes wrong on purpose: a disk that is slow for a while, watches that are cut, a clock that jumps. */
import { systemClock } from '#machinery/clock';
import type { Clock } from '#machinery/clock';
import { StoreError } from '#store';
import type { Store, Watch } from '#store';

/** A clock that can be set ahead or back; durations are not touched. */
export function jumpingClock(): Clock & { jump(milliseconds: number): void } {
  let offset = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + offset,
    jump: (milliseconds) => void (offset += milliseconds),
  };
}

export interface FaultyStore extends Store {
  /** Every write takes so much longer; 0 ends it. */
  slow(milliseconds: number): void;
  /** Ends every watch as a back end does that has lost its connection. Answers how many. */
  cut(): number;
  readonly watches: number;
}

export function faultyStore(inner: Store): FaultyStore {
  let delay = 0;
  const open = new Set<(error: Error) => void>();
  return {
    embedded: inner.embedded,
    leases: inner.leases,
    range: (request) => inner.range(request),
    revision: () => inner.revision(),
    compact: (revision) => inner.compact(revision),
    compactRevision: () => inner.compactRevision(),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
    async txn(request) {
      if (delay > 0) await new Promise<void>((resolve) => void systemClock.setTimeout(resolve, delay));
      return inner.txn(request);
    },
    watch(request, sink) {
      const { promise: done, resolve, reject } = Promise.withResolvers<void>();
      done.catch(() => undefined);
      let ended = false;
      const watch: Watch = inner.watch(request, (batch) => {
        if (!ended) sink(batch);
      });
      const cut = (error: Error): void => {
        ended = true;
        open.delete(cut);
        watch.cancel();
        reject(error);
      };
      open.add(cut);
      watch.done.then(resolve, reject).finally(() => open.delete(cut));
      return {
        done,
        cancel() {
          open.delete(cut);
          watch.cancel();
        },
        progress: () => watch.progress(),
        pause: () => watch.pause(),
        resume: () => watch.resume(),
      };
    },
    slow: (milliseconds) => void (delay = milliseconds),
    cut() {
      const count = open.size;
      for (const end of open) end(new StoreError('unavailable', 'the connection was cut'));
      return count;
    },
    get watches() {
      return open.size;
    },
  };
}
