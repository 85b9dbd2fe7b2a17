/** The same events as core's, with the fields' newer names. upstream: pkg/apis/events/v1/conversion.go. */
import { EventsV1Event } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { since, text } from '../columns.ts';
import { validateNewEvent, validateNewEventUpdate } from '../core/event-validation.ts';
import { eventToCore } from './convert.ts';

const firstSeen = (event: EventsV1Event, now: number): string => since(event.deprecatedFirstTimestamp || event.eventTime, now);

function lastSeen(event: EventsV1Event, now: number): string {
  if (event.series) return since(event.series.lastObservedTime, now);
  return event.deprecatedLastTimestamp ? since(event.deprecatedLastTimestamp, now) : firstSeen(event, now);
}

function source({ deprecatedSource, reportingController, reportingInstance }: EventsV1Event): string {
  const component = deprecatedSource?.component || (reportingController ?? '');
  const instance = deprecatedSource?.host || reportingInstance;
  return instance ? `${component}, ${instance}` : component;
}

function target({ regarding }: EventsV1Event): string {
  const kind = (regarding?.kind ?? '').toLowerCase();
  return regarding?.name ? `${kind}/${regarding.name}` : kind;
}

export const eventsV1EventRules = defineKind<EventsV1Event>({
  kind: EventsV1Event,
  validate: (event) => validateNewEvent(eventToCore(event)),
  validateUpdate: (event, old) => validateNewEventUpdate(eventToCore(event), eventToCore(old)),
  allowCreateOnUpdate: true,
  columns: [
    text('Last Seen', lastSeen),
    text('Type', (event) => event.type ?? ''),
    text('Reason', (event) => event.reason ?? ''),
    text('Object', target),
    text('Subobject', (event) => event.regarding?.fieldPath ?? '', 1),
    text('Source', source, 1),
    text('Message', (event) => (event.note ?? '').trim()),
    text('First Seen', firstSeen, 1),
    text('Count', (event) => event.series?.count ?? (event.deprecatedCount || 1), 1),
    text('Name', (event) => event.metadata?.name ?? '', 1),
  ],
  selectableFields: {
    'regarding.kind': (event) => event.regarding?.kind ?? '',
    'regarding.namespace': (event) => event.regarding?.namespace ?? '',
    'regarding.name': (event) => event.regarding?.name ?? '',
    'regarding.uid': (event) => event.regarding?.uid ?? '',
    'regarding.apiVersion': (event) => event.regarding?.apiVersion ?? '',
    'regarding.resourceVersion': (event) => event.regarding?.resourceVersion ?? '',
    'regarding.fieldPath': (event) => event.regarding?.fieldPath ?? '',
    reason: (event) => event.reason ?? '',
    reportingController: (event) => event.reportingController ?? '',
    type: (event) => event.type ?? '',
  },
});
