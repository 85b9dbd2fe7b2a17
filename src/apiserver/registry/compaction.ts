import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { Store } from '#store';

/**
 * Forgets what is older than one period: each tick compacts to the revision of the tick before. Answers how to stop.
 * upstream: apiserver/pkg/storage/etcd3/compact.go.
 */
export function compactPeriodically({ store, clock, log, period }: { store: Store; clock: Clock; log: Log; period: number }): () => void {
  if (period <= 0) return () => undefined;
  let timer: Timer | undefined;
  let stopped = false;
  let last = 0;
  const tick = async (): Promise<void> => {
    try {
      if (last > 1 && last > store.compactRevision()) await store.compact(last);
      last = await store.revision();
    } catch (error) {
      if (!stopped) log.warn('Store cannot be compacted', { revision: last, error });
    }
    if (!stopped) timer = clock.setTimeout(() => void tick(), period);
  };
  timer = clock.setTimeout(() => void tick(), 0);
  return () => {
    stopped = true;
    timer?.cancel();
  };
}
