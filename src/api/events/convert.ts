/** What events.k8s.io/v1 has, in core/v1's spelling. upstream: pkg/apis/events/v1/conversion.go. */
import type { Event, EventsV1Event } from '../facts/types.ts';

const names = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reportingController', 'reportingComponent'],
] as const;

export function eventToCore(event: EventsV1Event): Event {
  const result: Record<string, unknown> = { ...event, apiVersion: 'v1' };
  for (const [from, to] of names) {
    const value = result[from];
    delete result[from];
    if (value !== undefined) result[to] = value;
  }
  return result as unknown as Event;
}
