import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Pod } from '#api';
import { virtualClock } from '#machinery/clock';
import { silentLog } from '#machinery/log';
import type { Runtime } from '#runtime';
import { killPod } from './kill.ts';
import type { RuntimePod } from './runtime-pod.ts';

const container = (name: string, more: Partial<Container> = {}): Container => ({ name, image: 'x', ...more });

function pod(spec: { containers: Container[]; initContainers?: Container[] }): { pod: Pod; state: RuntimePod } {
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  return {
    pod: { metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec: { terminationGracePeriodSeconds: 30, ...spec } },
    state: {
      uid: 'u',
      name: 'p',
      namespace: 'n',
      ips: ['10.0.0.1'],
      sandboxes: [{ id: 's', state: 'SANDBOX_READY' }],
      containers: all.map(({ name }) => ({ id: name, name, state: 'running' }) as RuntimePod['containers'][number]),
    },
  };
}

/** Containers take `seconds` to end; tells when each was stopped and with which grace period. */
function setup(seconds: number) {
  const clock = virtualClock();
  const steps: string[] = [];
  const runtime = {
    runtime: {
      stopContainer: ({ containerId, timeout }: { containerId: string; timeout: number }) =>
        new Promise<void>((resolve) => {
          steps.push(`${clock.now() / 1000}s stop ${containerId} ${timeout}`);
          clock.setTimeout(resolve, seconds * 1000);
        }),
      stopPodSandbox: async () => void steps.push(`${clock.now() / 1000}s sandbox`),
      execSync: () => new Promise((resolve) => clock.setTimeout(() => resolve({ exitCode: 0 }), 3000)),
    },
  } as unknown as Runtime;
  const events: string[] = [];
  const deps = { runtime, clock, log: silentLog, events: { event: (_: object, __: string, reason: string) => void events.push(reason) } };
  return { clock, steps, events, deps };
}

test('a preStop hook uses up the grace period', async () => {
  const { clock, steps, deps } = setup(0);
  const { pod: subject, state } = pod({ containers: [container('a', { lifecycle: { preStop: { exec: { command: ['x'] } } } })] });
  const killing = killPod(subject, state, {}, deps);
  await clock.advance(10_000);
  await killing;
  assert.deepEqual(steps, ['3s stop a 27', '3s sandbox']);
});

test('a hook that takes too long is left behind', async () => {
  const { clock, steps, deps } = setup(0);
  const { pod: subject, state } = pod({ containers: [container('a', { lifecycle: { preStop: { sleep: { seconds: 100 } } } })] });
  const killing = killPod(subject, state, { gracePeriod: 5 }, deps);
  await clock.advance(10_000);
  await killing;
  assert.deepEqual(steps, ['5s stop a 2', '5s sandbox']);
});

test('sidecars end after the containers they serve, the last one first', async () => {
  const { clock, steps, events, deps } = setup(2);
  const sidecar = { restartPolicy: 'Always' };
  const { pod: subject, state } = pod({
    initContainers: [container('s1', sidecar), container('s2', sidecar)],
    containers: [container('a'), container('b')],
  });
  const killing = killPod(subject, state, {}, deps);
  await clock.advance(20_000);
  await killing;
  assert.deepEqual(steps, ['0s stop a 30', '0s stop b 30', '2s stop s2 28', '4s stop s1 26', '6s sandbox']);
  assert.equal(events.filter((reason) => reason === 'Killing').length, 4);
});
