/** Between the two groups' spellings of one event. upstream: pkg/apis/events/v1/conversion.go. */
import type { Event, EventsV1Event } from '../facts/types.ts';

const names = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
] as const;

function renamed(object: object, from: 0 | 1, apiVersion: string): Record<string, unknown> {
  const result: Record<string, unknown> = { ...object, apiVersion };
  for (const pair of names) {
    const value = result[pair[from]];
    delete result[pair[from]];
    if (value !== undefined) result[pair[1 - from]!] = value;
  }
  return result;
}

/** As core/v1 has it: how events are stored. */
export const eventToCore = (event: EventsV1Event): Event => renamed(event, 1, 'v1') as unknown as Event;
/** As events.k8s.io/v1 has it. */
export const eventToEvents = (event: Event): EventsV1Event => renamed(event, 0, 'events.k8s.io/v1') as unknown as EventsV1Event;
