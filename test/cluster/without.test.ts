/** A cluster that leaves a part to somebody else: a scheduler of one's own, over HTTP, finds pods waiting. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pod } from '#api';
import { informersOver } from '#client';
import { startCluster, startScheduler } from '#cluster';
import { systemClock as clock, systemRandom as random } from '#machinery/clock';
import { silentLog as log } from '#machinery/log';

test('without its scheduler a cluster leaves pods alone until another one comes', async () => {
  await using cluster = await startCluster({ name: 'without', machines: 1, without: ['scheduler'] });
  const { client } = cluster;
  await using informers = informersOver(client, { clock, random, log });
  await client.create(Pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'image:1' }] },
  });
  const pods = informers.for(Pod, { namespace: 'default' });
  await pods.synced;
  const pending = pods.get('default/a');
  assert.equal(pending?.spec?.nodeName ?? '', '');
  assert.equal(pending?.status?.conditions ?? undefined, undefined);

  const stopping = new AbortController();
  await using _scheduler = await startScheduler({ client: cluster.httpClient() }, { clock, random, log, signal: stopping.signal });
  await new Promise<void>((resolve) => {
    const look = (pod: Pod): void => {
      if (pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')) resolve();
    };
    pods.on({ added: look, updated: look });
  });
});
