import type { Log } from '#machinery/log';
import type { AuditEvent } from './event.ts';
import type { AuditBackend } from './trail.ts';

/** Where lines go: a rotating file, the standard output. Throws where they cannot be written. */
export interface LineSink {
  write(text: string): void;
  close?(): void | Promise<void>;
}

/** One JSON line an event, written before the request goes on. upstream: apiserver/plugin/pkg/audit/log. */
export function logBackend(sink: LineSink, log: Log, strict: boolean): AuditBackend {
  return {
    record(event) {
      try {
        sink.write(`${JSON.stringify(event)}\n`);
        return true;
      } catch (error) {
        log.error('Audit event cannot be written', { auditID: event.auditID, error });
        return !strict;
      }
    },
    close: async () => sink.close?.(),
  };
}

/** The same a batch at a time. */
export const logBatches = (sink: LineSink) => (events: readonly AuditEvent[]) => {
  sink.write(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  return Promise.resolve();
};
