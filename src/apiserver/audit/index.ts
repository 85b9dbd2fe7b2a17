/**
 * What was asked, by whom, and what came of it, written down as a policy says. Step of the pod's way: none; it looks on.
 * Upstream counterpart: apiserver/pkg/audit. Invariant: with no policy it costs nothing; what is written of an object is what was sent.
 * Read first: trail.ts.
 */
export { batchBackend } from './batch-backend.ts';
export type { BatchOptions } from './batch-backend.ts';
export { logBackend, logBatches } from './log-backend.ts';
export type { LineSink } from './log-backend.ts';
export { auditPolicy } from './policy.ts';
export type { AuditPolicy } from './policy.ts';
export { RotatingFile } from './rotating-file.ts';
export type { RotatingFileOptions } from './rotating-file.ts';
export { Auditor } from './trail.ts';
export type { AuditBackend, AuditTrail } from './trail.ts';
export { truncatingBackend } from './truncating-backend.ts';
export { webhookBackend, webhookBatches } from './webhook-backend.ts';
