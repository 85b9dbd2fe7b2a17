import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '#api';
import { seededRandom, virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { PodSyncer } from './pod-workers.ts';
import { PodWorkers } from './pod-workers.ts';

const pod = (metadata: Partial<NonNullable<Pod['metadata']>> = {}): Pod => ({
  metadata: { name: 'a', namespace: 'default', uid: 'u', ...metadata },
  spec: { containers: [], terminationGracePeriodSeconds: 30 },
});

function make(overrides: Partial<PodSyncer> = {}): { workers: PodWorkers; steps: string[]; clock: ReturnType<typeof virtualClock> } {
  const clock = virtualClock();
  const steps: string[] = [];
  const step = (name: string) => async () => void steps.push(name);
  const workers = new PodWorkers(
    {
      sync: async () => {
        steps.push('sync');
        return { terminal: false };
      },
      terminate: async (_pod, { gracePeriod }) => void steps.push(`terminate ${gracePeriod}`),
      cleanUp: step('clean up'),
      forget: step('forget'),
      ...overrides,
    },
    { clock, random: seededRandom(1), log: silentLog },
  );
  return { workers, steps, clock };
}

test('a pod is synced, ended when deleted, and forgotten when the API has forgotten it', async () => {
  const { workers, steps, clock } = make();
  workers.update(pod());
  await clock.advance(0);
  workers.update(pod({ deletionTimestamp: '2030-01-01T00:00:00Z', deletionGracePeriodSeconds: 5 }));
  await clock.advance(0);
  assert.deepEqual(steps, ['sync', 'terminate 5', 'clean up']);
  assert.equal(workers.phase('u'), 'finished');
  workers.remove(pod());
  await clock.advance(0);
  assert.deepEqual(steps.at(-1), 'forget');
  assert.equal(workers.phase('u'), undefined);
});

test('a shorter grace period cuts the longer one off', async () => {
  const asked: number[] = [];
  const { workers, clock } = make({
    terminate: (_pod, { gracePeriod }, signal) => {
      asked.push(gracePeriod);
      return new Promise((resolve, reject) => {
        if (gracePeriod === 1) resolve();
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    },
  });
  workers.update(pod({ deletionTimestamp: 'x', deletionGracePeriodSeconds: 30 }));
  await clock.advance(0);
  workers.update(pod({ deletionTimestamp: 'x', deletionGracePeriodSeconds: 0 }));
  await clock.advance(0);
  assert.deepEqual(asked, [30, 1]);
  assert.equal(workers.phase('u'), 'finished');
});

test('a failed step is tried again, after the time it asks for', async () => {
  let tries = 0;
  const { workers, clock } = make({
    sync: async () => {
      tries++;
      throw Object.assign(new Error('not yet'), { retryAfter: 500 });
    },
  });
  workers.update(pod());
  await clock.advance(0);
  assert.equal(tries, 1);
  await clock.advance(499);
  assert.equal(tries, 1);
  await clock.advance(1);
  assert.equal(tries, 2);
  await workers.stop();
  assert.equal(clock.pending, 0);
});
