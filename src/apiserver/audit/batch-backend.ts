import { TokenBucket } from '#client';
import { sleep } from '#machinery/clock';
import type { Clock, Timer } from '#machinery/clock';
import type { Log } from '#machinery/log';
import type { AuditEvent } from './event.ts';
import type { AuditBackend } from './trail.ts';

export interface BatchOptions {
  /** Events that may wait; what comes on top is lost. Default 10,000. */
  bufferSize?: number;
  /** Default 400. */
  maxBatchSize?: number;
  /** Milliseconds until a batch that is not full is sent. Default 30,000. */
  maxBatchWait?: number;
  /** Batches a second, and at once. Absent: as many as there are. */
  throttle?: { perSecond: number; burst: number };
  /** Sends a batch without waiting for the one before. */
  concurrent?: boolean;
}

/** Holds events back and sends many together, so that no request waits for it. upstream: apiserver/plugin/pkg/audit/buffered. */
export function batchBackend(
  send: (events: readonly AuditEvent[]) => Promise<void>,
  options: BatchOptions,
  { clock, log, close }: { clock: Clock; log: Log; close?: () => void | Promise<void> },
): AuditBackend {
  const { bufferSize = 10_000, maxBatchSize = 400, maxBatchWait = 30_000, throttle, concurrent = false } = options;
  const bucket = throttle && new TokenBucket(clock, throttle.perSecond, throttle.burst);
  let waiting: AuditEvent[] = [];
  let timer: Timer | undefined;
  let sending: Promise<unknown> = Promise.resolve();
  const deliver = async (batch: AuditEvent[]): Promise<void> => {
    try {
      await send(batch);
    } catch (error) {
      log.error('Audit events cannot be delivered', { events: batch.length, error });
    }
  };
  const flush = (): void => {
    timer?.cancel();
    timer = undefined;
    if (waiting.length === 0) return;
    const batch = waiting.splice(0, maxBatchSize);
    const before = sending;
    sending = (async () => {
      if (!concurrent) await before;
      const wait = bucket?.reserve() ?? 0;
      if (wait > 0) await sleep(clock, wait);
      await Promise.all([before, deliver(batch)]);
    })();
    if (waiting.length >= maxBatchSize) flush();
    else if (waiting.length > 0) timer = clock.setTimeout(flush, maxBatchWait);
  };
  return {
    record(event) {
      if (waiting.length >= bufferSize) {
        log.error('Audit event lost: audit buffer queue blocked', { auditID: event.auditID });
        return true;
      }
      waiting.push(event);
      if (waiting.length >= maxBatchSize) flush();
      else timer ??= clock.setTimeout(flush, maxBatchWait);
      return true;
    },
    async close() {
      while (waiting.length > 0) flush();
      await sending;
      await close?.();
    },
  };
}
