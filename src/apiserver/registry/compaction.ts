import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { Store } from '#store';

/**
 * Forgets what is older than `history` milliseconds, which is looked at every `period`: each tick compacts to the newest revision that
 * was there so long ago. Answers how to stop. upstream: apiserver/pkg/storage/etcd3/compact.go, where both are one.
 */
export function compactPeriodically({
  store,
  clock,
  log,
  period,
  history = period,
}: {
  store: Store;
  clock: Clock;
  log: Log;
  period: number;
  history?: number;
}): () => void {
  if (period <= 0) return () => undefined;
  let timer: Timer | undefined;
  let stopped = false;
  /** Oldest first. */
  const marks: { at: number; revision: number }[] = [];
  const tick = async (): Promise<void> => {
    const now = clock.monotonic();
    // A tick that came a little early would otherwise wait for the next.
    const old = marks.findLastIndex((mark) => mark.at <= now - history + period / 100);
    const revision = marks[old]?.revision ?? 0;
    try {
      if (revision > 1 && revision > store.compactRevision()) await store.compact(revision);
      marks.splice(0, old);
      marks.push({ at: now, revision: await store.revision() });
    } catch (error) {
      if (!stopped) log.warn('Store cannot be compacted', { revision, error });
    }
    if (!stopped) timer = clock.setTimeout(() => void tick(), period);
  };
  timer = clock.setTimeout(() => void tick(), 0);
  return () => {
    stopped = true;
    timer?.cancel();
  };
}
