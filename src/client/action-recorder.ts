import type { EventsV1Event, ObjectReference } from '#api';
import { EventsV1Event as EventKind } from '#api';
import { microTimestamp, sleep } from '#machinery/clock';
import type { Clock, Timer } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { Log } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import { isNotFound, isStatus } from '#machinery/status';
import type { ActionRecorder, Client } from './contract.ts';

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
const limits = { finish: 360_000, refresh: 1_800_000, queued: 1000, tries: 12, retryDelay: 10_000 };

interface Known {
  event: EventsV1Event;
  observed: number;
  /** How often it was seen when it was written last. */
  told: number;
}

const referenceTo = ({ kind = '', apiVersion = '', metadata = {} }: KubeObject): ObjectReference => ({
  kind,
  ...(metadata.namespace && { namespace: metadata.namespace }),
  name: metadata.name ?? '',
  ...(metadata.uid && { uid: metadata.uid }),
  apiVersion,
  ...(metadata.resourceVersion && { resourceVersion: metadata.resourceVersion }),
});

/**
 * Records events.k8s.io/v1 Events: the second of a kind begins a series, which is counted here and told when it ends, or goes on for long.
 * upstream: client-go tools/events.
 */
export function actionRecorder(options: ActionRecorderOptions): RunningActionRecorder {
  const { client, clock, reportingController, host, log = silentLog } = options;
  const reportingInstance = `${reportingController}-${host}`;
  const known = new Map<string, Known>();
  const stopping = new AbortController();
  let queued = 0;
  let tail: Promise<void> = Promise.resolve();
  let timer: Timer | undefined;
  let refreshed = clock.now();
  let serial = 0;

  const write = async (entry: Known): Promise<void> => {
    const { event } = entry;
    const { series } = event;
    const { namespace = '', name = '' } = event.metadata ?? {};
    entry.told = series?.count ?? 1;
    for (let tries = 1; ; tries++)
      try {
        if (series)
          try {
            await client.patch(EventKind, { namespace, name }, 'strategic', { series });
            return;
          } catch (error) {
            if (!isNotFound(error)) throw error;
          }
        await client.create(EventKind, event);
        return;
      } catch (error) {
        // An answer is final; only a server out of reach is worth another try.
        if (!isStatus(error, 'ServiceUnavailable') || tries >= limits.tries || stopping.signal.aborted) {
          log.debug('Cannot write an event', { error, reason: event.reason, object: event.regarding?.name });
          return;
        }
        await sleep(clock, limits.retryDelay, stopping.signal).catch(() => undefined);
      }
  };
  const later = (entry: Known): void => {
    if (queued >= limits.queued) {
      log.debug('Dropped an event: too many wait to be written', { reason: entry.event.reason });
      return;
    }
    queued++;
    tail = tail
      .then(() => write(entry))
      .catch((error: unknown) => log.error('Cannot record an event', { error }))
      .finally(() => queued--);
  };
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
      if (stopping.signal.aborted) return;
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
      // Nanoseconds since 1970, made unique by a counter: the clock counts milliseconds.
      const nanoseconds = BigInt(Math.trunc(clock.now())) * 1_000_000n + BigInt(serial++ % 1_000_000);
      const event: EventsV1Event = {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name: `${regarding.name!.slice(0, 236)}.${nanoseconds.toString(16)}`, namespace: regarding.namespace || 'default' },
        eventTime,
        reportingController,
        reportingInstance,
        action,
        reason,
        regarding,
        ...(related && { related }),
        note: note.slice(0, 1024),
        type,
      };
      known.set(key, (entry = { event, observed: clock.now(), told: 0 }));
      later(entry);
      timer ??= clock.setTimeout(look, limits.finish);
    },
    flush: () => tail,
    async stop() {
      stopping.abort();
      timer?.cancel();
      await tail;
    },
  };
}
