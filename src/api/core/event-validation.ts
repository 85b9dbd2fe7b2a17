/** Events, by the rules of either group. upstream: pkg/apis/core/validation/events.go. */
import { isDNS1123Subdomain } from '#machinery/names';
import { checkImmutable, checkQualifiedName, invalidField, invalidFor, required } from '../checks.ts';
import type { Errors } from '../checks.ts';
import type { Event } from '../facts/types.ts';
import { same } from '../same.ts';

const longestName = 128;
const longestNote = 1024;

/** `component`: how the request's version calls the reporting controller. upstream: legacyValidateEvent. */
function checkEvent(errors: Errors, event: Event, component: 'reportingComponent' | 'reportingController'): void {
  const { eventTime, reportingComponent = '', reportingInstance = '', action = '', reason = '', message = '' } = event;
  const namespace = event.metadata?.namespace ?? '';
  const about = event.involvedObject?.namespace ?? '';
  const mismatch = (): void => {
    errors.push(invalidField('involvedObject.namespace', about, 'does not match event.namespace'));
  };
  if (!eventTime) {
    if (about ? namespace !== about : namespace !== '' && namespace !== 'default') mismatch();
  } else {
    if (!about && namespace !== 'default' && namespace !== 'kube-system') mismatch();
    if (!reportingComponent) errors.push(required(component));
    checkQualifiedName(errors, component, reportingComponent);
    for (const [field, value, limit] of [
      ['reportingInstance', reportingInstance, longestName],
      ['action', action, longestName],
      ['reason', reason, longestName],
    ] as const) {
      if (!value) errors.push(required(field));
      if (Buffer.byteLength(value) > limit) errors.push(invalidField(field, '', `can have at most ${limit} characters`));
    }
    if (Buffer.byteLength(message) > longestNote) errors.push(invalidField('message', '', `can have at most ${longestNote} characters`));
  }
  invalidFor(errors, 'namespace', namespace, isDNS1123Subdomain(namespace));
}

export function validateEvent(event: Event): Errors {
  const errors: Errors = [];
  checkEvent(errors, event, 'reportingComponent');
  return errors;
}

function checkSeries(errors: Errors, { series }: Event): void {
  if (!series) return;
  if ((series.count ?? 0) < 2) errors.push(invalidField('series.count', '', 'should be at least 2'));
  if (!series.lastObservedTime) errors.push(required('series.lastObservedTime'));
}

/** By events.k8s.io's rules; the event is given with core's names, as upstream's texts have them. */
export function validateNewEvent(event: Event): Errors {
  const errors: Errors = [];
  checkEvent(errors, event, 'reportingController');
  checkSeries(errors, event);
  if (!event.eventTime) errors.push(required('eventTime'));
  if (event.type !== 'Normal' && event.type !== 'Warning') errors.push(invalidField('type', '', `has invalid value: ${event.type ?? ''}`));
  const unset: [string, unknown][] = [
    ['firstTimestamp', event.firstTimestamp],
    ['lastTimestamp', event.lastTimestamp],
    ['count', event.count],
    ['source', event.source?.component || event.source?.host],
  ];
  for (const [field, value] of unset) if (value) errors.push(invalidField(field, '', 'needs to be unset'));
  return errors;
}

const toMicroseconds = (time: string | undefined): string => (time ? time.replace(/(\.\d{6})\d*Z$/, '$1Z') : '');

export function validateNewEventUpdate(event: Event, old: Event): Errors {
  const errors: Errors = [];
  checkEvent(errors, event, 'reportingController');
  if (!same(event.series, old.series)) checkSeries(errors, event);
  // A text that is not there is shown as the empty one.
  const fixed = (path: string, now: unknown, before: unknown): void => {
    if (!same(now, before)) checkImmutable(errors, path, now ?? (typeof before === 'string' ? '' : null), before ?? null);
  };
  for (const field of ['involvedObject', 'reason', 'message', 'source', 'count', 'type'] as const) fixed(field, event[field], old[field]);
  for (const field of ['firstTimestamp', 'lastTimestamp'] as const)
    if (!same(event[field], old[field])) checkImmutable(errors, field, event[field], old[field]);
  if (toMicroseconds(event.eventTime) !== toMicroseconds(old.eventTime))
    checkImmutable(errors, 'eventTime', event.eventTime ?? null, old.eventTime ?? null);
  for (const [field, path] of [
    ['action', 'action'],
    ['related', 'related'],
    ['reportingComponent', 'reportingController'],
    ['reportingInstance', 'reportingInstance'],
  ] as const)
    fixed(path, event[field], old[field]);
  return errors;
}
