/** upstream: pkg/registry/core/event/strategy.go. */
import { Event } from '../facts/kinds.ts';
import { defineKind } from '../contract.ts';
import { since, text } from '../columns.ts';
import type { Column } from '../contract.ts';
import { validateEvent } from './event-validation.ts';

const firstSeen = (event: Event, now: number): string => since(event.firstTimestamp || event.eventTime, now);

function lastSeen(event: Event, now: number): string {
  if (event.series) return since(event.series.lastObservedTime, now);
  return event.lastTimestamp ? since(event.lastTimestamp, now) : firstSeen(event, now);
}

function source({ source: from, reportingComponent, reportingInstance }: Event): string {
  const component = from?.component || (reportingComponent ?? '');
  const instance = from?.host || reportingInstance;
  return instance ? `${component}, ${instance}` : component;
}

function target({ involvedObject }: Event): string {
  const kind = (involvedObject?.kind ?? '').toLowerCase();
  return involvedObject?.name ? `${kind}/${involvedObject.name}` : kind;
}

export const eventColumns: Column<Event>[] = [
  text('Last Seen', lastSeen),
  text('Type', (event) => event.type ?? ''),
  text('Reason', (event) => event.reason ?? ''),
  text('Object', target),
  text('Subobject', (event) => event.involvedObject?.fieldPath ?? '', 1),
  text('Source', source, 1),
  text('Message', (event) => (event.message ?? '').trim()),
  text('First Seen', firstSeen, 1),
  text('Count', (event) => event.series?.count ?? (event.count || 1), 1),
  text('Name', (event) => event.metadata?.name ?? '', 1),
];

export const eventRules = defineKind<Event>({
  kind: Event,
  validate: validateEvent,
  validateUpdate: validateEvent,
  checksMetadata: false,
  allowCreateOnUpdate: true,
  columns: eventColumns,
  selectableFields: {
    'involvedObject.kind': (event) => event.involvedObject?.kind ?? '',
    'involvedObject.namespace': (event) => event.involvedObject?.namespace ?? '',
    'involvedObject.name': (event) => event.involvedObject?.name ?? '',
    'involvedObject.uid': (event) => event.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': (event) => event.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': (event) => event.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': (event) => event.involvedObject?.fieldPath ?? '',
    reason: (event) => event.reason ?? '',
    reportingComponent: (event) => event.reportingComponent ?? '',
    source: (event) => event.source?.component || (event.reportingComponent ?? ''),
    type: (event) => event.type ?? '',
  },
});
