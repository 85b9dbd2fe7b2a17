/**
 * Gives memory back: after a collection what its buffers took, and in a quiet moment what work has taken. V8 keeps what its busiest moment needed
 * until more work makes it look through its heap again, so a cluster that rests would hold twice its memory for days. Collections tell that there
 * is work; its end is waited for.
 */
import { PerformanceObserver, constants, performance } from 'node:perf_hooks';
import type { PerformanceEntry } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { releaseFreed } from '#machinery/memory';

/** The process whose memory it is. */
export interface Heap {
  /** Bytes taken from the system, used or not. */
  size(): number;
  /** The share of time in which there was something to do, since the call before. */
  busy(): number;
  /** Looks through all of it and gives back what is free; everything else waits meanwhile. */
  release(): Promise<unknown>;
  /** Gives back what is free beside it, where buffers are. */
  trim(): void;
  /** Tells of every collection, and whether it looked through all of the heap, until disposed. */
  onCollection(told: (whole: boolean) => void): Disposable;
}

/** How long a moment is that is looked at, in milliseconds. */
const moment = 10_000;
const quiet = 0.05;
/** Another thread frees the buffers that a collection has found; in milliseconds. */
const freeing = 200;
/** Less is not worth a pause. */
const worthwhile = 1.25;
/** A larger heap would take more than half a second, and grows and shrinks with its objects rather than with the work. */
const largest = 192 * 1024 * 1024;

const isWhole = (collection: PerformanceEntry): boolean =>
  (collection as PerformanceEntry & { detail: { kind: number } }).detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;

/** This process's heap; undefined where Node was started without `--expose-gc`. */
export function ownHeap(): Heap | undefined {
  const { gc } = globalThis;
  if (!gc) return undefined;
  let last = performance.eventLoopUtilization();
  return {
    size: () => getHeapStatistics().total_heap_size,
    busy() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    release: () => gc({ type: 'major', execution: 'async', flavor: 'regular' }),
    trim: releaseFreed,
    onCollection(told) {
      const observer = new PerformanceObserver((list) => told(list.getEntries().some(isWhole)));
      observer.observe({ entryTypes: ['gc'] });
      return { [Symbol.dispose]: () => observer.disconnect() };
    },
  };
}

export function releaseWhenIdle(heap: Heap, { clock, log }: { clock: Clock; log: Log }): Disposable {
  let timer: Timer | undefined;
  let trimming: Timer | undefined;
  let releasing = false;
  /** The size that quiet leaves. */
  let low = 0;
  const wait = (): void => {
    heap.busy();
    timer = clock.setTimeout(look, moment);
  };
  const look = (): void => {
    timer = undefined;
    if (heap.busy() > quiet) {
      wait();
      return;
    }
    const before = heap.size();
    if (before < low * worthwhile || before > largest) return;
    releasing = true;
    void heap.release().finally(() => {
      releasing = false;
      low = heap.size();
      log.debug('Gave memory back', { bytes: before - low });
    });
  };
  const subscription = heap.onCollection((whole) => {
    if (whole)
      trimming ??= clock.setTimeout(() => {
        trimming = undefined;
        heap.trim();
      }, freeing);
    if (!timer && !releasing) wait();
  });
  return {
    [Symbol.dispose]() {
      subscription[Symbol.dispose]();
      timer?.cancel();
      trimming?.cancel();
    },
  };
}
