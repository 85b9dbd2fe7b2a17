import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Node } from '#api';
import { harness } from './testing/harness.ts';

const sleeper = { name: 'main', image: 'busybox:1', imagePullPolicy: 'IfNotPresent', command: ['sleep', 'infinity'] };

test('a pod with one container becomes ready, and its node too', async () => {
  await using kubelet = await harness();
  const node = kubelet.api.object<Node>('nodes', undefined, 'node-1')!;
  assert.equal(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  kubelet.run('web', { containers: [sleeper] });
  await kubelet.settle();
  const { status } = kubelet.pod('web')!;
  assert.equal(status?.phase, 'Running');
  assert.deepEqual(Object.fromEntries(status!.conditions!.map(({ type, status: is }) => [type, is])), {
    PodReadyToStartContainers: 'True',
    Initialized: 'True',
    Ready: 'True',
    ContainersReady: 'True',
    PodScheduled: 'True',
  });
  assert.equal(status?.podIP, '10.1.0.1');
  assert.equal(status?.hostIP, '192.168.0.1');
  const [container] = status!.containerStatuses!;
  assert.equal(container!.ready, true);
  assert.equal(container!.started, true);
  assert.match(container!.containerID!, /^simulated:\/\//);
  assert.deepEqual(kubelet.reasons('web'), ['Pulling', 'Pulled', 'Created', 'Started']);
});

test('a deleted pod is ended, and leaves the API and the runtime', async () => {
  await using kubelet = await harness();
  kubelet.run('web', { containers: [sleeper] });
  await kubelet.settle();
  kubelet.api.deletePod('default', 'web');
  await kubelet.settle();
  assert.equal(kubelet.pod('web'), undefined);
  assert.deepEqual((await kubelet.runtime.runtime.listPodSandbox({})).items, []);
  assert.ok(kubelet.reasons('web').includes('Killing'));
});

const exits = (code: number, after = 0): Record<string, string> => ({ 'coxswain.dev/simulate': `exit ${code} after ${after}s` });
const main = (status: { containerStatuses?: { state?: object; restartCount: number; lastState?: object }[] } | undefined): any =>
  status?.containerStatuses?.[0];

test('a container that fails again and again is started later and later', async () => {
  await using kubelet = await harness();
  kubelet.run('crash', { containers: [sleeper] }, exits(3));
  await kubelet.settle();
  assert.equal(main(kubelet.pod('crash')!.status).state.waiting?.reason, 'CrashLoopBackOff');
  assert.equal(main(kubelet.pod('crash')!.status).restartCount, 1);
  assert.equal(main(kubelet.pod('crash')!.status).lastState.terminated.exitCode, 3);
  await kubelet.clock.advance(9_000);
  assert.equal(main(kubelet.pod('crash')!.status).restartCount, 1);
  await kubelet.clock.advance(2_000);
  await kubelet.settle();
  assert.equal(main(kubelet.pod('crash')!.status).restartCount, 2);
  assert.match(main(kubelet.pod('crash')!.status).state.waiting.message, /back-off 20s restarting failed container=main/);
});

test('a pod that must not restart ends as its containers did', async () => {
  await using kubelet = await harness();
  kubelet.run('done', { restartPolicy: 'Never', containers: [sleeper] }, exits(0, 5));
  kubelet.run('failed', { restartPolicy: 'Never', containers: [sleeper] }, exits(1, 5));
  await kubelet.settle();
  assert.equal(kubelet.pod('done')!.status?.phase, 'Running');
  await kubelet.clock.advance(6_000);
  await kubelet.settle();
  assert.equal(kubelet.pod('done')!.status?.phase, 'Succeeded');
  assert.equal(kubelet.pod('done')!.status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'PodCompleted');
  assert.equal(kubelet.pod('failed')!.status?.phase, 'Failed');
  kubelet.api.deletePod('default', 'done');
  await kubelet.settle();
  assert.equal(kubelet.pod('done'), undefined);
});

test('init containers run one after the other', async () => {
  await using kubelet = await harness();
  kubelet.run(
    'init',
    {
      initContainers: [
        { ...sleeper, name: 'first' },
        { ...sleeper, name: 'second' },
      ],
      containers: [sleeper],
    },
    { 'coxswain.dev/simulate.first': 'exit 0 after 1s', 'coxswain.dev/simulate.second': 'exit 0 after 1s' },
  );
  await kubelet.settle();
  const states = (): string[] => (kubelet.pod('init')!.status?.initContainerStatuses ?? []).map(({ state }) => Object.keys(state!)[0]!);
  assert.deepEqual(states(), ['running', 'waiting']);
  assert.equal(main(kubelet.pod('init')!.status).state.waiting.reason, 'PodInitializing');
  await kubelet.clock.advance(1_000);
  await kubelet.settle();
  assert.deepEqual(states(), ['terminated', 'running']);
  await kubelet.clock.advance(1_000);
  await kubelet.settle();
  assert.equal(kubelet.pod('init')!.status?.phase, 'Running');
});

test('what follows a container is not forgotten when it has ended before it was first looked at', async () => {
  await using kubelet = await harness({
    wrap: (base) => ({
      ...base,
      runtime: {
        ...base.runtime,
        async startContainer(request) {
          const answer = await base.runtime.startContainer(request);
          const { status } = await base.runtime.containerStatus({ containerId: request.containerId! });
          if (status?.metadata?.name !== 'first') return answer;
          while ((await base.runtime.containerStatus({ containerId: request.containerId! })).status?.state !== 'CONTAINER_EXITED')
            await new Promise((resolve) => setImmediate(resolve));
          return answer;
        },
      },
    }),
  });
  kubelet.run('quick', { initContainers: [{ ...sleeper, name: 'first', command: ['true'] }], containers: [sleeper] });
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await kubelet.settle();
  }
  assert.equal(kubelet.pod('quick')!.status?.phase, 'Running');
});

test('a pod waits for what its volumes name', async () => {
  await using kubelet = await harness();
  kubelet.run('web', {
    containers: [{ ...sleeper, volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
    volumes: [{ name: 'v', configMap: { name: 'late' } }],
  });
  await kubelet.settle();
  assert.equal(main(kubelet.pod('web')!.status).state.waiting.reason, 'ContainerCreating');
  assert.ok(kubelet.events.some(({ message }) => message === 'MountVolume.SetUp failed for volume "v" : configmap "late" not found'));
  kubelet.api.put('configmaps', { metadata: { name: 'late', namespace: 'default' } });
  await kubelet.settle();
  assert.equal(kubelet.pod('web')!.status?.phase, 'Running');
});

test('a restarted kubelet adopts what runs, and ends what nobody knows', async () => {
  await using kubelet = await harness();
  kubelet.run('stays', { containers: [sleeper] });
  kubelet.run('goes', { containers: [sleeper] });
  await kubelet.settle();
  const id = main(kubelet.pod('stays')!.status).containerID as string;
  const restarting = kubelet.restart();
  kubelet.api.remove('pods', 'default', 'goes');
  await restarting;
  await kubelet.settle();
  assert.equal(main(kubelet.pod('stays')!.status).containerID, id);
  assert.equal(main(kubelet.pod('stays')!.status).restartCount, 0);
  assert.equal((await kubelet.runtime.runtime.listPodSandbox({})).items?.length, 1);
});

test('a pod that does not fit is refused', async () => {
  await using kubelet = await harness({ capacity: { cpu: '1', memory: '1Gi' } });
  kubelet.run('big', { containers: [{ ...sleeper, resources: { requests: { cpu: '2' } } }] });
  kubelet.run('elsewhere', { containers: [sleeper], nodeSelector: { disk: 'ssd' } });
  await kubelet.settle();
  const { status } = kubelet.pod('big')!;
  assert.equal(status?.phase, 'Failed');
  assert.equal(status?.reason, 'OutOfcpu');
  assert.equal(status?.message, "Pod was rejected: Node didn't have enough resource: cpu, requested: 2000, used: 0, capacity: 1000");
  assert.equal(kubelet.pod('elsewhere')!.status?.reason, 'NodeAffinity');
});

test('a pod past its active deadline fails', async () => {
  await using kubelet = await harness();
  kubelet.run('slow', { containers: [sleeper], activeDeadlineSeconds: 10 });
  await kubelet.settle();
  assert.equal(kubelet.pod('slow')!.status?.phase, 'Running');
  await kubelet.clock.advance(11_000);
  await kubelet.settle();
  assert.equal(kubelet.pod('slow')!.status?.phase, 'Failed');
  assert.equal(kubelet.pod('slow')!.status?.reason, 'DeadlineExceeded');
});

test('probes decide whether a container is ready and when it restarts', async () => {
  const failing = new Set<string>();
  await using kubelet = await harness({
    wrap: (runtime) => ({
      ...runtime,
      runtime: {
        ...runtime.runtime,
        execSync: async ({ cmd = [] }) => ({ exitCode: failing.has(cmd[0]!) ? 1 : 0 }),
      },
    }),
  });
  failing.add('ready');
  kubelet.run('probed', {
    containers: [
      {
        ...sleeper,
        readinessProbe: { exec: { command: ['ready'] }, periodSeconds: 5, failureThreshold: 1 },
        livenessProbe: { exec: { command: ['live'] }, periodSeconds: 5, failureThreshold: 2, initialDelaySeconds: 3 },
      },
    ],
  });
  await kubelet.settle();
  const ready = (): boolean => main(kubelet.pod('probed')!.status).ready as boolean;
  await kubelet.clock.advance(4_000);
  assert.equal(ready(), false);
  failing.clear();
  await kubelet.clock.advance(5_000);
  await kubelet.settle();
  assert.equal(ready(), true);
  assert.equal(main(kubelet.pod('probed')!.status).restartCount, 0);
  failing.add('live');
  await kubelet.clock.advance(12_000);
  await kubelet.settle();
  assert.equal(main(kubelet.pod('probed')!.status).restartCount, 1);
  assert.ok(kubelet.events.some(({ message }) => message === 'Container main failed liveness probe, will be restarted'));
});

test('resources change in place, and a resize that does not fit waits', async () => {
  await using kubelet = await harness({ capacity: { cpu: '2', memory: '4Gi' } });
  const sized = (cpu: string) => ({ ...sleeper, resources: { requests: { cpu }, limits: { cpu } } });
  const pod = kubelet.run('web', { containers: [sized('500m')] });
  kubelet.run('other', { containers: [sized('1')] });
  await kubelet.settle();
  const resize = (cpu: string, generation: number): void =>
    void kubelet.api.put('pods', {
      ...kubelet.pod('web')!,
      metadata: { ...kubelet.pod('web')!.metadata, generation },
      spec: { ...pod.spec!, containers: [sized(cpu)] },
    } as never);
  resize('800m', 2);
  await kubelet.settle();
  assert.equal(main(kubelet.pod('web')!.status).resources.requests.cpu, '800m');
  assert.equal(main(kubelet.pod('web')!.status).restartCount, 0);
  assert.deepEqual(kubelet.reasons('web').slice(-2), ['ResizeStarted', 'ResizeCompleted']);
  resize('1500m', 3);
  await kubelet.settle();
  const pending = (): any => kubelet.pod('web')!.status?.conditions?.find(({ type }) => type === 'PodResizePending');
  assert.equal(pending()?.reason, 'Deferred');
  assert.equal(main(kubelet.pod('web')!.status).allocatedResources.cpu, '800m');
  kubelet.api.deletePod('default', 'other');
  await kubelet.settle();
  assert.equal(pending(), undefined);
  assert.equal(main(kubelet.pod('web')!.status).resources.requests.cpu, '1500m');
});

test('a stopped kubelet leaves no timer behind', async () => {
  const kubelet = await harness();
  kubelet.run('web', { containers: [sleeper] });
  await kubelet.settle();
  await kubelet[Symbol.asyncDispose]();
  await kubelet.settle();
  assert.equal(kubelet.clock.pending, 0);
});

test('pods of the node itself run, and the API shows a mirror of them', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'static-pods-'));
  try {
    const manifest = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'own' }, spec: { containers: [{ name: 'main', image: 'x:1' }] } };
    await writeFile(path.join(directory, 'own.json'), JSON.stringify(manifest));
    const waiting = harness({ staticPodPath: directory });
    await using kubelet = await waiting;
    await kubelet.settle();
    const mirror = kubelet.pod('own-node-1')!;
    assert.equal(mirror.status?.phase, 'Running');
    assert.ok(mirror.metadata?.annotations?.['kubernetes.io/config.mirror']);
    assert.equal((await kubelet.runtime.runtime.listPodSandbox({})).items?.length, 1);
    kubelet.api.remove('pods', 'default', 'own-node-1');
    await kubelet.settle();
    assert.equal(kubelet.pod('own-node-1')?.status?.phase, 'Running');
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a pod that wants a user namespace of its own does not run without', async () => {
  await using kubelet = await harness();
  kubelet.run('users', { containers: [sleeper], hostUsers: false });
  await kubelet.settle();
  assert.equal(kubelet.pod('users')!.status?.phase, 'Pending');
  assert.ok(kubelet.events.some(({ message }) => message.includes('runtime does not support user namespaces')));
});
