import type { Pod } from '#api';
import { Event as EventKind, Pod as PodKind } from '#api';
import { clientOver, informersOver } from '#client';
import type { VirtualClock } from '#machinery/clock';
import { seededRandom, timestamp, virtualClock } from '#machinery/clock';
import type { Log } from '#machinery/log';
import { silentLog } from '#machinery/log';
import { keyOf } from '#machinery/meta';
import type { ControllerFactory, ControllerOptions } from '../contract.ts';
import { defaultOptions } from '../options.ts';
import { startControllers } from '../runtime.ts';
import { FakeApi } from './fake-api.ts';

export interface Harness extends AsyncDisposable {
  api: FakeApi;
  clock: VirtualClock;
  /** Lets everything that is due happen, without moving the clock by more than a second. */
  settle(): Promise<void>;
  /** Moves the clock in steps. */
  pass(milliseconds: number): Promise<void>;
  /** "Reason message" of the events recorded so far. */
  events(): string[];
  /** Warnings and errors logged so far. */
  complaints: string[];
}

export interface HarnessOptions {
  controllers: ControllerFactory[];
  options?: Partial<ControllerOptions>;
  /** Called before the controllers start. */
  before?(api: FakeApi): void;
}

/** Controllers on a fake API in virtual time. */
export async function harness({ controllers, options, before }: HarnessOptions): Promise<Harness> {
  const clock = virtualClock(Date.parse('2026-01-01T00:00:00Z'));
  const random = seededRandom(7);
  const api = new FakeApi(clock, random);
  const complaints: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (message, keys) => void complaints.push(`${message} ${String(keys?.['error'] ?? '')}`),
    error: (message, keys) => void complaints.push(`${message} ${(keys?.['error'] as Error | undefined)?.stack ?? ''}`),
    with: () => log,
  };
  before?.(api);
  const informers = informersOver(clientOver(api.transportFor('informers')), { clock, random, log, freeze: true });
  const running = await startControllers({
    clientFor: (name) => clientOver(api.transportFor(name)),
    informers,
    clock,
    random,
    log,
    controllers,
    options: { ...defaultOptions, ...options },
  });
  const pass = async (milliseconds: number): Promise<void> => {
    const steps = Math.max(20, Math.min(200, Math.ceil(milliseconds / 100)));
    for (let step = 0; step < steps; step++) await clock.advance(milliseconds / steps);
  };
  const settle = (): Promise<void> => pass(500);
  await settle();
  return {
    api,
    clock,
    settle,
    pass,
    complaints,
    events: () => api.list(EventKind).map((event) => `${event.reason} ${event.message}`),
    async [Symbol.asyncDispose]() {
      await running.stop();
      await informers.stop();
      if (clock.pending > 0) throw new Error(`${clock.pending} timers are left behind`);
    },
  };
}

/** Says what a kubelet would of a pod that runs and is ready. */
export function makeReady(api: FakeApi, clock: VirtualClock, pod: Pod, node = 'node-1'): void {
  api.change(PodKind, keyOf(pod), (next) => {
    next.spec!.nodeName ??= node;
    next.status = {
      ...next.status,
      phase: 'Running',
      podIP: next.status?.podIP ?? `10.0.0.${1 + (api.list(PodKind).indexOf(pod) % 250)}`,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: timestamp(clock) }],
    };
  });
}

/** Makes every pod that can be ready ready, and ends those being deleted; answers how many changed. */
export function playKubelet(api: FakeApi, clock: VirtualClock): number {
  let changed = 0;
  for (const pod of api.list(PodKind)) {
    if (pod.metadata!.deletionTimestamp) {
      api.finish(PodKind, keyOf(pod));
      changed++;
    } else if (!pod.status?.phase || pod.status.phase === 'Pending') {
      makeReady(api, clock, pod);
      changed++;
    }
  }
  return changed;
}
