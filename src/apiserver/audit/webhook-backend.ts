import type { Log } from '#machinery/log';
import type { ConfiguredWebhook } from '../webhook/configured-client.ts';
import type { AuditEvent } from './event.ts';
import type { AuditBackend } from './trail.ts';

/** Sends events as an EventList. upstream: apiserver/plugin/pkg/audit/webhook. */
export const webhookBatches =
  (webhook: ConfiguredWebhook) =>
  async (items: readonly AuditEvent[]): Promise<void> => {
    await webhook.post({ kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items });
  };

/** One event a call, for which the request waits. `strict`: what cannot be delivered lets no request go on. */
export function webhookBackend(webhook: ConfiguredWebhook, log: Log, strict: boolean): AuditBackend {
  const send = webhookBatches(webhook);
  const running = new Set<Promise<boolean>>();
  return {
    record(event) {
      const call = send([event])
        .then(
          () => true,
          (error: unknown) => {
            log.error('Audit event cannot be delivered', { auditID: event.auditID, error });
            return !strict;
          },
        )
        .finally(() => running.delete(call));
      running.add(call);
      return call;
    },
    async close() {
      await Promise.all(running);
      webhook.close();
    },
  };
}
