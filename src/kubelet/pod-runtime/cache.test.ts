import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerState, ContainerStatus, PodSandboxStatus, Runtime } from '#runtime';
import { PodCache } from './cache.ts';
import { labels } from './labels.ts';

const name = { uid: 'u', name: 'p', namespace: 'n' };
const sandbox = (state: PodSandboxStatus['state']): PodSandboxStatus => ({
  id: 's',
  ...(state && { state }),
  metadata: { uid: 'u', name: 'p', namespace: 'n' },
  network: { ip: '10.0.0.1' },
  createdAt: 1,
});
const container = (id: string, state: ContainerState): ContainerStatus => ({
  id,
  state,
  createdAt: 1,
  labels: { [labels.container]: id, [labels.uid]: 'u' },
});
const states = (cache: PodCache): string[] => (cache.peek('u')?.containers ?? []).map(({ id, state }) => `${id} ${state}`).toSorted();

test('events move a pod on, and late ones take nothing back', async () => {
  const cache = new PodCache({} as Runtime, true);
  const ready = sandbox('SANDBOX_READY');
  assert.equal(await cache.takeEvent(name, ready, [container('a', 'CONTAINER_RUNNING')]), true);
  assert.deepEqual(states(cache), ['a running']);
  assert.deepEqual(cache.peek('u')?.ips, ['10.0.0.1']);
  assert.equal(await cache.takeEvent(name, ready, [container('a', 'CONTAINER_CREATED')]), false);
  assert.equal(await cache.takeEvent(name, ready, [container('a', 'CONTAINER_EXITED')]), true);
  assert.equal(await cache.takeEvent(name, ready, [container('a', 'CONTAINER_RUNNING')]), false);
  assert.deepEqual(states(cache), ['a exited']);
  assert.equal(await cache.takeEvent(name, sandbox('SANDBOX_NOTREADY'), []), true);
  assert.equal(await cache.takeEvent(name, ready, []), false);
  // Its address stays the pod's last one.
  assert.deepEqual(cache.peek('u')?.ips, ['10.0.0.1']);
  assert.equal(await cache.takeEvent(name, undefined, [], 'a'), true);
  assert.deepEqual(states(cache), []);
});

test('a pod is busy while anything is done to it', async () => {
  const cache = new PodCache({} as Runtime, true);
  const idle: string[] = [];
  cache.idle = (uid) => void idle.push(uid);
  const first = Promise.withResolvers<void>();
  const working = cache.during('u', () => first.promise);
  await cache.during('u', async () => assert.equal(cache.isBusy('u'), true));
  assert.deepEqual([cache.isBusy('u'), idle], [true, []]);
  first.resolve();
  await working;
  assert.deepEqual([cache.isBusy('u'), idle], [false, ['u']]);
});
