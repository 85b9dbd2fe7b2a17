import type { Event, ObjectReference } from '#api';
import { Event as EventKind } from '#api';
import type { Clock } from '#machinery/clock';
import { timestamp } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { silentLog } from '#machinery/log';
import type { KubeObject } from '#machinery/meta';
import { isNotFound } from '#machinery/status';
import type { Client, EventRecorder } from './contract.ts';
import { EventQueue, longestNote, referenceTo } from './event-queue.ts';
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

/** Numbers of client-go tools/record (events_cache.go). */
const limits = { remembered: 4096, aggregateAfter: 10, aggregateWindow: 600_000, spamBurst: 25, spamRate: 1 / 300 };

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
  const queue = new EventQueue(clock, log);

  /** Counts it, and answers how it is written. */
  const prepare = (involved: ObjectReference, type: string, reason: string, message: string): (() => Promise<void>) => {
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
      metadata: { name: known?.name ?? queue.nameFor(involved.name ?? ''), namespace },
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
    return async () => {
      if (known) {
        try {
          const body = { count, lastTimestamp: now, message: text };
          await client.patch(EventKind, { namespace, name: known.name }, 'strategic', body);
        } catch (error) {
          if (!isNotFound(error)) throw error;
          event.metadata.name = queue.nameFor(involved.name ?? '');
          await client.create(EventKind, event);
        }
      } else await client.create(EventKind, event);
      written.set(key, { count, name: event.metadata.name!, firstTimestamp: event.firstTimestamp! });
    };
  };

  return {
    event(object: KubeObject, type, reason, message, fieldPath) {
      if (queue.stopped) return;
      const involved: ObjectReference = { ...referenceTo(object), ...(fieldPath && { fieldPath }) };
      const { name, namespace, uid } = involved;
      const source = [component, host, involved.kind, namespace, name, uid, involved.apiVersion, type].join('\n');
      let bucket = spam.get(source);
      if (!bucket) spam.set(source, (bucket = new TokenBucket(clock, limits.spamRate, limits.spamBurst)));
      if (!bucket.tryTake()) return;
      queue.add({ reason, name }, () => prepare(involved, type, reason, message.slice(0, longestNote)));
    },
    flush: () => queue.flush(),
    stop: () => queue.stop(),
  };
}
