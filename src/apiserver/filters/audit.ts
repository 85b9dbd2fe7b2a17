/** What is told about each request. Policies and back ends (log, webhook) are `AuditSink`s. upstream: apiserver/pkg/audit. */
import type { Status } from '#api';
import type { RequestInfo, UserInfo } from '../contract.ts';

export interface AuditEvent {
  auditID: string;
  stage: 'RequestReceived' | 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  info: RequestInfo;
  requestURI: string;
  user: UserInfo;
  impersonatedUser?: UserInfo;
  sourceIPs: string[];
  userAgent: string;
  code?: number;
  status?: Status;
  /** Milliseconds since 1970. */
  received: number;
  at: number;
  annotations: Record<string, string>;
  /** For sinks whose policy wants them. */
  requestObject?: unknown;
  responseObject?: unknown;
}

/** Never throws, never waits. */
export type AuditSink = (event: AuditEvent) => void;
