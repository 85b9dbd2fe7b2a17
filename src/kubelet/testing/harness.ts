/** A kubelet on the simulated runtime and a fake API, in virtual time. */
import type { Pod, PodSpec } from '#api';
import type { EventRecorder } from '#client';
import { clientOver, informersOver } from '#client';
import type { VirtualClock } from '#machinery/clock';
import { seededRandom, virtualClock } from '#machinery/clock';
import type { Running } from '#machinery/lifecycle';
import type { Log } from '#machinery/log';
import { silentLog } from '#machinery/log';
import type { Runtime } from '#runtime';
import { simulatedRuntime } from '#runtime';
import type { Kubelet, KubeletOptions } from '../contract.ts';
import { createKubelet } from '../kubelet.ts';
import { FakeApi } from './fake-api.ts';

export interface RecordedEvent {
  object: string;
  type: string;
  reason: string;
  message: string;
  fieldPath: string | undefined;
}

export interface Harness extends AsyncDisposable {
  clock: VirtualClock;
  api: FakeApi;
  kubelet: Kubelet;
  runtime: Runtime;
  events: RecordedEvent[];
  /** Sends a pod to the node. */
  run(name: string, spec: Partial<PodSpec>, annotations?: Record<string, string>): Pod;
  pod(name: string): Pod | undefined;
  /** Lets everything happen that is due now. */
  settle(): Promise<void>;
  reasons(name: string): string[];
  restart(): Promise<void>;
}

export async function harness(
  overrides: Partial<KubeletOptions> & { wrap?: (runtime: Runtime) => Runtime; log?: Log } = {},
): Promise<Harness> {
  const clock = virtualClock(Date.parse('2030-01-01T00:00:00Z'));
  const random = seededRandom(1);
  const api = new FakeApi(clock);
  const client = clientOver(api);
  const log = overrides.log ?? silentLog;
  const informers = informersOver(client, { clock, random, log, freeze: true });
  const events: RecordedEvent[] = [];
  const recorder: EventRecorder = {
    event: (object, type, reason, message, fieldPath) =>
      void events.push({ object: object.metadata?.name ?? '', type, reason, message, fieldPath }),
  };
  let last = 0;
  const base = simulatedRuntime({ clock, random, allocateAddress: () => `10.1.0.${++last}` });
  const runtime = overrides.wrap ? overrides.wrap(base) : base;
  const make = (): Kubelet =>
    createKubelet({
      nodeName: 'node-1',
      client,
      informers,
      events: recorder,
      runtime,
      rootDirectory: '/nowhere/kubelet',
      podLogsDirectory: '/nowhere/pods',
      clusterDns: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      nodeIps: ['192.168.0.1'],
      simulated: true,
      ...overrides,
    });
  let kubelet = make();
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 30; turn++) await clock.advance(0);
  };
  const start = async (): Promise<Running> => {
    const stop = new AbortController();
    const starting = kubelet.start({ clock, random, log, signal: stop.signal });
    await settle();
    return starting;
  };
  let runningKubelet = await start();
  let serial = 0;
  return {
    clock,
    api,
    get kubelet() {
      return kubelet;
    },
    runtime,
    events,
    run(name, spec, annotations) {
      return api.put('pods', {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', uid: `pod-${++serial}`, generation: 1, ...(annotations && { annotations }) },
        spec: {
          nodeName: 'node-1',
          restartPolicy: 'Always',
          terminationGracePeriodSeconds: 30,
          dnsPolicy: 'ClusterFirst',
          enableServiceLinks: true,
          containers: [],
          ...spec,
        },
        status: { phase: 'Pending' },
      } as Pod);
    },
    pod: (name) => api.object<Pod>('pods', 'default', name),
    settle,
    reasons: (name) => events.filter(({ object }) => object === name).map(({ reason }) => reason),
    async restart() {
      await runningKubelet.stop();
      kubelet = make();
      runningKubelet = await start();
    },
    async [Symbol.asyncDispose]() {
      await runningKubelet.stop();
      await informers.stop();
      await runtime.close();
    },
  };
}
