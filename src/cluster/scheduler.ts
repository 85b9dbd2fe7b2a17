/** The scheduler over any transport: for the cluster's own process and for `coxswain kube-scheduler`. */
import { hostname } from 'node:os';
import { actionRecorder, informersOver } from '#client';
import type { Client, RunningActionRecorder } from '#client';
import { Disposables, running } from '#machinery/lifecycle';
import type { Context, Running } from '#machinery/lifecycle';
import { createScheduler } from '#scheduler';
import type { SchedulerConfiguration, SchedulingDecision } from '#scheduler';

export interface SchedulerSettings {
  client: Client;
  config?: SchedulerConfiguration;
  onDecision?(decision: SchedulingDecision): void;
}

/** Resolves when its caches have synced and it schedules. */
export async function startScheduler({ client, config, onDecision }: SchedulerSettings, context: Context): Promise<Running> {
  const { clock, random } = context;
  const log = context.log.with({ component: 'scheduler' });
  const held = new Disposables();
  const informers = informersOver(client, { clock, random, log });
  held.add(() => informers.stop());
  // Every profile reports under its own name.
  const recorders = new Map<string, RunningActionRecorder>();
  const eventsFor = (reportingController: string): RunningActionRecorder => {
    let recorder = recorders.get(reportingController);
    if (!recorder)
      recorders.set(reportingController, (recorder = actionRecorder({ client, clock, reportingController, host: hostname(), log })));
    return recorder;
  };
  held.add(() => Promise.all([...recorders.values()].map((recorder) => recorder.stop())));
  try {
    const scheduler = await createScheduler({
      client,
      informers,
      events: eventsFor('default-scheduler'),
      eventsFor,
      ...(config && { config }),
      ...(onDecision && { onDecision }),
    }).start({ ...context, log });
    held.add(() => scheduler.stop());
  } catch (error) {
    await held.dispose();
    throw error;
  }
  return running(() => held.dispose());
}
