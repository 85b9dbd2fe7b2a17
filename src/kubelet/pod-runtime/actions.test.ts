import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, Pod, PodSpec } from '#api';
import type { ActionFacts, ProbeResult } from './actions.ts';
import { computePodActions } from './actions.ts';
import { hashContainer } from './labels.ts';
import type { ContainerRunState, RuntimePod } from './runtime-pod.ts';

const container = (name: string, more: Partial<Container> = {}): Container => ({ name, image: 'x:1', ...more });
const pod = (spec: Partial<PodSpec>): Pod => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u' },
  spec: { restartPolicy: 'Always', containers: [container('a')], ...spec },
});

type State = ContainerRunState | `exit ${number}`;

function runtime(spec: Pod, states: Record<string, State>, sandbox: 'ready' | 'gone' | 'none' = 'ready'): RuntimePod {
  const all = [...(spec.spec!.initContainers ?? []), ...spec.spec!.containers];
  return {
    uid: 'u',
    name: 'p',
    namespace: 'n',
    ips: ['10.0.0.1'],
    sandboxes:
      sandbox === 'none'
        ? []
        : [
            {
              id: 's',
              metadata: { attempt: 0 },
              state: sandbox === 'ready' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY',
              network: { ip: '10.0.0.1' },
            },
          ],
    containers: Object.entries(states).map(([name, state]) => ({
      id: `id-${name}`,
      name,
      state: state.startsWith('exit') ? 'exited' : (state as ContainerRunState),
      createdAt: 1,
      startedAt: 1,
      finishedAt: 1,
      exitCode: Number(state.slice(5)) || 0,
      reason: '',
      message: '',
      image: 'x:1',
      imageRef: 'x',
      imageId: 'x',
      hash: hashContainer(all.find((item) => item.name === name) ?? container(name)),
      restartCount: 0,
      logPath: '',
      terminationMessagePath: '',
      terminationMessagePolicy: '',
      mounts: [],
    })),
  };
}

interface Case {
  name: string;
  spec?: Partial<PodSpec>;
  states?: Record<string, State>;
  sandbox?: 'ready' | 'gone' | 'none';
  liveness?: Record<string, ProbeResult>;
  startup?: Record<string, ProbeResult>;
  deleted?: boolean;
  want: string;
}

const sidecar = (name: string, more: Partial<Container> = {}): Container => container(name, { restartPolicy: 'Always', ...more });
const probe = { exec: { command: ['true'] } };

const cases: Case[] = [
  { name: 'a new pod gets a sandbox and its containers', sandbox: 'none', want: 'killPod sandbox start a' },
  { name: 'a running container is left alone', states: { a: 'running' }, want: '' },
  { name: 'an ended container starts again', states: { a: 'exit 1' }, want: 'start a' },
  { name: 'one that succeeded stays ended with OnFailure', spec: { restartPolicy: 'OnFailure' }, states: { a: 'exit 0' }, want: 'killPod' },
  { name: 'one that failed starts again with OnFailure', spec: { restartPolicy: 'OnFailure' }, states: { a: 'exit 1' }, want: 'start a' },
  { name: 'with Never an ended pod is over', spec: { restartPolicy: 'Never' }, states: { a: 'exit 1' }, want: 'killPod' },
  {
    name: 'with Never a lost sandbox ends the pod',
    spec: { restartPolicy: 'Never' },
    states: { a: 'exit 137' },
    sandbox: 'gone',
    want: 'killPod',
  },
  { name: 'with Always a lost sandbox is made again', states: { a: 'exit 137' }, sandbox: 'gone', want: 'killPod sandbox start a' },
  {
    name: "a container's own policy counts before the pod's",
    spec: { restartPolicy: 'Never', containers: [container('a', { restartPolicy: 'OnFailure' })] },
    states: { a: 'exit 3' },
    want: 'start a',
  },
  {
    name: 'a restart rule counts before the policy',
    spec: {
      restartPolicy: 'Never',
      containers: [
        container('a', {
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
        }),
      ],
    },
    states: { a: 'exit 42' },
    want: 'start a',
  },
  {
    name: 'a failed liveness probe restarts the container',
    states: { a: 'running' },
    liveness: { 'id-a': 'failure' },
    want: 'kill a(LivenessProbe) start a',
  },
  {
    name: 'a failed startup probe ends it where nothing restarts',
    spec: { restartPolicy: 'Never' },
    states: { a: 'running' },
    startup: { 'id-a': 'failure' },
    want: 'kill a(StartupProbe) killPod',
  },
  { name: 'init containers come first', spec: { initContainers: [container('i')] }, sandbox: 'none', want: 'killPod sandbox init i' },
  {
    name: 'the next init container follows one that succeeded',
    spec: { initContainers: [container('i'), container('j')] },
    states: { i: 'exit 0' },
    want: 'init j',
  },
  { name: 'a running init container is waited for', spec: { initContainers: [container('i')] }, states: { i: 'running' }, want: '' },
  { name: 'a failed init container is tried again', spec: { initContainers: [container('i')] }, states: { i: 'exit 1' }, want: 'init i' },
  {
    name: 'a failed init container ends the pod with Never',
    spec: { initContainers: [container('i')], restartPolicy: 'Never' },
    states: { i: 'exit 1' },
    want: 'killPod',
  },
  {
    name: 'main containers start once all init containers are done',
    spec: { initContainers: [container('i')] },
    states: { i: 'exit 0' },
    want: 'start a',
  },
  {
    name: 'a running sidecar without a startup probe lets the next one start',
    spec: { initContainers: [sidecar('s'), container('i')] },
    states: { s: 'running' },
    want: 'init i',
  },
  {
    name: 'a sidecar must have started before the next one does',
    spec: { initContainers: [sidecar('s', { startupProbe: probe }), container('i')] },
    states: { s: 'running' },
    startup: { 'id-s': 'unknown' },
    want: '',
  },
  {
    name: 'a sidecar that ended starts again beside the main containers',
    spec: { initContainers: [sidecar('s')] },
    states: { s: 'exit 1', a: 'running' },
    want: 'init s',
  },
  {
    name: 'sidecars end with the pod',
    spec: { initContainers: [sidecar('s')], restartPolicy: 'Never' },
    states: { s: 'running', a: 'exit 0' },
    want: 'killPod',
  },
  { name: 'a deleted pod starts nothing', states: { a: 'exit 1' }, deleted: true, want: 'killPod' },
];

for (const { name, spec = {}, states = {}, sandbox = 'ready', liveness = {}, startup = {}, deleted, want } of cases)
  test(name, () => {
    const subject = pod(spec);
    if (deleted) subject.metadata!.deletionTimestamp = '2030-01-01T00:00:00Z';
    const facts: ActionFacts = { liveness: (id) => liveness[id], startup: (id) => startup[id] };
    const actions = computePodActions(subject, runtime(subject, states, sandbox), facts);
    const said = [
      ...actions.toKill.map(({ container: { name: who }, reason }) => `kill ${who}(${reason})`),
      ...(actions.killPod ? ['killPod'] : []),
      ...(actions.createSandbox ? ['sandbox'] : []),
      ...actions.initToStart.map(({ name: who }) => `init ${who}`),
      ...actions.toStart.map(({ name: who }) => `start ${who}`),
    ];
    assert.equal(said.join(' '), want);
  });
