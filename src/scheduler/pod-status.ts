/** Writes why a pod waits into its status: the condition PodScheduled and nominatedNodeName. One write a pod at a time, the newest wins. */
import { Pod } from '#api';
import type { PodCondition } from '#api';
import type { Client } from '#client';
import { timestamp } from '#machinery/clock';
import type { Clock } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { keyOf, refOf } from '#machinery/meta';
import { isNotFound } from '#machinery/status';

interface Patch {
  conditions?: PodCondition[];
  nominatedNodeName?: string | null;
}

export class PodStatusWriter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pending = new Map<string, Patch>();
  readonly #writing = new Map<string, Promise<void>>();

  constructor(client: Client, clock: Clock, log: Log) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  /** `nominatedNodeName`: undefined leaves it, '' removes it. */
  rejected(pod: Pod, reason: 'Unschedulable' | 'SchedulerError', message: string, nominatedNodeName: string | undefined): void {
    const patch: Patch = {};
    const old = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
    const generation = pod.metadata?.generation;
    const key = keyOf(pod);
    const queued = this.#pending.get(key) ?? {};
    if (queued.conditions ?? (old?.status !== 'False' || old.reason !== reason || old.message !== message))
      patch.conditions = [
        {
          type: 'PodScheduled',
          status: 'False',
          reason,
          message,
          lastProbeTime: null as unknown as string,
          lastTransitionTime: old?.status === 'False' && old.lastTransitionTime ? old.lastTransitionTime : timestamp(this.#clock),
          ...(generation !== undefined && { observedGeneration: generation }),
        },
      ];
    if (nominatedNodeName !== undefined && ((pod.status?.nominatedNodeName ?? '') !== nominatedNodeName || this.#writing.has(key)))
      patch.nominatedNodeName = nominatedNodeName || null;
    if (Object.keys(patch).length === 0) return;
    this.#pending.set(key, { ...queued, ...patch });
    if (!this.#writing.has(key)) this.#writing.set(key, this.#write(key));
  }

  /** Resolves when nothing is on its way. */
  async flushed(): Promise<void> {
    await Promise.all(this.#writing.values());
  }

  async #write(key: string): Promise<void> {
    for (let patch = this.#pending.get(key); patch; patch = this.#pending.get(key)) {
      this.#pending.delete(key);
      try {
        await this.#client.patch(Pod, refOf(key), 'strategic', { status: patch }, { subresource: 'status' });
      } catch (error) {
        if (!isNotFound(error)) this.#log.warn('Cannot update the status of a pod', { pod: key, error });
      }
    }
    this.#writing.delete(key);
  }
}
