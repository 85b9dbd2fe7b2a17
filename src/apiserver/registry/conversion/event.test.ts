import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventConverter } from './event.ts';

test('an event of core/v1 has the newer names in events.k8s.io/v1, and no empty name of a reporter', async () => {
  const stored = {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: { name: 'e' },
    involvedObject: { kind: 'Pod', name: 'p' },
    message: 'm',
    eventTime: null,
  };
  const served = {
    kind: 'Event',
    apiVersion: 'events.k8s.io/v1',
    metadata: { name: 'e' },
    eventTime: null,
    regarding: { kind: 'Pod', name: 'p' },
    note: 'm',
  };
  const silent = { ...stored, reportingComponent: '', reportingInstance: '' };
  assert.deepEqual(await eventConverter.toServed([silent]), [served]);
  const reported = { ...stored, reportingComponent: 'c', reportingInstance: 'i' };
  const [event] = await eventConverter.toServed([reported]);
  assert.deepEqual(event, { ...served, reportingController: 'c', reportingInstance: 'i' });
  assert.deepEqual(await eventConverter.toStorage([event!]), [reported]);
});
