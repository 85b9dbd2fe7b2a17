import type { Event, ObjectReference } from '#api';
import { Event as EventKind } from '#api';
import type { Clock } from '#machinery/clock';
import { sleep, timestamp } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { silentLog } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import { isNotFound, isStatus } from '#machinery/status';
import type { Client, EventRecorder } from './contract.ts';
import { TokenBucket } from './token-bucket.ts';

export interface EventRecorderOptions {
  client: Client;
  clock: Clock;
  /** source.component and reportingComponent: "deployment-controller", "kubelet". */
  component: string;
  /** The node, for components that run on one. */
  host?: string;
  log?: Log;
}

export interface RunningEventRecorder extends EventRecorder {
  /** Resolves when everything recorded so far is written or given up. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

/** Numbers of client-go tools/record (events_cache.go, event.go). */
const limits = {
  remembered: 4096,
  aggregateAfter: 10,
  aggregateWindow: 600_000,
  spamBurst: 25,
  spamRate: 1 / 300,
  queued: 1000,
  tries: 12,
  retryDelay: 10_000,
};

/** A map that forgets what was not used for long: entries live in a young and an old half, of which the old one is dropped when the young is full. */
class Bounded<V> {
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  get(key: string): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }
  set(key: string, value: V): void {
    this.#young.set(key, value);
    if (this.#young.size < limits.remembered / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}

interface Written {
  count: number;
  name: string;
  firstTimestamp: string;
}

/** Records core/v1 Events: same ones are counted, like ones are combined, floods are dropped. upstream: client-go tools/record. */
export function eventRecorder({ client, clock, component, host = '', log = silentLog }: EventRecorderOptions): RunningEventRecorder {
  const spam = new Bounded<TokenBucket>();
  const groups = new Bounded<{ messages: Set<string>; last: number }>();
  const written = new Bounded<Written>();
  const stopping = new AbortController();
  let queued = 0;
  let tail: Promise<void> = Promise.resolve();
  let serial = 0;

  const nameFor = (object: string): string => {
    // Nanoseconds since 1970, made unique by a counter: the clock counts milliseconds.
    const nanoseconds = BigInt(Math.trunc(clock.now())) * 1_000_000n + BigInt(serial++ % 1_000_000);
    return `${object.slice(0, 236)}.${nanoseconds.toString(16)}`;
  };

  const write = async (involved: ObjectReference, type: string, reason: string, message: string): Promise<void> => {
    const subject = [
      component,
      host,
      involved.kind,
      involved.namespace,
      involved.name,
      involved.fieldPath,
      involved.uid,
      involved.apiVersion,
      type,
      reason,
    ].join('\n');
    const now = timestamp(clock);
    let group = groups.get(subject);
    if (!group || clock.now() - group.last > limits.aggregateWindow) group = { messages: new Set(), last: 0 };
    group.messages.add(message);
    group.last = clock.now();
    groups.set(subject, group);
    let key = `${subject}\n${message}`;
    let text = message;
    if (group.messages.size >= limits.aggregateAfter) {
      group.messages.delete(group.messages.values().next().value!);
      key = subject;
      text = `(combined from similar events): ${message}`;
    }
    const known = written.get(key);
    const namespace = involved.namespace || 'default';
    const count = (known?.count ?? 0) + 1;
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: known?.name ?? nameFor(involved.name ?? ''), namespace },
      involvedObject: involved,
      reason,
      message: text,
      type,
      source: { component, ...(host && { host }) },
      firstTimestamp: known?.firstTimestamp ?? now,
      lastTimestamp: now,
      count,
      reportingComponent: component,
      reportingInstance: host,
    };
    for (let tries = 1; ; tries++)
      try {
        if (known) {
          try {
            const body = { count, lastTimestamp: now, message: text };
            await client.patch(EventKind, { namespace, name: known.name }, 'strategic', body);
          } catch (error) {
            if (!isNotFound(error)) throw error;
            event.metadata.name = nameFor(involved.name ?? '');
            await client.create(EventKind, event);
          }
        } else await client.create(EventKind, event);
        written.set(key, { count, name: event.metadata.name!, firstTimestamp: event.firstTimestamp! });
        return;
      } catch (error) {
        // An answer is final (the namespace is going away, for one); only a server out of reach is worth another try.
        if (!isStatus(error, 'ServiceUnavailable') || tries >= limits.tries || stopping.signal.aborted) {
          log.debug('Cannot write an event', { error, reason, object: involved.name });
          return;
        }
        await sleep(clock, limits.retryDelay, stopping.signal).catch(() => undefined);
      }
  };

  return {
    event(object: KubeObject, type, reason, message, fieldPath) {
      if (stopping.signal.aborted) return;
      const { name = '', namespace, uid, resourceVersion } = object.metadata ?? {};
      const involved: ObjectReference = {
        kind: object.kind ?? '',
        ...(namespace && { namespace }),
        name,
        ...(uid && { uid }),
        apiVersion: object.apiVersion ?? '',
        ...(resourceVersion && { resourceVersion }),
        ...(fieldPath && { fieldPath }),
      };
      const source = [component, host, involved.kind, namespace, name, uid, involved.apiVersion, type].join('\n');
      let bucket = spam.get(source);
      if (!bucket) spam.set(source, (bucket = new TokenBucket(clock, limits.spamRate, limits.spamBurst)));
      if (!bucket.tryTake()) return;
      if (queued >= limits.queued) {
        log.debug('Dropped an event: too many wait to be written', { reason });
        return;
      }
      queued++;
      tail = tail
        .then(() => write(involved, type, reason, message.slice(0, 1024)))
        .catch((error: unknown) => log.error('Cannot record an event', { error }))
        .finally(() => queued--);
    },
    flush: () => tail,
    async stop() {
      stopping.abort();
      await tail;
    },
  };
}
