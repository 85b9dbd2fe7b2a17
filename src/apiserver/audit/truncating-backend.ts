import type { Log } from '#machinery/log';
import type { AuditEvent } from './event.ts';
import type { AuditBackend } from './trail.ts';

const annotation = 'audit.k8s.io/truncated';
const withObjects = new Set(['Request', 'RequestResponse']);

const sizeOf = (event: AuditEvent): number => Buffer.byteLength(JSON.stringify(event));

function withoutObjects({ requestObject: _, responseObject: __, annotations, ...rest }: AuditEvent): AuditEvent {
  return { ...rest, annotations: { ...(annotations as Record<string, string> | undefined), [annotation]: 'true' } } as AuditEvent;
}

/** Events too big for who gets them go without their objects; those that still are, are lost. upstream: apiserver/plugin/pkg/audit/truncate. */
export const truncatingBackend = (backend: AuditBackend, maxEventSize: number, log: Log): AuditBackend => ({
  record(event) {
    let size = sizeOf(event);
    if (size > maxEventSize && withObjects.has(event.level)) {
      event = withoutObjects(event);
      size = sizeOf(event);
    }
    if (size > maxEventSize) {
      log.error('Audit event lost: it is too large even after truncating', { auditID: event.auditID, size });
      return true;
    }
    return backend.record(event);
  },
  close: () => backend.close(),
});
