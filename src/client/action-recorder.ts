import type { EventsV1Event } from '#api';
import { EventsV1Event as EventKind } from '#api';
import { microTimestamp } from '#machinery/clock';
import type { Clock, Timer } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { Log } from '#machinery/log';
import { isNotFound } from '#machinery/status';
import type { ActionRecorder, Client } from './contract.ts';
import { EventQueue, longestNote, referenceTo } from './event-queue.ts';

export interface ActionRecorderOptions {
  client: Client;
  clock: Clock;
  /** "default-scheduler". */
  reportingController: string;
  /** The machine it runs on: its instance is named after both. */
  host: string;
  log?: Log;
}

export interface RunningActionRecorder extends ActionRecorder {
  /** Resolves when everything recorded so far is written or given up. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** Numbers of client-go tools/events (event_broadcaster.go). */
const limits = { finish: 360_000, refresh: 1_800_000 };

interface Known {
  event: EventsV1Event;
  observed: number;
  /** How often it was seen when it was written last. */
  told: number;
}

/**
 * Records events.k8s.io/v1 Events: the second of a kind begins a series, which is counted here and told when it ends, or goes on for long.
 * upstream: client-go tools/events.
 */
export function actionRecorder(options: ActionRecorderOptions): RunningActionRecorder {
  const { client, clock, reportingController, host, log = silentLog } = options;
  const reportingInstance = `${reportingController}-${host}`;
  const known = new Map<string, Known>();
  const queue = new EventQueue(clock, log);
  let timer: Timer | undefined;
  let refreshed = clock.now();

  const later = (entry: Known): void =>
    queue.add({ reason: entry.event.reason ?? '', name: entry.event.regarding?.name }, () => {
      const { event } = entry;
      const { series } = event;
      const { namespace = '', name = '' } = event.metadata ?? {};
      entry.told = series?.count ?? 1;
      return async () => {
        if (series)
          try {
            await client.patch(EventKind, { namespace, name }, 'strategic', { series });
            return;
          } catch (error) {
            if (!isNotFound(error)) throw error;
          }
        await client.create(EventKind, event);
      };
    });
  /** Forgets what is over, and tells how often it was. Runs only while something is remembered. */
  const look = (): void => {
    const now = clock.now();
    const refresh = now - refreshed >= limits.refresh;
    if (refresh) refreshed = now;
    for (const [key, entry] of known) {
      const over = now - entry.observed >= limits.finish;
      const count = entry.event.series?.count ?? 1;
      if ((over || refresh) && count > entry.told) later(entry);
      if (over) known.delete(key);
    }
    timer = known.size > 0 ? clock.setTimeout(look, limits.finish) : undefined;
  };

  return {
    record({ regarding: about, related: other, type, reason, action, note }) {
      if (queue.stopped) return;
      const regarding = referenceTo(about);
      const related = other && referenceTo(other);
      const key = JSON.stringify([type, action, reason, regarding, related]);
      const eventTime = microTimestamp(clock);
      let entry = known.get(key);
      if (entry) {
        entry.observed = clock.now();
        const before = entry.event.series?.count ?? 1;
        entry.event = { ...entry.event, series: { count: before + 1, lastObservedTime: eventTime } };
        if (before === 1) later(entry);
        return;
      }
      const event: EventsV1Event = {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name: queue.nameFor(regarding.name!), namespace: regarding.namespace || 'default' },
        eventTime,
        reportingController,
        reportingInstance,
        action,
        reason,
        regarding,
        ...(related && { related }),
        note: note.slice(0, longestNote),
        type,
      };
      known.set(key, (entry = { event, observed: clock.now(), told: 0 }));
      later(entry);
      timer ??= clock.setTimeout(look, limits.finish);
    },
    flush: () => queue.flush(),
    stop() {
      timer?.cancel();
      return queue.stop();
    },
  };
}
