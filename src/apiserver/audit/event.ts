/** An audit event as it is written: audit.k8s.io/v1 Event, its fields in upstream's order. */
import type { Status } from '#api';
import type { RequestInfo, UserInfo } from '../contract.ts';
import type { Level, Stage } from './policy.ts';

/** How a request came. */
export interface Asked {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly remoteAddress: string;
}

export interface AuditEvent {
  kind: 'Event';
  apiVersion: 'audit.k8s.io/v1';
  level: Level;
  auditID: string;
  stage: Stage;
  [field: string]: unknown;
}

const longestUserAgent = 1024;

export function shortUserAgent(header: string | undefined): string {
  const agent = header ?? '';
  return agent.length > longestUserAgent ? `${agent.slice(0, longestUserAgent)}...TRUNCATED` : agent;
}

/** Whom the request came by, the client first. upstream: apimachinery/pkg/util/net SourceIPs. */
export function sourceIPs(headers: Asked['headers'], remote: string): string[] {
  const forwarded = String(headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((address) => address.trim())
    .filter(isAddress);
  const real = String(headers['x-real-ip'] ?? '').trim();
  if (forwarded.length === 0 && isAddress(real)) forwarded.push(real);
  const last = remote.replace(/^::ffff:/, '');
  return forwarded.at(-1) === last || !last ? forwarded : [...forwarded, last];
}

const isAddress = (text: string): boolean => /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$/.test(text);

export const userOf = ({ name, uid, groups, extra }: UserInfo): Record<string, unknown> => ({
  ...(name && { username: name }),
  ...(uid && { uid }),
  ...(groups.length > 0 && { groups }),
  ...(extra && Object.keys(extra).length > 0 && { extra }),
});

/** What is known of the object from the path, completed by the object itself. */
export function objectReference(
  info: RequestInfo,
  meta: { namespace?: string; name?: string; uid?: string; resourceVersion?: string } = {},
) {
  const fields: [string, string | undefined][] = [
    ['resource', info.resource],
    ['namespace', info.namespace || meta.namespace],
    ['name', info.name || meta.name],
    ['uid', meta.uid],
    ['apiGroup', info.group],
    ['apiVersion', info.version],
    ['resourceVersion', meta.resourceVersion],
    ['subresource', info.subresource],
  ];
  return Object.fromEntries(fields.filter(([, value]) => value));
}

/** The bounded fields of a Status. */
export function responseStatus(code: number, status: Status | undefined): Record<string, unknown> {
  const { status: outcome, message, reason, details } = status ?? {};
  return {
    metadata: {},
    ...(outcome && { status: outcome }),
    ...(message && { message }),
    ...(reason && { reason }),
    ...(details && Object.keys(details).length > 0 && { details }),
    code,
  };
}

/** Microseconds since 1970 as the API writes times. */
export const microTime = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 23)}000Z`;

/** JSON that was made already, put into an event as it is. */
export function withoutManagedFields(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const strip = (object: unknown): unknown => {
    const { metadata, ...rest } = object as { metadata?: { managedFields?: unknown } };
    if (!metadata || !('managedFields' in metadata)) return object;
    const { managedFields: _, ...kept } = metadata;
    return { ...(object as object), ...rest, metadata: kept };
  };
  const { items, rows } = value as { items?: unknown[]; rows?: { object?: unknown }[] };
  if (Array.isArray(items)) return { ...value, items: items.map(strip) };
  if (Array.isArray(rows)) return { ...value, rows: rows.map((row) => (row.object ? { ...row, object: strip(row.object) } : row)) };
  return strip(value);
}
