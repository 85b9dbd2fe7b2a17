import type { Clock, Random, Timer } from '#machinery/clock';
import type { WorkQueue } from './contract.ts';
import { TokenBucket } from './token-bucket.ts';

export interface WorkQueueOptions {
  clock: Clock;
  random?: Random;
  /** Back-off of one key's failures, in milliseconds. */
  baseDelay?: number;
  maxDelay?: number;
}

/** upstream: client-go util/workqueue. */
export function workQueue<K = string>({ clock, baseDelay = 5, maxDelay = 1_000_000 }: WorkQueueOptions): WorkQueue<K> {
  const queue = new Set<K>();
  const dirty = new Set<K>();
  const working = new Set<K>();
  const failures = new Map<K, number>();
  const delayed = new Map<K, { at: number; timer: Timer }>();
  const takers: ((key: K | undefined) => void)[] = [];
  const retries = new TokenBucket(clock, 10, 100);
  let closed = false;

  const start = (key: K): void => {
    dirty.delete(key);
    working.add(key);
  };
  const push = (key: K): void => {
    const taker = takers.shift();
    if (!taker) return void queue.add(key);
    start(key);
    taker(key);
  };
  const add = (key: K): void => {
    if (closed || dirty.has(key)) return;
    dirty.add(key);
    if (!working.has(key)) push(key);
  };
  const addAfter = (key: K, milliseconds: number): void => {
    if (closed) return;
    if (milliseconds <= 0) return add(key);
    const at = clock.monotonic() + milliseconds;
    const waiting = delayed.get(key);
    if (waiting) {
      if (waiting.at <= at) return;
      waiting.timer.cancel();
    }
    const timer = clock.setTimeout(() => {
      delayed.delete(key);
      add(key);
    }, milliseconds);
    delayed.set(key, { at, timer });
  };
  return {
    add,
    addAfter,
    addRateLimited(key) {
      const failed = failures.get(key) ?? 0;
      failures.set(key, failed + 1);
      addAfter(key, Math.max(Math.min(baseDelay * 2 ** Math.min(failed, 60), maxDelay), retries.reserve()));
    },
    forget: (key) => void failures.delete(key),
    failures: (key) => failures.get(key) ?? 0,
    take() {
      const [next] = queue;
      if (queue.size > 0) {
        queue.delete(next as K);
        start(next as K);
        return Promise.resolve(next);
      }
      if (closed) return Promise.resolve(undefined);
      return new Promise((resolve) => takers.push(resolve));
    },
    done(key) {
      working.delete(key);
      if (dirty.has(key)) push(key);
    },
    get length() {
      return queue.size;
    },
    close() {
      closed = true;
      queue.clear();
      for (const { timer } of delayed.values()) timer.cancel();
      delayed.clear();
      for (const taker of takers.splice(0)) taker(undefined);
    },
  };
}
