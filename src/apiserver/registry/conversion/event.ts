import type { Event, EventsV1Event } from '#api';
import type { KubeObject } from '#machinery/meta';
import type { Converter } from '../generic/conversion.ts';

/** The same object under other field names. upstream: pkg/apis/events/v1/conversion.go. */
function toServed(object: KubeObject): EventsV1Event {
  const {
    involvedObject,
    message,
    source,
    firstTimestamp,
    lastTimestamp,
    count,
    reportingComponent,
    reportingInstance,
    metadata,
    kind: _,
    apiVersion: __,
    ...same
  } = object as Event;
  return {
    kind: 'Event',
    apiVersion: 'events.k8s.io/v1',
    metadata,
    ...(same as Omit<EventsV1Event, 'kind' | 'apiVersion' | 'metadata'>),
    ...(involvedObject && { regarding: involvedObject }),
    ...(message !== undefined && { note: message }),
    ...(source && { deprecatedSource: source }),
    ...(firstTimestamp !== undefined && { deprecatedFirstTimestamp: firstTimestamp }),
    ...(lastTimestamp !== undefined && { deprecatedLastTimestamp: lastTimestamp }),
    ...(count !== undefined && { deprecatedCount: count }),
    // Without omitempty in core/v1 alone.
    ...(reportingComponent && { reportingController: reportingComponent }),
    ...(reportingInstance && { reportingInstance }),
  };
}

function toStorage(object: KubeObject): Event {
  const {
    regarding,
    note,
    deprecatedSource,
    deprecatedFirstTimestamp,
    deprecatedLastTimestamp,
    deprecatedCount,
    reportingController,
    metadata,
    kind: _,
    apiVersion: __,
    ...same
  } = object as EventsV1Event;
  return {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: metadata ?? {},
    ...(same as Omit<Event, 'kind' | 'apiVersion' | 'metadata' | 'involvedObject'>),
    involvedObject: regarding ?? {},
    ...(note !== undefined && { message: note }),
    ...(deprecatedSource && { source: deprecatedSource }),
    ...(deprecatedFirstTimestamp !== undefined && { firstTimestamp: deprecatedFirstTimestamp }),
    ...(deprecatedLastTimestamp !== undefined && { lastTimestamp: deprecatedLastTimestamp }),
    ...(deprecatedCount !== undefined && { count: deprecatedCount }),
    ...(reportingController !== undefined && { reportingComponent: reportingController }),
  };
}

export const eventConverter: Converter = {
  toServed: (objects) => objects.map(toServed),
  toStorage: (objects) => objects.map(toStorage),
};
